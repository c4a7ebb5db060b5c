//! A secret key on a token that other keys are wrapped with.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::error::TokenError;
use crate::generate::make_kept;
use crate::key::KeyName;
use crate::pool::Seat;
use crate::sessions::KeySessions;
use crate::token::Token;

/// The first octet of what is wrapped: the format.
const FORMAT: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
const KEY_OCTETS: u64 = 32;
/// What a key shows itself with.
const TRIAL: &[u8] = b"Muhr asks whether this key opens what it has wrapped";

/// An AES-256 key on a token that wraps by AES-GCM (PKCS #11 v3.0 section 2.12.1). It never leaves the token.
///
/// What is wrapped is `1 || nonce (12) || ciphertext || tag (16)`. Nonces are random, which is safe for 2^32 texts under one key (NIST SP
/// 800-38D section 8.3).
pub struct WrappingKey {
    sessions: KeySessions,
}

impl WrappingKey {
    /// Finds the key, and has it wrap and open something worthless.
    ///
    /// # Errors
    /// A [`TokenError`]: the token cannot be opened, has not exactly one such secret key, or does not work with it.
    pub fn open(token: Arc<Token>, name: KeyName) -> Result<Self, TokenError> {
        let (on, known_as) = (Arc::clone(&token), name.clone());
        let find = move |session: &Session| known_as.key(ObjectClass::SECRET_KEY, &on, session);
        let key = Self { sessions: KeySessions::new(token, name.clone(), Box::new(find)) };
        key.sessions.with_seat(|seat| {
            let told = seat.session.get_attributes(seat.key, &[AttributeType::Extractable]);
            let told = told.map_err(|error| TokenError::Call("show the key", error))?;
            if told.contains(&Attribute::Extractable(true)) {
                tracing::warn!(token = %key.sessions.token.name, key = %name, "the token lets this key be read out");
            }
            Ok(())
        })?;
        key.reach()?;
        Ok(key)
    }

    /// Makes a key that can wrap and open, does nothing else, and cannot be read (section 4.10: CKA_SENSITIVE, not
    /// CKA_EXTRACTABLE).
    ///
    /// # Errors
    /// A [`TokenError`]: there is something of this name already, or the token does not make or keep such a key.
    pub fn generate(token: Arc<Token>, name: KeyName) -> Result<Self, TokenError> {
        let template = [
            name.attributes(),
            vec![
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::ValueLen(KEY_OCTETS.into()),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
                Attribute::Sign(false),
                Attribute::Derive(false),
            ],
        ];
        let make =
            |session: &Session| Ok(vec![session.generate_key(&Mechanism::AesKeyGen, &template.concat())?]);
        make_kept(token, name, Self::open, make)
    }

    /// Whether the token is there and the key works: it wraps and opens something worthless.
    ///
    /// # Errors
    /// A [`TokenError`] that says what is wrong.
    pub fn reach(&self) -> Result<(), TokenError> {
        self.sessions.with_seat(|seat| match try_out(seat)? {
            true => Ok(()),
            false => Err(TokenError::OtherKey(self.sessions.name.clone())),
        })
    }

    /// Wraps octets for one context: they open for no other.
    ///
    /// # Errors
    /// A [`TokenError`].
    pub fn wrap(&self, context: &[u8], octets: &[u8]) -> Result<Vec<u8>, TokenError> {
        self.sessions.with_seat(|seat| wrap(seat, context, octets))
    }

    /// What was wrapped for this context; none if it was changed, belongs elsewhere or was wrapped by another key.
    ///
    /// # Errors
    /// A [`TokenError`].
    pub fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, TokenError> {
        self.sessions.with_seat(|seat| unwrap(seat, context, wrapped))
    }
}

fn wrap(seat: &Seat, context: &[u8], octets: &[u8]) -> Result<Vec<u8>, TokenError> {
    let mut nonce = [0; NONCE];
    SystemRandom::new().fill(&mut nonce).map_err(|_| TokenError::Random)?;
    let failed = |error| TokenError::Call("wrap a key", error);
    let body = {
        let mut given = nonce;
        let mechanism = Mechanism::AesGcm(parameters(&mut given, context).map_err(failed)?);
        let body = seat.session.encrypt(&mechanism, seat.key, octets).map_err(failed)?;
        drop(mechanism);
        // Some tokens choose the nonce themselves and write it here.
        nonce = given;
        body
    };
    Ok([&[FORMAT], nonce.as_slice(), &body].concat())
}

fn unwrap(seat: &Seat, context: &[u8], wrapped: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, TokenError> {
    let Some((&FORMAT, rest)) = wrapped.split_first() else { return Ok(None) };
    let Some((nonce, body)) = rest.split_at_checked(NONCE).filter(|(_, body)| body.len() >= TAG) else {
        return Ok(None);
    };
    let mut nonce: Vec<u8> = nonce.to_vec();
    let failed = |error| TokenError::Call("unwrap a key", error);
    let mechanism = Mechanism::AesGcm(parameters(&mut nonce, context).map_err(failed)?);
    match seat.session.decrypt(&mechanism, seat.key, body) {
        Ok(octets) => Ok(Some(Zeroizing::new(octets))),
        Err(Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange, _)) => Ok(None),
        // Modules say of a wrong tag whatever they like, also what they say when they are broken: does the key still work?
        Err(error) => match try_out(seat) {
            Ok(true) => Ok(None),
            Ok(false) | Err(_) => Err(failed(error)),
        },
    }
}

/// Whether the key opens what it wraps.
fn try_out(seat: &Seat) -> Result<bool, TokenError> {
    let wrapped = wrap(seat, TRIAL, TRIAL)?;
    let Some((nonce, body)) = wrapped[1..].split_at_checked(NONCE) else { return Ok(false) };
    let mut nonce = nonce.to_vec();
    let failed = |error| TokenError::Call("unwrap a key", error);
    let mechanism = Mechanism::AesGcm(parameters(&mut nonce, TRIAL).map_err(failed)?);
    Ok(seat.session.decrypt(&mechanism, seat.key, body).map_err(failed)? == TRIAL)
}

fn parameters<'a>(nonce: &'a mut [u8], context: &'a [u8]) -> Result<GcmParams<'a>, Error> {
    GcmParams::new(nonce, context, (TAG as u64 * 8).into())
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WrappingKey");
        shown
            .field("token", &self.sessions.token.name)
            .field("name", &self.sessions.name)
            .finish_non_exhaustive()
    }
}
