//! One token: found by its name, opened with its PIN.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectClass;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use secrecy::SecretString;

use crate::error::TokenError;
use crate::key::KeyName;
use crate::module::{Inside, Module};

/// What a token is found by: slots are numbered anew whenever something is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenName {
    /// The label it was initialized with.
    Label(String),
    /// The serial number its maker gave it.
    Serial(String),
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "token \"{label}\""),
            Self::Serial(serial) => write!(f, "token with serial number {serial}"),
        }
    }
}

/// A token and the PIN of its user.
pub struct Token {
    pub(crate) module: Arc<Module>,
    pub(crate) name: TokenName,
    pin: SecretString,
    pin_was_refused: AtomicBool,
    /// How many sessions a key has at a time.
    pub(crate) sessions: usize,
}

/// Whether objects can be made in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Token {
    /// A token behind this module; each of its keys uses at most so many sessions. The token itself is not asked yet.
    ///
    /// # Errors
    /// [`TokenError::Module`].
    pub fn new(
        module: &Path,
        name: TokenName,
        pin: SecretString,
        sessions: usize,
    ) -> Result<Arc<Self>, TokenError> {
        let (module, pin_was_refused) = (Module::load(module)?, AtomicBool::new(false));
        Ok(Arc::new(Self { module, name, pin, pin_was_refused, sessions: sessions.max(1) }))
    }

    /// Looks whether it is there. It is not opened.
    ///
    /// # Errors
    /// It is not.
    pub fn find(&self) -> Result<(), TokenError> {
        self.slot(&self.module.enter()).map(drop)
    }

    /// Whether there is a private key of this name.
    ///
    /// # Errors
    /// The token cannot be reached or does not take the PIN.
    pub fn has(&self, key: &KeyName) -> Result<bool, TokenError> {
        self.has_any(key, ObjectClass::PRIVATE_KEY)
    }

    /// Whether there is a secret key of this name.
    ///
    /// # Errors
    /// As for [`Self::has`].
    pub fn has_secret(&self, key: &KeyName) -> Result<bool, TokenError> {
        self.has_any(key, ObjectClass::SECRET_KEY)
    }

    fn has_any(&self, key: &KeyName, class: ObjectClass) -> Result<bool, TokenError> {
        self.visit(Access::Read, |session| key.keys(class, session).map(|keys| !keys.is_empty()))
    }

    /// Does something in a session of its own.
    pub(crate) fn visit<T>(
        &self,
        access: Access,
        work: impl FnOnce(&Session) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let inside = self.module.enter();
        let session = self.open_session(&inside, access)?;
        let done = work(&session);
        close(session);
        done
    }

    /// A session whose user is logged in: that is a state of the token and the process (section 5.6.8), so whoever comes
    /// second is told that it is so already.
    pub(crate) fn open_session(&self, inside: &Inside<'_>, access: Access) -> Result<Session, TokenError> {
        if self.pin_was_refused.load(Ordering::Relaxed) {
            return Err(TokenError::PinRefused(self.name.clone()));
        }
        let slot = self.slot(inside)?;
        let opened = match access {
            Access::Read => inside.context().open_ro_session_no_drop(slot),
            Access::Write => inside.context().open_rw_session_no_drop(slot),
        };
        let session = opened.map_err(|error| TokenError::Call("open a session", error))?;
        match self.log_in(inside, slot, &session) {
            Ok(()) => Ok(session),
            Err(error) => {
                close(session);
                Err(error)
            }
        }
    }

    fn log_in(&self, inside: &Inside<'_>, slot: Slot, session: &Session) -> Result<(), TokenError> {
        let failed = |error| TokenError::Call("log in", error);
        let state = session.get_session_info().map_err(failed)?.session_state();
        if matches!(state, SessionState::RoUser | SessionState::RwUser) {
            return Ok(());
        }
        let token = inside.context().get_token_info(slot).map_err(failed)?;
        if token.user_pin_locked() {
            return Err(TokenError::Locked(self.name.clone()));
        }
        if token.user_pin_final_try() {
            return Err(TokenError::FinalTry(self.name.clone()));
        }
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired,
                _,
            )) => {
                self.pin_was_refused.store(true, Ordering::Relaxed);
                Err(TokenError::PinRefused(self.name.clone()))
            }
            Err(Error::Pkcs11(RvError::PinLocked | RvError::UserPinNotInitialized, _)) => {
                Err(TokenError::Locked(self.name.clone()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn slot(&self, inside: &Inside<'_>) -> Result<Slot, TokenError> {
        let context = inside.context();
        let slots = context.get_slots_with_token();
        let slots = slots.map_err(|error| TokenError::Call("be listed", error))?;
        // A slot that does not answer is not ours; it does not hide the one that is.
        let mut found = slots.into_iter().filter(|slot| {
            context.get_token_info(*slot).is_ok_and(|token| match &self.name {
                TokenName::Label(label) => token.token_initialized() && token.label() == label,
                TokenName::Serial(serial) => token.token_initialized() && token.serial_number() == serial,
            })
        });
        match (found.next(), found.next()) {
            (Some(slot), None) => Ok(slot),
            (None, _) => Err(TokenError::NoToken(self.name.clone())),
            (Some(_), Some(_)) => Err(TokenError::ManyTokens(self.name.clone())),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Sessions are closed where it is known that their handle still means them, never by being dropped. One that cannot be
/// closed is gone already.
pub(crate) fn close(session: Session) {
    let _ = session.close();
}
