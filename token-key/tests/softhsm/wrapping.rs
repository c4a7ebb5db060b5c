//! Keys that other keys are wrapped with, with AES-GCM of another library as the judge.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use token_key::{TokenError, WrappingKey};

use crate::stage::{PIN, alone, labelled, module};

fn session() -> Session {
    let module = Pkcs11::new(module()).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&PIN.to_owned().into()));
    session
}

#[test]
fn aes_gcm_elsewhere_opens_what_the_token_wraps() {
    alone("wrapping::aes_gcm_elsewhere_opens_what_the_token_wraps", |stage| {
        // Reaching for the token starts the module.
        assert!(!stage.token().has_secret(&labelled("master")).unwrap());
        let octets = [7; 32];
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Label(b"master".to_vec()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Value(octets.to_vec()),
        ];
        session().create_object(&template).unwrap();
        assert!(stage.token().has_secret(&labelled("master")).unwrap());
        let key = WrappingKey::open(stage.token(), labelled("master")).unwrap();
        let wrapped = key.wrap(b"context", b"a key of an application").unwrap();
        assert_eq!(wrapped[0], 1);

        let judge = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &octets).unwrap());
        let (nonce, body) = wrapped[1..].split_at(12);
        let mut body = body.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        assert_eq!(
            judge.open_in_place(nonce, Aad::from(b"context"), &mut body).unwrap(),
            b"a key of an application"
        );
        let mut theirs = b"wrapped elsewhere".to_vec();
        judge
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([3; 12]),
                Aad::from(b"context"),
                &mut theirs,
            )
            .unwrap();
        let theirs = [&[1], [3; 12].as_slice(), &theirs].concat();
        assert_eq!(key.unwrap(b"context", &theirs).unwrap().unwrap().as_slice(), b"wrapped elsewhere");
    });
}

#[test]
fn what_was_changed_opens_nowhere_and_disturbs_nobody() {
    alone("wrapping::what_was_changed_opens_nowhere_and_disturbs_nobody", |stage| {
        let key = WrappingKey::generate(stage.token(), labelled("master")).unwrap();
        let wrapped = key.wrap(b"context", &[5; 32]).unwrap();
        assert_ne!(wrapped, key.wrap(b"context", &[5; 32]).unwrap(), "a new nonce each time");
        assert_eq!(key.unwrap(b"context", &wrapped).unwrap().unwrap().as_slice(), [5; 32]);
        assert!(key.unwrap(b"another", &wrapped).unwrap().is_none());
        for n in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[n] ^= 1;
            assert!(key.unwrap(b"context", &changed).unwrap().is_none(), "octet {n}");
            assert!(key.unwrap(b"context", &wrapped[..n]).unwrap().is_none(), "{n} octets");
        }
        assert!(key.unwrap(b"context", &wrapped).unwrap().is_some());
        let other = WrappingKey::generate(stage.token(), labelled("other")).unwrap();
        assert!(other.unwrap(b"context", &wrapped).unwrap().is_none());
    });
}

#[test]
fn a_wrapping_key_is_made_once_stays_where_it_is_and_comes_back_with_its_token() {
    let name = "wrapping::a_wrapping_key_is_made_once_stays_where_it_is_and_comes_back_with_its_token";
    alone(name, |stage| {
        let absent = WrappingKey::open(stage.token(), labelled("master")).unwrap_err();
        assert!(matches!(absent, TokenError::NoKey(..)), "{absent}");
        let key = WrappingKey::generate(stage.token(), labelled("master")).unwrap();
        let again = WrappingKey::generate(stage.token(), labelled("master")).unwrap_err();
        assert!(matches!(again, TokenError::KeyExists(..)), "{again}");
        let session = session();
        let found = session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap();
        let asked = [AttributeType::Extractable, AttributeType::Sensitive, AttributeType::Unwrap];
        assert_eq!(
            session.get_attributes(found[0], &asked).unwrap(),
            [Attribute::Extractable(false), Attribute::Sensitive(true), Attribute::Unwrap(false)]
        );
        assert_eq!(session.get_attributes(found[0], &[AttributeType::Value]).unwrap(), []);
        drop(session);

        let wrapped = key.wrap(b"context", &[5; 32]).unwrap();
        stage.unplug();
        assert!(key.unwrap(b"context", &wrapped).is_err());
        assert!(key.reach().is_err());
        stage.plug_in();
        let begun = Instant::now();
        while let Err(error) = key.reach() {
            assert!(begun.elapsed() < Duration::from_secs(3), "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(key.unwrap(b"context", &wrapped).unwrap().unwrap().as_slice(), [5; 32]);
    });
}
