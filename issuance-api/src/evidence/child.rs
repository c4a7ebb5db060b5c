//! Decoding in a process of its own: what a hostile file can do there is to end it.
//!
//! The child is this program again, `muhr decode-picture KIND TYPE`. It gets the file on its standard input and answers on its
//! standard output; before it reads anything it gives up what it could do harm with: memory, time, new descriptors, files.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{Evidence, Format, MAX_BYTES, Refusal, take_paper, take_picture};

/// Longer than the processor time the child gives itself: a machine may have other work.
const PATIENCE: Duration = Duration::from_secs(40);
/// A redrawn picture is at most 3000 by 3000 pixels; a PDF comes back as it went.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;

const TAKEN: u8 = 0;
const REFUSED: u8 = 1;

/// What the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A photo or a selfie.
    Picture,
    /// A power of attorney.
    Paper,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Picture, Self::Paper];

    fn as_str(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Paper => "paper",
        }
    }

    pub(crate) fn take(self, format: Format, bytes: &[u8]) -> Result<Evidence, Refusal> {
        match self {
            Self::Picture => take_picture(format, bytes),
            Self::Paper => take_paper(format, bytes),
        }
    }
}

/// The child's part: reads the file, decodes it, answers. It has confined itself before.
///
/// # Errors
/// The arguments are not those of [`take`]; a pipe is broken.
pub fn answer(
    purpose: &str,
    media_type: &str,
    mut input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    let known = || io::Error::from(io::ErrorKind::InvalidInput);
    let purpose = Purpose::ALL.into_iter().find(|known| known.as_str() == purpose).ok_or_else(known)?;
    let format = Format::of_media_type(media_type).ok_or_else(known)?;
    let mut bytes = Vec::new();
    input.by_ref().take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    match purpose.take(format, &bytes) {
        Ok(Evidence { format, bytes, pixels }) => {
            let (width, height) = pixels.unwrap_or_default();
            output.write_all(&[TAKEN, u8::from(format == Format::Pdf)])?;
            output.write_all(&width.to_be_bytes())?;
            output.write_all(&height.to_be_bytes())?;
            output.write_all(&bytes)?;
        }
        Err(refusal) => {
            output.write_all(&[REFUSED])?;
            output.write_all(refusal.name().as_bytes())?;
        }
    }
    output.flush()
}

/// Has a child take the file. Blocks; a few at a time.
///
/// A child that crashes, runs out of memory or time has met a file that cannot be decoded: [`Refusal::Damaged`].
///
/// # Errors
/// No child can be started, or it says itself that it could not be confined.
pub fn take(purpose: Purpose, format: Format, bytes: Vec<u8>) -> io::Result<Result<Evidence, Refusal>> {
    // Our own program even if the file was replaced meanwhile, as in an upgrade.
    let mut child = Command::new("/proc/self/exe")
        .args(["decode-picture", purpose.as_str(), format.media_type()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let said = hear(&mut child, bytes);
    if said.is_none() {
        child.kill()?;
    }
    let status = child.wait()?;
    if status.code() == Some(i32::from(UNCONFINED)) {
        return Err(io::Error::other("the decoding process could not be confined"));
    }
    let taken = said.filter(|_| status.success()).and_then(|said| understood(&said));
    if taken.is_none() {
        tracing::warn!(%status, "a file could not be decoded: its process ended");
    }
    Ok(taken.unwrap_or(Err(Refusal::Damaged)))
}

/// The exit status of a child that could not give up what it should.
pub const UNCONFINED: u8 = 3;

/// What the child says, unless it takes too long. Writing and reading at once, because neither side can hold everything.
fn hear(child: &mut Child, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let (answered, answer) = channel();
    // A child that has seen enough breaks the pipe: its answer says why.
    thread::spawn(move || drop(stdin.write_all(&bytes)));
    thread::spawn(move || {
        let mut said = Vec::new();
        let whole = stdout.take(MAX_ANSWER).read_to_end(&mut said);
        let _ = answered.send(whole.map(|_| said));
    });
    match answer.recv_timeout(PATIENCE) {
        Ok(said) => said.ok(),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
    }
}

fn understood(said: &[u8]) -> Option<Result<Evidence, Refusal>> {
    match said.split_first()? {
        (&TAKEN, rest) => {
            let ([pdf, size @ ..], bytes) = rest.split_first_chunk::<9>()?;
            let [a, b, c, d, e, f, g, h] = *size;
            let pixels = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            let (format, pixels) = if *pdf == 1 { (Format::Pdf, None) } else { (Format::Jpeg, Some(pixels)) };
            Some(Ok(Evidence { format, bytes: bytes.to_vec(), pixels }))
        }
        (&REFUSED, name) => {
            let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.name().as_bytes() == name)?;
            Some(Err(refusal))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(purpose: &str, media_type: &str, bytes: &[u8]) -> Option<Result<Evidence, Refusal>> {
        let mut said = Vec::new();
        answer(purpose, media_type, bytes, &mut said).unwrap();
        understood(&said)
    }

    #[test]
    fn an_answer_says_what_taking_the_file_here_would_have_said() {
        let picture = include_bytes!("fixtures/progressive.jpg");
        assert_eq!(
            answered("picture", "image/jpeg", picture),
            Some(take_picture(Format::Jpeg, picture)),
            "a picture"
        );
        assert_eq!(answered("picture", "image/png", picture), Some(Err(Refusal::WrongType)));
        assert_eq!(answered("paper", "application/pdf", b"no"), Some(Err(Refusal::NotAPdf)));
        assert_eq!(answered("picture", "image/jpeg", &vec![0; MAX_BYTES + 1]), Some(Err(Refusal::TooLarge)));
        assert!(answer("poem", "image/jpeg", &b""[..], &mut Vec::new()).is_err());
        assert!(answer("paper", "text/plain", &b""[..], &mut Vec::new()).is_err());
    }

    #[test]
    fn what_no_child_of_ours_says_is_not_understood() {
        for said in [&b""[..], &[TAKEN], &[TAKEN, 0, 1, 2], &[REFUSED], &[REFUSED, b'x'], &[7]] {
            assert_eq!(understood(said), None, "{said:?}");
        }
    }
}
