//! What goes wrong with a token, and what to do about it.

use std::path::PathBuf;

use ca_core::signer::SignError;
use cryptoki::error::{Error, RvError};

use crate::key::KeyName;
use crate::token::TokenName;

/// Why a token or a key on it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The shared library is absent, is no PKCS #11 module, or does not start.
    #[error(
        "the PKCS #11 module {module} does not start: {reason}; is it the library of this token's maker?"
    )]
    Module {
        /// The library.
        module: PathBuf,
        /// What the loader or the module says.
        reason: String,
    },
    /// No slot has this token.
    #[error("there is no {0} in any slot of the PKCS #11 module: is it connected, and is the name right?")]
    NoToken(TokenName),
    /// Two slots have one.
    #[error("{0} is there more than once: name the token by its serial number")]
    ManyTokens(TokenName),
    /// The token did not take the PIN. It is not tried again: tokens lock themselves after a few wrong ones.
    #[error(
        "{0} refused the PIN. This process does not try it again, because a token locks itself after a few wrong PINs: \
         correct the PIN and start again"
    )]
    PinRefused(TokenName),
    /// One more wrong PIN would lock the token (CKF_USER_PIN_FINAL_TRY).
    #[error(
        "{0} has one try left before it locks itself, and it is not taken here: log in once by hand with the right PIN, \
         which sets the token's count back"
    )]
    FinalTry(TokenName),
    /// The token is locked (CKR_PIN_LOCKED), or nobody has set a PIN.
    #[error("{0} is locked, or has no user PIN yet: its security officer sets one")]
    Locked(TokenName),
    /// The token has no such key.
    #[error("there is no key of this kind with {1} on {0}")]
    NoKey(TokenName, KeyName),
    /// It has several.
    #[error("there is more than one key of this kind with {1} on {0}: name the one by its id")]
    ManyKeys(TokenName, KeyName),
    /// A new key would have the name of an old one.
    #[error(
        "there is a key with {1} on {0} already, and no key is ever overwritten: give the new one another name, or \
         remove the old one with the token's own tool if it has signed nothing"
    )]
    KeyExists(TokenName, KeyName),
    /// The private key is there, its public half is not.
    #[error("the public key of the key with {0} is not on the token: write it there, with the same id")]
    NoPublicKey(KeyName),
    /// Not a key that a CA of ours signs with.
    #[error("the key with {0} is not one on P-256 or P-384, nor an RSA key of at least 2048 bits")]
    UnsupportedKey(KeyName),
    /// The private key does not sign for the public key beside it.
    #[error("what the private key with {0} signs does not verify with the public key on the token")]
    Mismatch(KeyName),
    /// After a reconnection the name leads to another key.
    #[error("the key with {0} is another one now: was the token exchanged?")]
    OtherKey(KeyName),
    /// The token made a key that can be read out; it was destroyed again.
    #[error("the token would let the new key with {0} be read out: it cannot keep such a key")]
    Extractable(KeyName),
    /// The module does not start any more.
    #[error("the PKCS #11 module does not start again: {0}")]
    Restart(String),
    /// The key wants the PIN again before each signature (CKA_ALWAYS_AUTHENTICATE): it is meant for a person.
    #[error("the key with {0} wants the PIN before each signature: a service needs one that does not")]
    WantsPerson(KeyName),
    /// The token was away a moment ago, for this reason.
    #[error("{0}; it is asked again soon")]
    Away(String),
    /// Every session is at work, and none became free in time.
    #[error("every session with the token is at work, and none became free in time")]
    Busy,
    /// The system's random generator failed.
    #[error("the system has no random octets")]
    Random,
    /// A call failed.
    #[error("the token failed to {0}: {said}", said = said(.1))]
    Call(&'static str, Error),
}

impl TokenError {
    /// May it help to open sessions anew, or to start the module again? Everything that a token which was away answers,
    /// by the specification (PKCS #11 v3.0 section 5.1) or by what modules do.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::NoToken(_) | Self::NoKey(..) | Self::NoPublicKey(_) | Self::Restart(_) => true,
            Self::Call(_, Error::Pkcs11(code, _)) => matches!(
                code,
                RvError::SessionHandleInvalid
                    | RvError::SessionClosed
                    | RvError::DeviceRemoved
                    | RvError::DeviceError
                    | RvError::TokenNotPresent
                    | RvError::TokenNotRecognized
                    | RvError::SlotIdInvalid
                    | RvError::UserNotLoggedIn
                    | RvError::CryptokiNotInitialized
                    | RvError::KeyHandleInvalid
                    | RvError::ObjectHandleInvalid
                    | RvError::OperationActive
                    | RvError::GeneralError
                    | RvError::FunctionFailed
                    | RvError::VendorDefined(_)
            ),
            _ => false,
        }
    }
}

/// A failure in the words that a token's manual has: the function and the CKR code.
pub(crate) fn said(error: &Error) -> String {
    let Error::Pkcs11(code, function) = error else { return error.to_string() };
    let code = match code {
        RvError::VendorDefined(code) | RvError::UnknownErrorCode(code) => format!("{code:#x}"),
        known => format!("{known:?}").chars().fold("CKR".to_owned(), |mut name, letter| {
            if letter.is_uppercase() {
                name.push('_');
            }
            name.extend(letter.to_uppercase());
            name
        }),
    };
    format!("C_{function:?} returned {code}")
}

impl From<TokenError> for SignError {
    fn from(error: TokenError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn failures_carry_the_names_of_the_specification() {
        let error = |code| TokenError::Call("sign", Error::Pkcs11(code, Function::Sign));
        let text = "the token failed to sign: C_Sign returned CKR_TOKEN_NOT_PRESENT";
        assert_eq!(error(RvError::TokenNotPresent).to_string(), text);
        assert!(error(RvError::VendorDefined(0x8000_0001)).to_string().ends_with("0x80000001"));
        assert!(error(RvError::TokenNotPresent).is_loss() && !error(RvError::KeySizeRange).is_loss());
    }
}
