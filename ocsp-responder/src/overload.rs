//! Whether a worker is behind its clients: then what has to be signed is refused, so that waiting never grows without
//! end, while answers that are signed already are still given.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How often a worker says that it has come around to everybody who was waiting.
const ROUND: Duration = Duration::from_millis(50);

thread_local! {
    /// When this worker last came around; `None` on a thread that serves nobody.
    static LAST_ROUND: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Starts to watch this worker, if nobody does yet. To be called where it serves.
pub(crate) fn watch() {
    if LAST_ROUND.get().is_some() {
        return;
    }
    LAST_ROUND.set(Some(Instant::now()));
    actix_web::rt::spawn(async {
        loop {
            actix_web::rt::time::sleep(ROUND).await;
            LAST_ROUND.set(Some(Instant::now()));
        }
    });
}

/// Whether whoever asks now has waited for longer than this. A timer of a worker is due together with its clients and
/// waits in the same queue: it is as late as they are.
pub(crate) fn is_behind(limit: Duration) -> bool {
    LAST_ROUND.get().is_some_and(|last| last.elapsed() > ROUND + limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_behind_while_it_does_not_come_around() {
        actix_web::rt::System::new().block_on(async {
            let limit = Duration::from_millis(100);
            assert!(!is_behind(limit));
            watch();
            actix_web::rt::time::sleep(Duration::from_millis(200)).await;
            assert!(!is_behind(limit));
            std::thread::sleep(Duration::from_millis(200));
            assert!(is_behind(limit));
            actix_web::rt::time::sleep(Duration::from_millis(60)).await;
            assert!(!is_behind(limit));
        });
    }
}
