//! The master keys of evidence that are on a token, for the process that holds them and nothing else.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::settings::MasterToken;
use token_key::{Token, TokenError, WrappingKey};
use zeroize::Zeroizing;

use crate::keyring::{key_name, open_token};
use crate::keys::KeyError;

/// How long a key that could not be opened is left alone: a module is not started again for each who asks.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens each master key when it is first used.
pub struct MasterKeys {
    place: MasterToken,
    /// One for all: a PIN that it refused is not tried again.
    token: Option<Arc<Token>>,
    opened: HashMap<String, WrappingKey>,
    /// When a key could last not be opened, and why.
    failed: HashMap<String, (Instant, String)>,
}

impl MasterKeys {
    /// On this token, which is not asked yet.
    pub fn new(place: MasterToken) -> Self {
        let (token, opened, failed) = Default::default();
        Self { place, token, opened, failed }
    }

    /// Wraps octets for a context.
    ///
    /// # Errors
    /// [`KeyError`]: the token or the key cannot be had.
    pub fn wrap(&mut self, label: &str, context: &[u8], octets: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.key(label)?.wrap(context, octets)?)
    }

    /// Unwraps what was wrapped for a context; none if it was changed or belongs elsewhere.
    ///
    /// # Errors
    /// [`KeyError`]: the token or the key cannot be had.
    pub fn unwrap(
        &mut self,
        label: &str,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Ok(self.key(label)?.unwrap(context, wrapped)?)
    }

    /// Whether the key is there and works.
    ///
    /// # Errors
    /// [`KeyError`] that says what is wrong.
    pub fn reach(&mut self, label: &str) -> Result<(), KeyError> {
        Ok(self.key(label)?.reach()?)
    }

    fn key(&mut self, label: &str) -> Result<&WrappingKey, KeyError> {
        if !self.opened.contains_key(label) {
            if let Some((at, why)) = self.failed.get(label)
                && at.elapsed() < PAUSE
            {
                return Err(TokenError::Away(why.clone()).into());
            }
            match self.open(label) {
                Ok(key) => self.opened.insert(label.to_owned(), key),
                Err(error) => {
                    self.failed.insert(label.to_owned(), (Instant::now(), error.to_string()));
                    return Err(error);
                }
            };
        }
        self.opened.get(label).ok_or(KeyError::Unnamed)
    }

    fn open(&mut self, label: &str) -> Result<WrappingKey, KeyError> {
        let place = self.place.key(label).ok_or(KeyError::Unnamed)?;
        let token = match &self.token {
            Some(token) => Arc::clone(token),
            None => {
                let nobody = |_: &str| Err(io::Error::other("nobody is here to be asked"));
                Arc::clone(self.token.insert(open_token(&place, &nobody)?))
            }
        };
        Ok(WrappingKey::open(token, key_name(&place)?)?)
    }
}
