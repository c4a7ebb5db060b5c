//! What a process is made of, and which part of it is not ready.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::{Database, migrations};

use super::{Labels, labels};

/// What does not answer in so long a time is not ready: whoever asks gives up soon, too. Longer than the pool waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const SILENT: &str = "it does not answer";

/// A part of the process that does its work or does not.
pub struct Check {
    /// Its name, for example `ocsp`.
    pub part: &'static str,
    /// What is the matter when it does not.
    pub trouble: &'static str,
    /// Its own word.
    pub is_ready: Box<dyn Fn() -> bool + Send + Sync>,
}

/// The database and the parts that stand on it.
pub struct Parts {
    parts: Vec<Part>,
    ready: Family<Labels, Gauge>,
}

struct Part {
    name: &'static str,
    /// What is the matter with it.
    ask: Arc<dyn Fn() -> Option<&'static str> + Send + Sync>,
    turn: Arc<(Mutex<Turn>, Condvar)>,
}

/// One question is under way at a time; whoever comes meanwhile waits for its answer.
#[derive(Default)]
struct Turn {
    is_asking: bool,
    /// Questions that were answered.
    answered: u64,
    said: Option<&'static str>,
}

/// Gives the answer, or says that there is none if the question ends in a panic.
struct Answer {
    turn: Arc<(Mutex<Turn>, Condvar)>,
    said: Option<&'static str>,
}

impl Answer {
    fn give(mut self, said: Option<&'static str>) {
        self.said = said;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let (turn, told) = &*self.turn;
        let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        *turn = Turn { is_asking: false, answered: turn.answered + 1, said: self.said };
        told.notify_all();
    }
}

impl Parts {
    /// Nothing is asked yet.
    pub fn new(database: Database, checks: Vec<Check>, registry: &mut Registry) -> Self {
        let ready = Family::default();
        registry.register(
            "muhr_part_ready",
            "Whether a part of the process is ready: 1, or 0",
            ready.clone(),
        );
        let database = Part::new("database", move || match migrations::pending(&database) {
            Ok(false) => None,
            Ok(true) => Some("it is not in this version's shape"),
            Err(_) => Some("it cannot be reached"),
        });
        let others = checks.into_iter().map(|Check { part, trouble, is_ready }| {
            Part::new(part, move || (!is_ready()).then_some(trouble))
        });
        Self { parts: std::iter::once(database).chain(others).collect(), ready }
    }

    /// Asks every part: its name, and what is the matter if it is not ready. Blocks until all have answered, at most for five seconds.
    pub fn ask(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let end = Instant::now() + PATIENCE;
        let asked: Vec<_> = self.parts.iter().map(|part| (part, part.begin())).collect();
        let parts: Vec<_> =
            asked.into_iter().map(|(part, answered)| (part.name, part.answer(answered, end))).collect();
        for (part, trouble) in &parts {
            self.ready.get_or_create(&labels([("part", part)])).set(trouble.is_none().into());
        }
        parts
    }
}

impl Part {
    fn new(name: &'static str, ask: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self { name, ask: Arc::new(ask), turn: Arc::default() }
    }

    /// Asks it in a thread of its own, unless a question is under way. How many were answered before.
    fn begin(&self) -> u64 {
        let mut turn = self.turn.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (was_asking, answered) = (std::mem::replace(&mut turn.is_asking, true), turn.answered);
        drop(turn);
        if !was_asking {
            let answer = Answer { turn: Arc::clone(&self.turn), said: Some(SILENT) };
            let ask = Arc::clone(&self.ask);
            // Without a thread for it the answer is dropped, and says that there is none.
            let _ = std::thread::Builder::new().spawn(move || answer.give(ask()));
        }
        answered
    }

    fn answer(&self, before: u64, end: Instant) -> Option<&'static str> {
        let (turn, told) = &*self.turn;
        let turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let left = end.saturating_duration_since(Instant::now());
        let waits = |turn: &mut Turn| turn.answered == before;
        let (turn, _) = told.wait_timeout_while(turn, left, waits).unwrap_or_else(PoisonError::into_inner);
        if turn.answered == before { Some(SILENT) } else { turn.said }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn parts(parts: Vec<Part>) -> Parts {
        Parts { parts, ready: Family::default() }
    }

    #[test]
    fn a_part_that_hangs_is_not_ready_and_is_not_asked_again_until_it_answers() {
        let (release, hold) = mpsc::channel::<()>();
        let (hold, asked) = (Mutex::new(hold), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let hangs = Part::new("token", move || {
            count.fetch_add(1, Ordering::Relaxed);
            hold.lock().unwrap().recv().ok().map(|()| "its token is away")
        });
        let parts = parts(vec![hangs, Part::new("ocsp", || None)]);
        for _ in 0..2 {
            assert_eq!(parts.ask(), [("token", Some(SILENT)), ("ocsp", None)]);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let of = |part: &str| parts.ready.get_or_create(&labels([("part", part)])).get();
        assert_eq!((of("token"), of("ocsp")), (0, 1));
        release.send(()).unwrap();
        release.send(()).unwrap();
        assert_eq!(parts.ask()[0], ("token", Some("its token is away")));
    }

    #[test]
    fn whoever_asks_while_a_question_is_under_way_gets_its_answer() {
        let slow = Part::new("database", || {
            std::thread::sleep(Duration::from_millis(200));
            None
        });
        let parts = parts(vec![slow, Part::new("ocsp", || panic!("broken"))]);
        std::thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| parts.ask()));
            for asked in both {
                assert_eq!(asked.join().unwrap(), [("database", None), ("ocsp", Some(SILENT))]);
            }
        });
    }
}
