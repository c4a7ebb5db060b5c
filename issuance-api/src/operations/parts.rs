//! What a process is made of, and which part of it is not ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::{Database, migrations};

use super::{Labels, labels};

/// What does not answer in so long a time is not ready: whoever asks gives up soon, too.
const PATIENCE: Duration = Duration::from_secs(3);

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
    /// Somebody still waits for its answer.
    is_asked: Arc<AtomicBool>,
}

/// Ends the waiting, however it ends.
struct Asked(Arc<AtomicBool>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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

    /// Asks every part: its name, and what is the matter if it is not ready. Blocks for [`PATIENCE`] at most.
    pub fn ask(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let end = Instant::now() + PATIENCE;
        let asked: Vec<_> = self.parts.iter().map(|part| (part.name, part.begin())).collect();
        let answer = |(name, answer): (&'static str, mpsc::Receiver<_>)| {
            let left = end.saturating_duration_since(Instant::now());
            (name, answer.recv_timeout(left).unwrap_or(Some("it does not answer")))
        };
        let parts: Vec<_> = asked.into_iter().map(answer).collect();
        for (part, trouble) in &parts {
            self.ready.get_or_create(&labels([("part", part)])).set(trouble.is_none().into());
        }
        parts
    }
}

impl Part {
    fn new(name: &'static str, ask: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self { name, ask: Arc::new(ask), is_asked: Arc::default() }
    }

    /// Asks it in a thread of its own; not again while an earlier question hangs.
    fn begin(&self) -> mpsc::Receiver<Option<&'static str>> {
        let (sender, answer) = mpsc::channel();
        if !self.is_asked.swap(true, Ordering::AcqRel) {
            let (asked, ask) = (Asked(Arc::clone(&self.is_asked)), Arc::clone(&self.ask));
            std::thread::spawn(move || {
                let said = ask();
                drop(asked);
                // Whoever asked may have given up.
                let _ = sender.send(said);
            });
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_hangs_is_not_ready_and_is_not_asked_again_until_it_answers() {
        let (release, hold) = mpsc::channel::<()>();
        let hold = std::sync::Mutex::new(hold);
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let hangs = Part::new("token", move || {
            count.fetch_add(1, Ordering::Relaxed);
            hold.lock().unwrap().recv().ok().map(|()| "its token is away")
        });
        let works = Part::new("ocsp", || None);
        let parts = Parts { parts: vec![hangs, works], ready: Family::default() };
        for _ in 0..2 {
            assert_eq!(parts.ask(), [("token", Some("it does not answer")), ("ocsp", None)]);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let of = |part: &str| parts.ready.get_or_create(&labels([("part", part)])).get();
        assert_eq!((of("token"), of("ocsp")), (0, 1));
        release.send(()).unwrap();
        while parts.parts[0].is_asked.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        release.send(()).unwrap();
        assert_eq!(parts.ask()[0], ("token", Some("its token is away")));
    }
}
