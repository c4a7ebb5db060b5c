//! While a token is away, one caller in a while asks for it; the others are told at once what that one was told.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How soon after a failure somebody asks again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long somebody who asks may take before another does: a module on a network may wait long for nobody.
const LONGEST: Duration = Duration::from_secs(60);

/// What is known of a key's token.
#[derive(Default)]
pub(crate) struct Outage(Mutex<Option<Away>>);

struct Away {
    ask_again: Instant,
    said: String,
}

impl Outage {
    /// What was said by the last who asked, if it is not the caller's turn to ask.
    pub(crate) fn said(&self) -> Option<String> {
        let now = Instant::now();
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let away = outage.as_mut()?;
        if now < away.ask_again {
            return Some(away.said.clone());
        }
        away.ask_again = now + LONGEST;
        None
    }

    /// The token could not be had.
    pub(crate) fn begin(&self, said: String) {
        let away = Away { ask_again: Instant::now() + PAUSE, said };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(away);
    }

    /// The token answered. True if it had not before.
    pub(crate) fn end(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_and_the_others_are_told() {
        let outage = Outage::default();
        assert_eq!(outage.said(), None);
        assert!(!outage.end());
        outage.begin("away".to_owned());
        assert_eq!(outage.said().as_deref(), Some("away"));
        std::thread::sleep(PAUSE);
        assert_eq!(outage.said(), None, "the first who comes then asks");
        assert_eq!(outage.said().as_deref(), Some("away"), "and nobody else meanwhile");
        assert!(outage.end());
        assert_eq!(outage.said(), None);
    }
}
