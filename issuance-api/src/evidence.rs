//! Pictures and papers that applicants send: what they claim to be is checked, and a picture is drawn anew.
//!
//! Nothing of a sent picture is kept but its pixels: no position, no camera, no hidden second file behind its end.

pub mod child;
mod pdf;
mod picture;

/// Largest file, in octets.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;
/// Most pixels a picture may claim in its header; more is not even decoded.
pub const MAX_PIXELS: u64 = 40_000_000;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
    /// `application/pdf`.
    Pdf,
}

/// Evidence as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// A JPEG made by ourselves, or the PDF as it came.
    pub format: Format,
    /// The file.
    pub bytes: Vec<u8>,
    /// Width and height of a picture.
    pub pixels: Option<(u32, u32)>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// See [`MAX_BYTES`].
    #[error("the file is larger than 5 MB")]
    TooLarge,
    /// See [`MAX_PIXELS`].
    #[error("the picture has more than 40 megapixels")]
    TooManyPixels,
    /// The content is neither JPEG nor PNG.
    #[error("the content is not a JPEG or PNG picture")]
    NotAPicture,
    /// The content is no PDF.
    #[error("the content is not a PDF")]
    NotAPdf,
    /// The content is of another type than the `Content-Type` says.
    #[error("the content is of another type than the one stated")]
    WrongType,
    /// Cut off or not decodable.
    #[error("the file is damaged or incomplete")]
    Damaged,
    /// A PDF with a password.
    #[error("the PDF is encrypted")]
    Encrypted,
    /// A PDF with scripts, programs to start or files inside.
    #[error("the PDF carries scripts or embedded files")]
    ActiveContent,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::TooManyPixels,
        Self::NotAPicture,
        Self::NotAPdf,
        Self::WrongType,
        Self::Damaged,
        Self::Encrypted,
        Self::ActiveContent,
    ];

    /// Stable name in kebab-case: `document-<name>` is its text.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::TooManyPixels => "too-many-pixels",
            Self::NotAPicture => "not-a-picture",
            Self::NotAPdf => "not-a-pdf",
            Self::WrongType => "wrong-type",
            Self::Damaged => "damaged",
            Self::Encrypted => "encrypted",
            Self::ActiveContent => "active-content",
        }
    }
}

impl Format {
    /// The format a `Content-Type` names; parameters after `;` do not matter.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        [Self::Jpeg, Self::Png, Self::Pdf].into_iter().find(|format| format.media_type() == essence)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }

    /// The format the first octets show.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ => None,
        }
    }
}

/// Takes a photo or a selfie.
///
/// Costs up to 300 MB of memory and seconds of CPU for the largest pictures, and whatever a hostile one can make of the
/// decoder: [`child::take`] calls it in a process of its own.
///
/// # Errors
/// Its [`Refusal`].
pub fn take_picture(declared: Format, bytes: &[u8]) -> Result<Evidence, Refusal> {
    match check(bytes)? {
        Some(Format::Pdf) | None => Err(Refusal::NotAPicture),
        Some(sniffed) if sniffed != declared => Err(Refusal::WrongType),
        Some(sniffed) => picture::redraw(sniffed, bytes),
    }
}

/// Takes a power of attorney: a PDF, or a picture of the paper as in [`take_picture`].
///
/// # Errors
/// Its [`Refusal`].
pub fn take_paper(declared: Format, bytes: &[u8]) -> Result<Evidence, Refusal> {
    if declared != Format::Pdf {
        return take_picture(declared, bytes);
    }
    match check(bytes)? {
        Some(Format::Pdf) => pdf::inspect(bytes)?,
        Some(_) => return Err(Refusal::WrongType),
        None => return Err(Refusal::NotAPdf),
    }
    Ok(Evidence { format: Format::Pdf, bytes: bytes.to_vec(), pixels: None })
}

fn check(bytes: &[u8]) -> Result<Option<Format>, Refusal> {
    if bytes.len() > MAX_BYTES { Err(Refusal::TooLarge) } else { Ok(Format::sniff(bytes)) }
}

#[cfg(test)]
mod tests;
