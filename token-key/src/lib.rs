//! Keys that never leave their token: PKCS #11 v3.0, through the module (a shared library) of the token's maker.
//!
//! A [`Token`] is one token and the PIN that opens it; a [`TokenKey`] is one private key on it, a
//! [`Signer`](ca_core::signer::Signer) like a key in a file, and a [`WrappingKey`] is a secret key that other keys are wrapped with. Sessions with the token are kept in a pool; when the token is
//! lost they are opened anew, and the module is started again if that does not help, so that a token that comes back is
//! used again without a restart of the process.

mod error;
mod generate;
mod key;
mod module;
mod outage;
mod pool;
mod public_key;
mod sessions;
mod token;
mod wrapping;

pub use error::TokenError;
pub use key::{KeyName, TokenKey};
pub use token::{Token, TokenName};
pub use wrapping::WrappingKey;
