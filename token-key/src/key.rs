//! A private key on a token, as a signer.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{self, Digest, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use ca_core::algorithm::SignatureAlgorithm;
use ca_core::csr::{KeyKind, SubjectPublicKey};
use ca_core::signer::{KeyAlgorithm, SignError, Signer};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::asn1::UintRef;
use der::{Encode, Sequence};
use spki::SubjectPublicKeyInfoRef;

use crate::error::TokenError;
use crate::public_key;
use crate::sessions::KeySessions;
use crate::token::{Access, Token};

/// What stands before a SHA-256 digest in an RSA signature: the DER of DigestInfo up to it (RFC 8017 section 9.2, note 1).
const DIGEST_INFO_SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// What a key proves itself with: the beginning of no certificate, CRL or OCSP answer.
const PROOF: &[u8] = b"Muhr asks whether this key signs for its public key: ";

/// What a key is found by on its token: its label, its id, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    label: Option<String>,
    id: Option<Vec<u8>>,
}

/// A private key on a token. It never leaves it; each signature is one visit in a session of the pool.
pub struct TokenKey {
    sessions: KeySessions,
    algorithm: SignatureAlgorithm,
    form: Form,
    public_key: Vec<u8>,
}

/// What is asked of the token, and how its answer becomes the content of a signature's BIT STRING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// CKM_ECDSA over the digest gives r and s of so many octets each (PKCS #11 v3.0 section 2.3.1).
    Ecdsa(usize),
    /// CKM_RSA_PKCS over a DigestInfo (section 2.1.6).
    Rsa,
}

impl KeyName {
    /// By CKA_LABEL, CKA_ID or both; `None` if neither is given.
    pub fn new(label: Option<String>, id: Option<Vec<u8>>) -> Option<Self> {
        (label.is_some() || id.is_some()).then_some(Self { label, id })
    }

    /// The label of a key that is made: the one it is found by, or this.
    pub(crate) fn label_or(&self, label: &str) -> String {
        self.label.clone().unwrap_or_else(|| label.to_owned())
    }

    pub(crate) fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let label = self.label.iter().map(|label| Attribute::Label(label.clone().into_bytes()));
        label.chain(self.id.iter().map(|id| Attribute::Id(id.clone()))).collect()
    }

    /// Every key of this name and class that the session sees.
    pub(crate) fn keys(
        &self,
        class: ObjectClass,
        session: &Session,
    ) -> Result<Vec<ObjectHandle>, TokenError> {
        let template: Vec<Attribute> =
            self.attributes().into_iter().chain([Attribute::Class(class)]).collect();
        session.find_objects(&template).map_err(|error| TokenError::Call("look for the key", error))
    }

    /// Removes everything of this name.
    pub(crate) fn destroy_all(&self, token: &Token) -> Result<(), TokenError> {
        token.visit(Access::Write, |session| {
            let failed = |error| TokenError::Call("destroy the key", error);
            let all = session.find_objects(&self.attributes()).map_err(failed)?;
            all.into_iter().try_for_each(|object| session.destroy_object(object).map_err(failed))
        })
    }

    /// The one key of this name and class.
    pub(crate) fn key(
        &self,
        class: ObjectClass,
        token: &Token,
        session: &Session,
    ) -> Result<ObjectHandle, TokenError> {
        match self.keys(class, session)?.as_slice() {
            [key] => Ok(*key),
            [] => Err(TokenError::NoKey(token.name.clone(), self.clone())),
            _ => Err(TokenError::ManyKeys(token.name.clone(), self.clone())),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.label, &self.id) {
            (Some(label), None) => write!(f, "label \"{label}\""),
            (label, Some(id)) => {
                label.iter().try_for_each(|label| write!(f, "label \"{label}\" and "))?;
                write!(f, "id {}", hex::encode(id))
            }
            (None, None) => f.write_str("no name"),
        }
    }
}

impl TokenKey {
    /// Finds the key, and has it sign something worthless to see that it and the public key beside it belong together.
    ///
    /// # Errors
    /// A [`TokenError`]: the token cannot be opened, or has not exactly one such key.
    pub fn open(token: Arc<Token>, name: KeyName) -> Result<Self, TokenError> {
        let public_key = token.visit(Access::Read, |session| {
            let private = name.key(ObjectClass::PRIVATE_KEY, &token, session)?;
            look_at_conditions(&token, &name, session, private)?;
            public_key::read(session, private, &name)
        })?;
        let unsupported = || TokenError::UnsupportedKey(name.clone());
        let known = SubjectPublicKey::from_spki_der(&public_key).map_err(|_| unsupported())?;
        let (kind, form) = match known.kind() {
            KeyKind::P256 => (KeyAlgorithm::P256, Form::Ecdsa(32)),
            KeyKind::P384 => (KeyAlgorithm::P384, Form::Ecdsa(48)),
            KeyKind::Rsa { .. } => (KeyAlgorithm::Rsa3072, Form::Rsa),
            KeyKind::P521 | KeyKind::Ed25519 => return Err(unsupported()),
        };
        let sessions = sessions(token, name, public_key.clone());
        let key = Self { sessions, algorithm: kind.signature(), form, public_key };
        key.prove()?;
        Ok(key)
    }

    /// Whether the token is there and has the key: it is asked now, and a lost one is looked for again. Nothing is signed.
    ///
    /// # Errors
    /// A [`TokenError`] that says what is wrong.
    pub fn reach(&self) -> Result<(), TokenError> {
        self.sessions.with_seat(|seat| {
            let class = seat.session.get_attributes(seat.key, &[AttributeType::Class]);
            class.map(drop).map_err(|error| TokenError::Call("show the key", error))
        })
    }

    /// Removes the key from the token, for one that has signed nothing anybody has seen.
    ///
    /// # Errors
    /// A [`TokenError`].
    pub fn destroy(&self) -> Result<(), TokenError> {
        self.name().destroy_all(&self.sessions.token)
    }

    /// What it is found by.
    pub fn name(&self) -> &KeyName {
        &self.sessions.name
    }

    fn prove(&self) -> Result<(), TokenError> {
        let mut message = [PROOF, [0; 32].as_slice()].concat();
        SystemRandom::new().fill(&mut message[PROOF.len()..]).map_err(|_| TokenError::Random)?;
        let signature = self.sign_hashed(&digest(self.hash_algorithm(), &message))?;
        let mismatch = || TokenError::Mismatch(self.name().clone());
        let read = SubjectPublicKeyInfoRef::try_from(self.public_key.as_slice()).map_err(|_| mismatch())?;
        let scheme: &'static dyn VerificationAlgorithm = match self.form {
            Form::Ecdsa(32) => &ECDSA_P256_SHA256_ASN1,
            Form::Ecdsa(_) => &ECDSA_P384_SHA384_ASN1,
            Form::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        };
        let public = UnparsedPublicKey::new(scheme, read.subject_public_key.raw_bytes());
        public.verify(&message, &signature).map_err(|_| mismatch())
    }

    fn hash_algorithm(&self) -> &'static digest::Algorithm {
        match self.form {
            Form::Ecdsa(48) => &digest::SHA384,
            Form::Ecdsa(_) | Form::Rsa => &digest::SHA256,
        }
    }

    fn sign_hashed(&self, digest: &Digest) -> Result<Vec<u8>, TokenError> {
        let failed = |error| TokenError::Call("sign", error);
        match self.form {
            Form::Ecdsa(octets) => {
                let raw = self.sessions.with_seat(|seat| {
                    seat.session.sign(&Mechanism::Ecdsa, seat.key, digest.as_ref()).map_err(failed)
                })?;
                ecdsa_sig_value(&raw, octets).ok_or_else(|| TokenError::Mismatch(self.name().clone()))
            }
            Form::Rsa => {
                let info = [&DIGEST_INFO_SHA256, digest.as_ref()].concat();
                self.sessions
                    .with_seat(|seat| seat.session.sign(&Mechanism::RsaPkcs, seat.key, &info).map_err(failed))
            }
        }
    }
}

impl Signer for TokenKey {
    fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.sign_hashed(&digest(self.hash_algorithm(), message))?)
    }

    fn hash(&self) -> Option<&'static digest::Algorithm> {
        Some(self.hash_algorithm())
    }

    fn is_reachable(&self) -> bool {
        self.reach().inspect_err(|error| tracing::warn!(%error, "the key cannot be reached")).is_ok()
    }

    fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, SignError> {
        if digest.algorithm() != self.hash_algorithm() {
            return Err(SignError("the digest is of another hash than the key's".to_owned()));
        }
        Ok(self.sign_hashed(digest)?)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TokenKey");
        shown.field("token", &self.sessions.token.name).field("name", self.name()).finish_non_exhaustive()
    }
}

/// In each of them the name still leads to the key with this public half.
fn sessions(token: Arc<Token>, name: KeyName, public_key: Vec<u8>) -> KeySessions {
    let (on, known_as) = (Arc::clone(&token), name.clone());
    let find = move |session: &Session| {
        let key = known_as.key(ObjectClass::PRIVATE_KEY, &on, session)?;
        let same = public_key::read(session, key, &known_as)? == public_key;
        if same { Ok(key) } else { Err(TokenError::OtherKey(known_as.clone())) }
    };
    KeySessions::new(token, name, Box::new(find))
}

/// Ecdsa-Sig-Value (RFC 3279 section 2.2.3).
#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

fn ecdsa_sig_value(raw: &[u8], octets: usize) -> Option<Vec<u8>> {
    if raw.len() != 2 * octets {
        return None;
    }
    let (r, s) = raw.split_at(octets);
    EcdsaSigValue { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// A key that somebody has brought from elsewhere works, but is not what a token is for. One that asks for a person at each
/// signature does not work.
fn look_at_conditions(
    token: &Token,
    name: &KeyName,
    session: &Session,
    key: ObjectHandle,
) -> Result<(), TokenError> {
    let asked = [AttributeType::Extractable, AttributeType::AlwaysAuthenticate];
    let told = session.get_attributes(key, &asked);
    let told = told.map_err(|error| TokenError::Call("show the key", error))?;
    if told.contains(&Attribute::Extractable(true)) {
        tracing::warn!(token = %token.name, key = %name, "the token lets this key be read out");
    }
    match told.contains(&Attribute::AlwaysAuthenticate(true)) {
        true => Err(TokenError::WantsPerson(name.clone())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_and_s_become_the_shortest_positive_integers() {
        let raw = [[0; 31].as_slice(), &[1], &[0x80], &[0; 31]].concat();
        let der = ecdsa_sig_value(&raw, 32).unwrap();
        assert_eq!(der[..7], [0x30, 38, 2, 1, 1, 2, 33]);
        assert_eq!(der[7..9], [0, 0x80]);
        assert_eq!(ecdsa_sig_value(&raw, 48), None);
        assert_eq!(ecdsa_sig_value(&raw[1..], 32), None);
    }

    #[test]
    fn a_key_has_a_name() {
        assert_eq!(KeyName::new(None, None), None);
        let name = KeyName::new(Some("ca".to_owned()), Some(vec![1, 0xab])).unwrap();
        assert_eq!(name.to_string(), "label \"ca\" and id 01ab");
        assert_eq!(KeyName::new(Some("ca".to_owned()), None).unwrap().to_string(), "label \"ca\"");
    }
}
