//! A bounded number of sessions, each with the handle that the key has in it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::error::TokenError;
use crate::module::Inside;
use crate::token::close;

/// How long somebody waits for a session.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session and the key in it.
pub(crate) struct Seat {
    pub(crate) session: Session,
    pub(crate) key: ObjectHandle,
}

/// The seats of one key.
pub(crate) struct Pool {
    capacity: usize,
    seats: Mutex<Seats>,
    freed: Condvar,
}

struct Seats {
    /// Of which life of the module they are.
    generation: u64,
    taken: usize,
    idle: Vec<Seat>,
}

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        let seats = Mutex::new(Seats { generation: 0, taken: 0, idle: Vec::new() });
        Self { capacity, seats, freed: Condvar::new() }
    }

    /// A seat: an idle one, a new one, or the next that becomes free.
    pub(crate) fn take(
        &self,
        inside: &Inside<'_>,
        open: impl Fn() -> Result<Seat, TokenError>,
    ) -> Result<Seat, TokenError> {
        let deadline = Instant::now() + PATIENCE;
        let mut seats = self.of(inside);
        let mut is_full = false;
        loop {
            if let Some(seat) = seats.idle.pop() {
                seats.taken += 1;
                return Ok(seat);
            }
            if seats.taken < self.capacity && !is_full {
                seats.taken += 1;
                drop(seats);
                let opened = open();
                if opened.is_ok() {
                    return opened;
                }
                seats = self.of(inside);
                seats.taken -= 1;
                self.freed.notify_one();
                // The token has fewer sessions than the settings say: those there are must do.
                is_full = is_session_count(&opened) && (seats.taken > 0 || !seats.idle.is_empty());
                if !is_full {
                    return opened;
                }
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TokenError::Busy);
            }
            seats = self.freed.wait_timeout(seats, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Back for the next.
    pub(crate) fn give_back(&self, inside: &Inside<'_>, seat: Seat) {
        let mut seats = self.of(inside);
        seats.taken = seats.taken.saturating_sub(1);
        seats.idle.push(seat);
        self.freed.notify_one();
    }

    /// The seat failed; those that are idle are no better.
    pub(crate) fn discard(&self, inside: &Inside<'_>, seat: Seat) {
        let mut seats = self.of(inside);
        seats.taken = seats.taken.saturating_sub(1);
        let idle = std::mem::take(&mut seats.idle);
        drop(seats);
        idle.into_iter().chain([seat]).for_each(|seat| close(seat.session));
        self.freed.notify_all();
    }

    /// The seats of this life of the module. Those of an earlier one were closed with it, and nobody sits on one: the module
    /// waits for that.
    fn of(&self, inside: &Inside<'_>) -> MutexGuard<'_, Seats> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.generation != inside.generation() {
            *seats = Seats { generation: inside.generation(), taken: 0, idle: Vec::new() };
        }
        seats
    }
}

fn is_session_count(opened: &Result<Seat, TokenError>) -> bool {
    matches!(opened, Err(TokenError::Call(_, Error::Pkcs11(RvError::SessionCount, _))))
}
