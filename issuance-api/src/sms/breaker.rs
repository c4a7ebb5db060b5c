//! A circuit breaker: after failures in a row nobody waits for a gateway any more, until one message has tried it again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ca_core::Timestamp;

/// Keeps count of one gateway's failures.
#[derive(Debug)]
pub struct Breaker {
    threshold: u32,
    rest: Duration,
    state: Mutex<State>,
}

/// What the breaker thinks of its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It works; so many failures in a row.
    Closed {
        /// In a row.
        failures: u32,
    },
    /// It is left alone.
    Open {
        /// Until then.
        until: Timestamp,
    },
    /// One message tries it; the others wait.
    Probing {
        /// If nothing is heard of that message by then, another one tries.
        until: Timestamp,
    },
}

impl Breaker {
    /// A breaker that opens after `threshold` failures in a row, for `rest`.
    pub fn new(threshold: u32, rest: Duration) -> Self {
        Self { threshold, rest, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// May this message be given to the gateway? Whoever is let in must tell how it went.
    pub fn admits(&self, now: Timestamp) -> bool {
        self.change(|state| match *state {
            State::Closed { .. } => true,
            State::Open { until } | State::Probing { until } if until <= now => {
                *state = State::Probing { until: now.plus(self.rest) };
                true
            }
            State::Open { .. } | State::Probing { .. } => false,
        })
    }

    /// The gateway has answered as it should.
    pub fn succeeded(&self) {
        self.change(|state| *state = State::Closed { failures: 0 });
    }

    /// The gateway has failed. It may have said itself how long it wants to be left alone.
    pub fn failed(&self, wanted: Option<Duration>, now: Timestamp) {
        self.change(|state| {
            let failures = match *state {
                State::Closed { failures } => failures + 1,
                State::Open { .. } | State::Probing { .. } => self.threshold,
            };
            *state = match wanted {
                Some(rest) => State::Open { until: now.plus(rest) },
                None if failures >= self.threshold => State::Open { until: now.plus(self.rest) },
                None => State::Closed { failures },
            };
        });
    }

    /// When a message may be given to the gateway: now, or later.
    pub fn next_try(&self, now: Timestamp) -> Timestamp {
        match self.state() {
            State::Closed { .. } => now,
            State::Open { until } | State::Probing { until } => until.max(now),
        }
    }

    /// What the breaker thinks of its gateway.
    pub fn state(&self) -> State {
        self.change(|state| *state)
    }

    fn change<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// For metrics: 0 closed, 1 probing, 2 open.
    pub fn gauge(self) -> i64 {
        match self {
            Self::Closed { .. } => 0,
            Self::Probing { .. } => 1,
            Self::Open { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(3, REST);
        for _ in 0..5 {
            breaker.failed(None, at(0));
            breaker.failed(None, at(0));
            breaker.succeeded();
        }
        assert!(breaker.admits(at(0)));
        for _ in 0..3 {
            breaker.failed(None, at(1));
        }
        assert_eq!(breaker.state(), State::Open { until: at(31) });
        assert!(!breaker.admits(at(30)));
        assert_eq!(breaker.next_try(at(2)), at(31));
    }

    #[test]
    fn one_message_tries_and_decides_for_the_others() {
        let breaker = Breaker::new(1, REST);
        breaker.failed(None, at(0));
        assert!(breaker.admits(at(30)));
        assert!(!breaker.admits(at(30)), "one is enough");
        breaker.failed(None, at(31));
        assert!(!breaker.admits(at(60)));
        assert!(breaker.admits(at(61)));
        breaker.succeeded();
        assert!(breaker.admits(at(61)) && breaker.admits(at(61)));
    }

    #[test]
    fn a_try_that_is_never_heard_of_again_is_followed_by_another() {
        let breaker = Breaker::new(1, REST);
        breaker.failed(None, at(0));
        assert!(breaker.admits(at(30)));
        assert!(!breaker.admits(at(59)));
        assert!(breaker.admits(at(60)));
    }

    #[test]
    fn a_gateway_that_asks_for_a_rest_gets_it_at_once() {
        let breaker = Breaker::new(5, REST);
        breaker.failed(Some(Duration::from_secs(120)), at(0));
        assert!(!breaker.admits(at(119)));
        assert!(breaker.admits(at(120)));
    }
}
