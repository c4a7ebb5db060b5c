//! Pictures that really are what they say, and some that are not.

use std::io::Cursor;
use std::sync::OnceLock;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A passport photo, as JPEG; small, because a debug build decodes it slowly.
pub(crate) fn photo() -> &'static [u8] {
    static PHOTO: OnceLock<Vec<u8>> = OnceLock::new();
    PHOTO.get_or_init(|| encode(gradient(360, 480, 0), ImageFormat::Jpeg))
}

/// The applicant with their passport, as JPEG.
pub(crate) fn selfie() -> &'static [u8] {
    static SELFIE: OnceLock<Vec<u8>> = OnceLock::new();
    SELFIE.get_or_init(|| encode(gradient(480, 360, 90), ImageFormat::Jpeg))
}

pub(crate) fn png() -> Vec<u8> {
    encode(gradient(600, 800, 40), ImageFormat::Png)
}

/// Small as a file and more than 40 megapixels when decoded.
pub(crate) fn decompression_bomb() -> Vec<u8> {
    encode(image::GrayImage::new(9_000, 9_000), ImageFormat::Png)
}

/// A JPEG that carries where it was taken: an EXIF segment behind the first marker.
pub(crate) fn photo_with_metadata() -> Vec<u8> {
    let mut exif = b"Exif\0\0GPS 41.311081 69.240562".to_vec();
    let length = u16::try_from(exif.len() + 2).expect("a short segment");
    let mut segment = vec![0xFF, 0xE1];
    segment.extend(length.to_be_bytes());
    segment.append(&mut exif);
    let (start, rest) = photo().split_at(2);
    [start, &segment, rest].concat()
}

/// One page that says nothing.
pub(crate) fn pdf() -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = String::from("xref\n0 4\n0000000000 65535 f \n");
    for object in [
        "1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n",
        "2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n",
        "3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>> endobj\n",
    ] {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(object.as_bytes());
    }
    let start = file.len();
    file.extend(table.as_bytes());
    file.extend(format!("trailer <</Root 1 0 R/Size 4>>\nstartxref\n{start}\n%%EOF\n").as_bytes());
    file
}

fn gradient(width: u32, height: u32, blue: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, blue]))
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).expect("our own picture");
    file.into_inner()
}
