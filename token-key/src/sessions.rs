//! The sessions in which one key is used, opened again when its token was lost.

use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::error::{TokenError, said};
use crate::key::KeyName;
use crate::module::Inside;
use crate::outage::Outage;
use crate::pool::{Pool, Seat};
use crate::token::{Access, Token, close};

/// What is tried against a failure, the gentlest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// The pool's sessions may be gone: a new one.
    NewSession,
    /// The module may have lost the token: begin anew.
    NewStart,
}

/// Finds the key in a new session, and sees that it is still the same.
type Find = Box<dyn Fn(&Session) -> Result<ObjectHandle, TokenError> + Send + Sync>;

/// A key's sessions.
pub(crate) struct KeySessions {
    pub(crate) token: Arc<Token>,
    pub(crate) name: KeyName,
    find: Find,
    pool: Pool,
    outage: Outage,
}

impl KeySessions {
    pub(crate) fn new(token: Arc<Token>, name: KeyName, find: Find) -> Self {
        let (pool, outage) = (Pool::new(token.sessions), Outage::default());
        Self { token, name, find, pool, outage }
    }

    /// Does something on the token, unless it was away a moment ago.
    pub(crate) fn with_seat<T>(
        &self,
        work: impl Fn(&Seat) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        if let Some(said) = self.outage.said() {
            return Err(TokenError::Away(said));
        }
        let done = self.with_seat_found_again(work);
        match &done {
            Err(error) if error.is_loss() => self.outage.begin(error.to_string()),
            _ => {
                if self.outage.end() && done.is_ok() {
                    tracing::info!(token = %self.token.name, key = %self.name, "the token is back");
                }
            }
        }
        done
    }

    /// Does something in a session of the pool; once more in a new one if the session was lost, and once more with the
    /// module started again if that was not enough.
    fn with_seat_found_again<T>(
        &self,
        work: impl Fn(&Seat) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let mut remedies = [Remedy::NewSession, Remedy::NewStart].into_iter();
        loop {
            let inside = self.token.module.enter();
            let generation = inside.generation();
            let failure = match self.try_with_seat(&inside, &work) {
                Err(error) if error.is_loss() => error,
                done => return done,
            };
            drop(inside);
            let Some(remedy) = remedies.next() else { return Err(failure) };
            tracing::warn!(token = %self.token.name, key = %self.name, error = %failure, ?remedy, "the token is lost");
            if remedy == Remedy::NewStart {
                match self.token.module.restart(generation) {
                    Ok(true) => {}
                    Ok(false) => return Err(failure),
                    Err(error) => return Err(TokenError::Restart(said(&error))),
                }
            }
        }
    }

    fn try_with_seat<T>(
        &self,
        inside: &Inside<'_>,
        work: impl Fn(&Seat) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let seat = self.pool.take(inside, || self.open_seat(inside))?;
        let done = work(&seat);
        match &done {
            // A session that failed may still be in the middle of something.
            Err(_) => self.pool.discard(inside, seat),
            Ok(_) => self.pool.give_back(inside, seat),
        }
        done
    }

    fn open_seat(&self, inside: &Inside<'_>) -> Result<Seat, TokenError> {
        let session = self.token.open_session(inside, Access::Read)?;
        match (self.find)(&session) {
            Ok(key) => Ok(Seat { session, key }),
            Err(error) => {
                close(session);
                Err(error)
            }
        }
    }
}
