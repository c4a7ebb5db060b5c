//! Keys on SoftHSM2, with OpenSSL as the judge of what they sign.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it expected by failing")]

mod loss;
mod stage;
mod wrapping;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use aws_lc_rs::digest;
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::UserType;
use token_key::{KeyName, TokenError, TokenKey, TokenName};

use stage::{PIN, alone, labelled, module};

#[test]
fn openssl_verifies_what_every_kind_of_key_signs() {
    alone("openssl_verifies_what_every_kind_of_key_signs", |stage| {
        for algorithm in
            [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072]
        {
            let made = stage.generated(algorithm.as_str(), algorithm);
            let key = TokenKey::open(stage.token(), labelled(algorithm.as_str())).unwrap();
            assert_eq!(key.public_key(), made.public_key());
            assert_eq!(key.algorithm(), &algorithm.signature());
            // Every length of r and s: one in 128 is shorter.
            for n in 0..if algorithm == KeyAlgorithm::P256 { 64 } else { 4 } {
                let message = format!("message {n}");
                let signature = key.sign(message.as_bytes()).unwrap();
                assert!(stage.openssl_verifies(&key, message.as_bytes(), &signature), "{algorithm} {n}");
                assert!(!stage.openssl_verifies(&key, b"another", &signature));
            }
            let digest = digest::digest(key.hash().unwrap(), b"large");
            assert!(stage.openssl_verifies(&key, b"large", &key.sign_digest(&digest).unwrap()));
            let other = digest::digest(&digest::SHA512, b"large");
            assert!(key.sign_digest(&other).is_err());
        }
    });
}

#[test]
fn eight_threads_share_four_sessions() {
    alone("eight_threads_share_four_sessions", |stage| {
        let key = stage.generated("ca", KeyAlgorithm::P256);
        let signatures: Vec<(String, Vec<u8>)> = thread::scope(|scope| {
            let work: Vec<_> = (0..8)
                .map(|thread| {
                    let key = &key;
                    scope.spawn(move || {
                        let sign = |n| {
                            let message = format!("{thread} {n}");
                            let signature = key.sign(message.as_bytes()).unwrap();
                            (message, signature)
                        };
                        (0..50).map(sign).collect::<Vec<_>>()
                    })
                })
                .collect();
            work.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(signatures.len(), 400);
        for (message, signature) in signatures.iter().step_by(20) {
            assert!(stage.openssl_verifies(&key, message.as_bytes(), signature));
        }
    });
}

#[test]
fn two_keys_of_one_process_share_the_login() {
    alone("two_keys_of_one_process_share_the_login", |stage| {
        let (ca, ocsp) =
            (stage.generated("ca", KeyAlgorithm::P384), stage.generated("ocsp", KeyAlgorithm::P256));
        drop(ca);
        assert!(ocsp.sign(b"x").is_ok());
        let ca = TokenKey::open(stage.token(), labelled("ca")).unwrap();
        assert!(ca.sign(b"x").is_ok() && ocsp.sign(b"x").is_ok());
    });
}

#[test]
fn a_wrong_pin_is_tried_once() {
    alone("a_wrong_pin_is_tried_once", |stage| {
        let wrong = stage.token_named(TokenName::Label("muhr".to_owned()), "000000").unwrap();
        for n in 0..20 {
            if n == 1 {
                // It is not even looked for any more.
                stage.unplug();
            }
            let refused = TokenKey::open(wrong.clone(), labelled("ca")).unwrap_err();
            assert!(matches!(refused, TokenError::PinRefused(_)), "{refused}");
            let text = refused.to_string();
            assert!(text.contains("correct the PIN") && !text.contains("000000"), "{text}");
        }
        assert!(!format!("{wrong:?}").contains("000000"));
        stage.plug_in();
        assert!(stage.generated("ca", KeyAlgorithm::P256).sign(b"x").is_ok());
    });
}

#[test]
fn what_is_not_there_or_there_twice_is_named() {
    alone("what_is_not_there_or_there_twice_is_named", |stage| {
        let said = |token: TokenName, key: &str| {
            TokenKey::open(stage.token_named(token, PIN).unwrap(), labelled(key)).unwrap_err().to_string()
        };
        let muhr = || TokenName::Label("muhr".to_owned());
        assert_eq!(said(muhr(), "ca"), "there is no key of this kind with label \"ca\" on token \"muhr\"");
        let said = said(TokenName::Serial("0000".to_owned()), "ca");
        assert!(said.starts_with("there is no token with serial number 0000 in any slot"), "{said}");
        let absent =
            token_key::Token::new(std::path::Path::new("/nowhere.so"), muhr(), PIN.to_owned().into(), 1);
        assert!(matches!(absent, Err(TokenError::Module { .. })));
    });
}

#[test]
fn two_tokens_of_one_label_are_told_apart_by_serial_number() {
    alone("two_tokens_of_one_label_are_told_apart_by_serial_number", |stage| {
        stage.another("muhr");
        let refused = TokenKey::open(stage.token(), labelled("ca")).unwrap_err();
        assert!(matches!(refused, TokenError::ManyTokens(_)), "{refused}");
        let module = Pkcs11::new(module()).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        let serial = module.get_token_info(slot).unwrap().serial_number().to_owned();
        let token = stage.token_named(TokenName::Serial(serial), PIN).unwrap();
        assert!(TokenKey::generate(token, labelled("ca"), "ca", KeyAlgorithm::P256).is_ok());
    });
}

#[test]
fn two_keys_of_one_label_are_refused_and_told_apart_by_id() {
    alone("two_keys_of_one_label_are_refused_and_told_apart_by_id", |stage| {
        let named = |id: &[u8]| KeyName::new(Some("ca".to_owned()), Some(id.to_vec())).unwrap();
        let made = [&[1_u8][..], &[2, 0xff]]
            .map(|id| TokenKey::generate(stage.token(), named(id), "x", KeyAlgorithm::P256).unwrap());
        let refused = TokenKey::open(stage.token(), labelled("ca")).unwrap_err();
        assert!(matches!(refused, TokenError::ManyKeys(..)), "{refused}");
        let by_id = KeyName::new(None, Some(vec![2, 0xff])).unwrap();
        let key = TokenKey::open(stage.token(), by_id).unwrap();
        assert_eq!(key.public_key(), made[1].public_key());
    });
}

#[test]
fn a_key_is_never_made_over_another() {
    alone("a_key_is_never_made_over_another", |stage| {
        let first = stage.generated("ca", KeyAlgorithm::P256);
        let second = TokenKey::generate(stage.token(), labelled("ca"), "ca", KeyAlgorithm::P384).unwrap_err();
        assert!(matches!(second, TokenError::KeyExists(..)), "{second}");
        assert!(stage.token().has(&labelled("ca")).unwrap());
        first.destroy().unwrap();
        assert!(!stage.token().has(&labelled("ca")).unwrap());
        stage.generated("ca", KeyAlgorithm::P384);
    });
}

#[test]
fn a_private_key_cannot_be_read_nor_wrapped() {
    alone("a_private_key_cannot_be_read_nor_wrapped", |stage| {
        let key = stage.generated("ca", KeyAlgorithm::P256);
        let module = Pkcs11::new(module()).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        let session = module.open_ro_session(slot).unwrap();
        let _ = session.login(UserType::User, Some(&PIN.to_owned().into()));
        let found = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
        let secret = session.get_attributes(found[0], &[AttributeType::Value]).unwrap();
        assert_eq!(secret, [], "the private key is readable");
        let asked = [AttributeType::Extractable, AttributeType::Sensitive, AttributeType::Decrypt];
        let told = session.get_attributes(found[0], &asked).unwrap();
        assert_eq!(
            told,
            [Attribute::Extractable(false), Attribute::Sensitive(true), Attribute::Decrypt(false)]
        );
        assert!(session.update_attributes(found[0], &[Attribute::Extractable(true)]).is_err());
        assert!(key.sign(b"x").is_ok());
    });
}

#[test]
fn a_key_that_others_brought_is_used_and_one_of_another_kind_refused() {
    alone("a_key_that_others_brought_is_used_and_one_of_another_kind_refused", |stage| {
        let import = |curve: &str, label: &str, id: &str| {
            let file = stage.file(label, b"");
            let curve = format!("ec_paramgen_curve:{curve}");
            let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", &curve, "-out", &file];
            stage::well(&Command::new("openssl").args(make).output().unwrap());
            let take = ["--import", &file, "--token", "muhr", "--label", label, "--id", id, "--pin", PIN];
            stage::well(&Command::new("softhsm2-util").args(take).output().unwrap());
        };
        import("P-384", "good", "0a");
        import("P-521", "odd", "0b");
        let key = TokenKey::open(stage.token(), labelled("good")).unwrap();
        assert!(stage.openssl_verifies(&key, b"x", &key.sign(b"x").unwrap()));
        let refused = TokenKey::open(stage.token(), labelled("odd")).unwrap_err();
        assert!(matches!(refused, TokenError::UnsupportedKey(_)), "{refused}");
    });
}

/// Run by hand in a release build for docs/OPERATIONS.md.
#[test]
#[ignore = "a measurement"]
fn cpu_of_a_signature() {
    alone("cpu_of_a_signature", |stage| {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa3072] {
            let file = FileKey::generate(algorithm).unwrap();
            let token = stage.generated(algorithm.as_str(), algorithm);
            for threads in [1, 2] {
                let [file, token] = [microseconds(&file, threads), microseconds(&token, threads)];
                println!("{algorithm}, {threads} threads: file {file:.0} us, token {token:.0} us of CPU");
            }
        }
    });
}

/// CPU per signature of a message as long as a certificate.
fn microseconds(key: &dyn Signer, threads: usize) -> f64 {
    let (message, count, begun, before) = ([7; 900], AtomicUsize::new(0), Instant::now(), cpu_seconds());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while begun.elapsed().as_secs() < 4 {
                    key.sign(&message).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (cpu_seconds() - before) * 1e6 / count.load(Ordering::Relaxed) as f64
}

/// User and system time of this process: proc(5), in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>()
        / 100.0
}
