//! Tokens that go away while they are used.

use std::thread;
use std::time::{Duration, Instant};

use ca_core::signer::{KeyAlgorithm, Signer};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use token_key::{TokenError, TokenKey};

use crate::stage::{alone, labelled, module};

#[test]
fn a_token_that_comes_back_signs_again_without_a_restart() {
    alone("loss::a_token_that_comes_back_signs_again_without_a_restart", |stage| {
        let (ca, ocsp) =
            (stage.generated("ca", KeyAlgorithm::P384), stage.generated("ocsp", KeyAlgorithm::P256));
        for _ in 0..3 {
            stage.unplug();
            let failed = ca.sign(b"x").unwrap_err().to_string();
            assert!(ocsp.sign(b"x").is_err());
            assert!(ca.reach().is_err());
            println!("{failed}");
            stage.plug_in();
            let begun = Instant::now();
            let signature = loop {
                match ca.sign(b"x") {
                    Ok(signature) => break signature,
                    Err(error) => assert!(begun.elapsed() < Duration::from_secs(3), "{error}"),
                }
                thread::sleep(Duration::from_millis(50));
            };
            assert!(stage.openssl_verifies(&ca, b"x", &signature));
            assert!(ocsp.sign(b"x").is_ok());
            assert!(ca.reach().is_ok());
        }
    });
}

#[test]
fn a_token_lost_under_eight_threads_comes_back_to_all() {
    alone("loss::a_token_lost_under_eight_threads_comes_back_to_all", |stage| {
        let key = stage.generated("ca", KeyAlgorithm::P256);
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while begun.elapsed() < Duration::from_secs(3) {
                        let _ = key.sign(b"x");
                    }
                    let until = Duration::from_secs(8);
                    while let Err(error) = key.sign(b"x") {
                        assert!(begun.elapsed() < until, "{error}");
                        thread::sleep(Duration::from_millis(50));
                    }
                });
            }
            thread::sleep(Duration::from_millis(500));
            stage.unplug();
            thread::sleep(Duration::from_millis(1500));
            stage.plug_in();
        });
    });
}

#[test]
fn sessions_that_were_closed_are_opened_again_at_once() {
    alone("loss::sessions_that_were_closed_are_opened_again_at_once", |stage| {
        let key = stage.generated("ca", KeyAlgorithm::P256);
        let module = Pkcs11::new(module()).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        for _ in 0..5 {
            key.sign(b"x").unwrap();
            // Every session is gone, and their handles mean nothing.
            module.clone().finalize().unwrap();
            let start = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
            module.initialize(start).unwrap();
            key.sign(b"x").unwrap();
            // Logged out behind our back.
            module.open_ro_session(slot).unwrap().logout().unwrap();
            key.sign(b"x").unwrap();
        }
    });
}

#[test]
fn another_key_under_the_same_name_is_not_used() {
    alone("loss::another_key_under_the_same_name_is_not_used", |stage| {
        let key = stage.generated("ca", KeyAlgorithm::P256);
        stage.exchange();
        assert!(key.sign(b"x").is_err());
        thread::sleep(Duration::from_millis(1100));
        let said = key.sign(b"x").unwrap_err().to_string();
        assert!(said.contains("no key of this kind"), "{said}");
        let other = stage.generated("ca", KeyAlgorithm::P256);
        assert!(key.sign(b"x").unwrap_err().to_string().contains("asked again soon"));
        thread::sleep(Duration::from_millis(1100));
        let said = key.sign(b"x").unwrap_err().to_string();
        assert!(said.contains("is another one now"), "{said}");
        assert!(matches!(key.reach(), Err(TokenError::OtherKey(_))));
        assert!(other.sign(b"x").is_ok());
        assert!(TokenKey::open(stage.token(), labelled("ca")).is_ok());
    });
}
