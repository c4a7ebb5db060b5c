//! A new key, made by the token and never seen outside of it.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use ca_core::signer::KeyAlgorithm;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{SECP_256_R_1, SECP_384_R_1};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use der::Encode;

use crate::error::TokenError;
use crate::key::{KeyName, TokenKey};
use crate::token::{Access, Token};

impl TokenKey {
    /// Makes a key pair that can sign and do nothing else, and whose private half cannot be read (PKCS #11 v3.0 section
    /// 4.9: CKA_SENSITIVE, not CKA_EXTRACTABLE). `label` is for people, where the name has none.
    ///
    /// # Errors
    /// A [`TokenError`]: there is a key of this name already, or the token does not make or keep such a key.
    pub fn generate(
        token: Arc<Token>,
        name: KeyName,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<Self, TokenError> {
        let (mechanism, parameters) =
            how_to_make(algorithm).ok_or_else(|| TokenError::UnsupportedKey(name.clone()))?;
        let id = match name.id() {
            Some(id) => id.to_vec(),
            None => random_id()?,
        };
        let both = [Attribute::Token(true), Attribute::Id(id), Attribute::Label(name.label_or(label).into())];
        make_kept(token, name, Self::open, |session| {
            let public =
                [both.as_slice(), &[Attribute::Private(false), Attribute::Verify(true)], &parameters];
            let private = [
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
                Attribute::Derive(false),
            ];
            let private = [both.as_slice(), &private].concat();
            let (public, private) = session.generate_key_pair(&mechanism, &public.concat(), &private)?;
            Ok(vec![private, public])
        })
    }
}

/// A new key of a name that nothing has yet. `make` gives its objects, the one that must not be readable first; `open` proves that
/// it works. What is not kept, or does not work, is taken off the token again.
pub(crate) fn make_kept<K>(
    token: Arc<Token>,
    name: KeyName,
    open: impl FnOnce(Arc<Token>, KeyName) -> Result<K, TokenError>,
    make: impl FnOnce(&Session) -> Result<Vec<ObjectHandle>, Error>,
) -> Result<K, TokenError> {
    token.visit(Access::Write, |session| {
        let failed = |error| TokenError::Call("make a key", error);
        // Whatever it is, a certificate or a secret key too: the name is taken.
        if !session.find_objects(&name.attributes()).map_err(failed)?.is_empty() {
            return Err(TokenError::KeyExists(token.name.clone(), name.clone()));
        }
        let made = make(session).map_err(failed)?;
        let secret = made.first().copied();
        if secret.map(|secret| is_kept(session, secret)).transpose()? == Some(true) {
            return Ok(());
        }
        made.into_iter().try_for_each(|object| session.destroy_object(object).map_err(failed))?;
        Err(TokenError::Extractable(name.clone()))
    })?;
    // One that does not prove itself is worth nothing, and would be in the way.
    open(Arc::clone(&token), name.clone()).inspect_err(|_| {
        if let Err(error) = name.destroy_all(&token) {
            tracing::error!(%error, key = %name, "a new key that does not work is left on the token");
        }
    })
}

/// The mechanism, and what the public half's template says of the key.
fn how_to_make(algorithm: KeyAlgorithm) -> Option<(Mechanism<'static>, Vec<Attribute>)> {
    let curve = |curve: ObjectIdentifier| {
        Some((Mechanism::EccKeyPairGen, vec![Attribute::EcParams(curve.to_der().ok()?)]))
    };
    let rsa = |bits: u32| {
        let exponent = Attribute::PublicExponent(vec![1, 0, 1]);
        let modulus = Attribute::ModulusBits(cryptoki::types::Ulong::from(u64::from(bits)));
        Some((Mechanism::RsaPkcsKeyPairGen, vec![modulus, exponent]))
    };
    match algorithm {
        KeyAlgorithm::P256 => curve(SECP_256_R_1),
        KeyAlgorithm::P384 => curve(SECP_384_R_1),
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
        KeyAlgorithm::Rsa4096 => rsa(4096),
        KeyAlgorithm::Ed25519 => None,
    }
}

/// The token says itself whether it did as it was told, and that it was never otherwise.
fn is_kept(session: &Session, private: ObjectHandle) -> Result<bool, TokenError> {
    let asked = [
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
    ];
    let told = session.get_attributes(private, &asked);
    let told = told.map_err(|error| TokenError::Call("show the new key", error))?;
    let kept = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
    ];
    Ok(kept.iter().all(|attribute| told.contains(attribute)))
}

fn random_id() -> Result<Vec<u8>, TokenError> {
    let mut id = vec![0; 16];
    SystemRandom::new().fill(&mut id).map_err(|_| TokenError::Random)?;
    Ok(id)
}
