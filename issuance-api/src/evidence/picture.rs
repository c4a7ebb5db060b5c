//! JPEG and PNG: decided by the header, decoded, turned upright and encoded anew.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, Limits, Rgb, RgbImage};

use super::{Evidence, Format, MAX_PIXELS, Refusal};

/// What decoding may take: 40 megapixels of four octets, and as much again for the decoder.
const MAX_ALLOCATION: u64 = 320_000_000;
/// Longer sides are scaled down to this: enough to read a passport, small enough to keep.
const MAX_KEPT_SIDE: u32 = 3000;
const JPEG_QUALITY: u8 = 88;

pub(super) fn redraw(format: Format, bytes: &[u8]) -> Result<Evidence, Refusal> {
    let pixels = match format {
        Format::Jpeg => {
            if !jpeg_is_whole(bytes) {
                return Err(Refusal::Damaged);
            }
            decode(JpegDecoder::new(Cursor::new(bytes)).map_err(refusal)?)?
        }
        _ => decode(PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(refusal)?)?,
    };
    let upright = flat(shrunk(pixels));
    let (width, height) = upright.dimensions();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode(upright.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(refusal)?;
    Ok(Evidence { format: Format::Jpeg, bytes: jpeg, pixels: Some((width, height)) })
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits
}

fn decode(mut decoder: impl ImageDecoder) -> Result<DynamicImage, Refusal> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Refusal::TooManyPixels);
    }
    decoder.set_limits(limits()).map_err(refusal)?;
    // Exif that cannot be read tells no orientation; the picture is then upright as it is.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(picture)
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Refusal::TooManyPixels,
        _ => Refusal::Damaged,
    }
}

fn shrunk(picture: DynamicImage) -> DynamicImage {
    if picture.width().max(picture.height()) <= MAX_KEPT_SIDE {
        return picture;
    }
    picture.thumbnail(MAX_KEPT_SIDE, MAX_KEPT_SIDE)
}

/// Without transparency: what shines through is white, as on paper.
fn flat(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let transparent = picture.into_rgba8();
    RgbImage::from_fn(transparent.width(), transparent.height(), |x, y| {
        let [red, green, blue, alpha] = transparent.get_pixel(x, y).0;
        let over_white = |value: u8| {
            let (value, alpha) = (u16::from(value), u16::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        Rgb([over_white(red), over_white(green), over_white(blue)])
    })
}

/// The picture data is followed by its end marker (ITU-T T.81 section B.1.1.3). Decoders fill what is missing with grey.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments up to the first scan: a thumbnail inside one of them has an end marker of its own, which does not count.
    while let [0xff, marker, rest @ ..] = bytes.get(at..).unwrap_or_default() {
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xda => return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            _ => match rest {
                [high, low, ..] => at += 2 + usize::from(u16::from_be_bytes([*high, *low])).max(2),
                _ => return false,
            },
        }
    }
    false
}
