//! Master keys on a token are used by a process of their own: the library of a token's maker is loaded there and nowhere near
//! applicants' requests, and when it crashes or hangs it is that process that ends.
//!
//! The process is this program again, `muhr hold-master-keys`. It gets questions on its standard input, answers on its standard output in
//! the same order, and ends when its input does. Both are frames: four octets of length, most significant first, and so many octets.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use config::settings::MasterToken;
use zeroize::Zeroizing;

/// The longest a token may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest a new process may take to its first answer: a module may have to find its way over a network first.
const BEGINNING: Duration = Duration::from_secs(30);
/// How soon after a failure it is asked again: whoever comes meanwhile does not wait.
const PAUSE: Duration = Duration::from_secs(5);
/// So long somebody waits for their turn; when a question takes longer, whoever comes after it does not wait at all. Who waits holds a
/// connection of the database.
const SLOW: Duration = Duration::from_secs(1);
/// Of a frame. What is wrapped here has a hundred octets, a token's complaint some hundred more.
const MAX_FRAME: usize = 64 * 1024;

/// What is to be done with octets and a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Wrap them.
    Wrap,
    /// Unwrap them.
    Unwrap,
    /// Only see whether the key is there.
    Reach,
}

/// A question to the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What to do.
    pub task: Task,
    /// The master key's label.
    pub label: String,
    /// What is wrapped for one context opens for no other.
    pub context: Vec<u8>,
    /// What to wrap or unwrap.
    pub octets: Zeroizing<Vec<u8>>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done: wrapped or unwrapped octets, none if the key was only to be reached.
    Done(Zeroizing<Vec<u8>>),
    /// What was to be unwrapped was changed, or was wrapped by another key or for another context.
    Changed,
    /// The token cannot do it, for this reason.
    Failed(String),
}

/// The side that asks.
pub struct Custodian {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    /// See [`BEGINNING`].
    beginning: Duration,
    desk: Mutex<Desk>,
    freed: Condvar,
}

struct Desk {
    /// None while a question is under way.
    state: Option<State>,
    /// When the last one began.
    since: Instant,
}

/// Somebody's turn, which ends with it, however it ends.
struct Turn<'a> {
    custodian: &'a Custodian,
    state: State,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut desk = self.custodian.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.state = Some(std::mem::take(&mut self.state));
        self.custodian.freed.notify_one();
    }
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// Until when nobody is asked, and why.
    away: Option<(Instant, String)>,
}

/// A process that waits for questions.
struct Running {
    child: Child,
    input: ChildStdin,
    answers: Receiver<io::Result<Zeroizing<Vec<u8>>>>,
}

impl Custodian {
    /// For the token of these settings. No process is started yet.
    pub fn new(token: &MasterToken) -> Self {
        let token = token.clone();
        Self::started_by(move || {
            // Our own program even if the file was replaced meanwhile, as in an upgrade.
            let mut command = Command::new("/proc/self/exe");
            command.arg("hold-master-keys");
            let paths = [("--module", &token.module), ("--pin-file", &token.pin_file)];
            for (name, path) in paths.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
                command.arg(name).arg(path);
            }
            let names = [("--label", &token.label), ("--serial", &token.serial)];
            for (name, text) in names.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
                command.arg(name).arg(text);
            }
            // Makers' libraries are told things by the environment; our own settings, which may hold a password, are not for them.
            let is_ours = |name: &OsString| name.to_string_lossy().starts_with("MUHR__");
            for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
                command.env_remove(name);
            }
            command
        })
    }

    fn started_by(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let desk = Mutex::new(Desk { state: Some(State::default()), since: Instant::now() });
        Self { command: Box::new(command), beginning: BEGINNING, desk, freed: Condvar::new() }
    }

    /// Asks, and waits for the answer, at most some seconds. Whoever comes after a process that failed or was silent is told so at once for
    /// as long; a process that answers says itself what the matter is.
    pub fn ask(&self, question: &Question) -> Answer {
        match self.turn() {
            Some(mut turn) => self.ask_alone(&mut turn.state, question),
            None => Answer::Failed("another question to the token takes long".to_owned()),
        }
    }

    fn turn(&self) -> Option<Turn<'_>> {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.state.is_none() && desk.since.elapsed() > SLOW {
            return None;
        }
        let is_taken = |desk: &mut Desk| desk.state.is_none();
        let waited = self.freed.wait_timeout_while(desk, SLOW, is_taken);
        let mut desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        let state = desk.state.take()?;
        desk.since = Instant::now();
        Some(Turn { custodian: self, state })
    }

    fn ask_alone(&self, state: &mut State, question: &Question) -> Answer {
        if let Some((until, why)) = &state.away
            && Instant::now() < *until
        {
            return Answer::Failed(why.clone());
        }
        state.away = None;
        // A process that has ended since the last question is none of this question's.
        let was_running = state.running.is_some();
        let mut answer = self.try_ask(state, question);
        if was_running && matches!(answer, Err(Failure::Ended(_))) {
            answer = self.try_ask(state, question);
        }
        let why = match answer {
            Ok(answer) => return answer,
            Err(Failure::Ended(why)) => format!("the process that holds the master keys: {why}"),
            Err(Failure::Silent) => "the process that holds the master keys does not answer".to_owned(),
        };
        tracing::warn!("{why}");
        state.away = Some((Instant::now() + PAUSE, why.clone()));
        Answer::Failed(why)
    }

    fn try_ask(&self, state: &mut State, question: &Question) -> Result<Answer, Failure> {
        let (mut running, patience) = match state.running.take() {
            Some(running) => (running, PATIENCE),
            None => (Running::start((self.command)())?, self.beginning),
        };
        write_frame(&mut running.input, &question.to_octets())?;
        let said = match running.answers.recv_timeout(patience) {
            Ok(said) => said?,
            Err(RecvTimeoutError::Timeout) => return Err(Failure::Silent),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
            }
        };
        let answer = Answer::from_octets(&said).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        // Only one that has answered is asked again; every other way out of here ends it.
        state.running = Some(running);
        Ok(answer)
    }
}

enum Failure {
    Ended(io::Error),
    Silent,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Ended(error)
    }
}

impl Running {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        };
        let (tell, answers) = channel();
        // Ends the child if there is no thread for it.
        let running = Self { child, input, answers };
        thread::Builder::new().spawn(move || {
            loop {
                let said = read_frame(&mut output)
                    .and_then(|said| said.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof)));
                let is_last = said.is_err();
                if tell.send(said).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other side: answers question after question until there are no more.
///
/// # Errors
/// A pipe is broken, or what came is no question.
pub fn answer(
    mut input: impl Read,
    mut output: impl Write,
    mut work: impl FnMut(Question) -> Answer,
) -> io::Result<()> {
    while let Some(octets) = read_frame(&mut input)? {
        let question =
            Question::from_octets(&octets).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        write_frame(&mut output, &work(question).to_octets())?;
    }
    Ok(())
}

const WRAP: u8 = 1;
const UNWRAP: u8 = 2;
const REACH: u8 = 3;

const DONE: u8 = 0;
const CHANGED: u8 = 1;
const FAILED: u8 = 2;

impl Question {
    fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        let task = match self.task {
            Task::Wrap => WRAP,
            Task::Unwrap => UNWRAP,
            Task::Reach => REACH,
        };
        let mut octets = Zeroizing::new(Vec::with_capacity(256));
        octets.push(task);
        for text in [self.label.as_bytes(), &self.context] {
            octets.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            octets.extend(text);
        }
        octets.extend(self.octets.as_slice());
        octets
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let (task, rest) = octets.split_first()?;
        let task = match *task {
            WRAP => Task::Wrap,
            UNWRAP => Task::Unwrap,
            REACH => Task::Reach,
            _ => return None,
        };
        let (label, rest) = counted(rest)?;
        let (context, octets) = counted(rest)?;
        let label = String::from_utf8(label.to_vec()).ok()?;
        Some(Self { task, label, context: context.to_vec(), octets: Zeroizing::new(octets.to_vec()) })
    }
}

fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

impl Answer {
    fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        let (status, rest) = match self {
            Self::Done(octets) => (DONE, octets.as_slice()),
            Self::Changed => (CHANGED, &[][..]),
            Self::Failed(why) => (FAILED, why.as_bytes()),
        };
        let mut octets = Zeroizing::new(Vec::with_capacity(1 + rest.len()));
        octets.push(status);
        octets.extend(rest);
        octets
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        match octets.split_first()? {
            (&DONE, rest) => Some(Self::Done(Zeroizing::new(rest.to_vec()))),
            (&CHANGED, []) => Some(Self::Changed),
            (&FAILED, why) => Some(Self::Failed(String::from_utf8_lossy(why).into_owned())),
            _ => None,
        }
    }
}

fn write_frame(output: &mut impl Write, octets: &[u8]) -> io::Result<()> {
    let length = u32::try_from(octets.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(octets)?;
    output.flush()
}

/// None at the end.
fn read_frame(input: &mut impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 4];
    match input.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => input.read_exact(&mut length[1..])?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut octets = Zeroizing::new(vec![0; length]);
    input.read_exact(&mut octets)?;
    Ok(Some(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(task: Task, octets: &[u8]) -> Question {
        Question {
            task,
            label: "master".to_owned(),
            context: b"data-key/1".to_vec(),
            octets: Zeroizing::new(octets.to_vec()),
        }
    }

    fn shell(script: &'static str) -> Custodian {
        Custodian::started_by(move || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        })
    }

    fn failed(answer: Answer) -> String {
        match answer {
            Answer::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn questions_and_answers_arrive_as_they_were_sent() {
        let asked = [question(Task::Wrap, &[7; 32]), question(Task::Unwrap, b""), question(Task::Reach, b"")];
        let mut sent = Vec::new();
        asked.iter().for_each(|question| write_frame(&mut sent, &question.to_octets()).unwrap());
        let said = [
            Answer::Done(Zeroizing::new(vec![9; 61])),
            Answer::Changed,
            Answer::Failed("no token".to_owned()),
        ];
        let (mut heard, mut output, mut next) = (Vec::new(), Vec::new(), said.iter());
        answer(sent.as_slice(), &mut output, |question| {
            heard.push(question);
            next.next().unwrap().clone()
        })
        .unwrap();
        assert_eq!(heard, asked);
        let mut output = output.as_slice();
        for expected in &said {
            let frame = read_frame(&mut output).unwrap().unwrap();
            assert_eq!(Answer::from_octets(&frame).unwrap(), *expected);
        }
        assert!(read_frame(&mut output).unwrap().is_none());
    }

    #[test]
    fn what_is_no_question_ends_the_process_and_not_the_memory() {
        let nobody = |_| panic!("asked");
        for sent in [&b"\0\0\0\x01\x09"[..], b"\xff\xff\xff\xff", b"\0\0\0\x05\x01", b"\0\0", b"\0\0\0\0"] {
            assert!(answer(sent, Vec::new(), nobody).is_err(), "{sent:?}");
        }
        for octets in [&[][..], &[4, 0, 0, 0, 0], &[WRAP, 0, 9, b'x'], &[WRAP, 0, 1, 0xff, 0, 0]] {
            assert_eq!(Question::from_octets(octets), None, "{octets:?}");
        }
        for octets in [&[][..], &[CHANGED, 1], &[7]] {
            assert_eq!(Answer::from_octets(octets), None, "{octets:?}");
        }
    }

    #[test]
    fn a_process_that_ended_is_started_again_and_one_that_cannot_be_is_left_alone_for_a_while() {
        // Answers one question with "done" and ends.
        let once = shell("head -c 30 > /dev/null; printf '\\000\\000\\000\\003\\000ok'");
        let asked = question(Task::Wrap, b"sealed");
        assert_eq!(asked.to_octets().len() + 4, 31);
        for _ in 0..3 {
            assert_eq!(once.ask(&asked), Answer::Done(Zeroizing::new(b"ok".to_vec())));
        }
        let broken = shell("exit 1");
        let why = failed(broken.ask(&asked));
        assert!(why.starts_with("the process that holds the master keys: "), "{why}");
        let begun = Instant::now();
        assert_eq!(failed(broken.ask(&asked)), why, "told at once");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn one_that_hangs_is_ended_and_nobody_queues_for_it() {
        let mut hangs = shell("exec sleep 1000");
        hangs.beginning = Duration::from_secs(4);
        let begun = Instant::now();
        thread::scope(|scope| {
            let first = scope.spawn(|| failed(hangs.ask(&question(Task::Reach, b""))));
            thread::sleep(SLOW + Duration::from_millis(500));
            let second = failed(hangs.ask(&question(Task::Reach, b"")));
            assert!(second.contains("takes long") && begun.elapsed() < hangs.beginning, "{second}");
            let why = first.join().unwrap();
            assert!(why.contains("does not answer"), "{why}");
        });
        assert!(begun.elapsed() < hangs.beginning + Duration::from_secs(5));
        assert!(hangs.desk.lock().unwrap().state.as_ref().unwrap().running.is_none());
    }
}
