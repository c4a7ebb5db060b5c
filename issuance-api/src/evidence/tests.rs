use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

const PROGRESSIVE: &[u8] = include_bytes!("fixtures/progressive.jpg");
const CMYK: &[u8] = include_bytes!("fixtures/cmyk.jpg");
const GREY: &[u8] = include_bytes!("fixtures/grey.jpg");

/// Red above, blue below.
fn face(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |_, y| if y < height / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    face(width, height).write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 80)).unwrap();
    bytes
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The JPEG with an Exif segment: an orientation and a secret.
fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"41.2995N 69.2401E");
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn pixel(evidence: &Evidence, x: u32, y: u32) -> [u8; 3] {
    assert_eq!(evidence.format, Format::Jpeg);
    let picture =
        image::load_from_memory_with_format(&evidence.bytes, ImageFormat::Jpeg).unwrap().into_rgb8();
    assert_eq!(evidence.pixels, Some(picture.dimensions()));
    picture.get_pixel(x, y).0
}

fn near(color: [u8; 3], expected: [u8; 3]) -> bool {
    color.iter().zip(expected).all(|(value, expected)| value.abs_diff(expected) < 12)
}

#[test]
fn a_picture_keeps_its_pixels_and_nothing_else() {
    let mut sent = with_exif(&jpeg(400, 300), 1);
    sent.extend(b"PK\x03\x04 a second file behind the picture");
    let evidence = take_picture(Format::Jpeg, &sent).unwrap();
    assert!(near(pixel(&evidence, 200, 50), [255, 0, 0]) && near(pixel(&evidence, 200, 250), [0, 0, 255]));
    for secret in [b"Exif".as_slice(), b"41.2995N", b"second file"] {
        assert!(contains(&sent, secret) && !contains(&evidence.bytes, secret));
    }
}

#[test]
fn a_picture_is_turned_upright_before_its_orientation_is_dropped() {
    // 6: the camera lay on its side; its top is the picture's right.
    let evidence = take_picture(Format::Jpeg, &with_exif(&jpeg(400, 300), 6)).unwrap();
    assert_eq!(evidence.pixels, Some((300, 400)));
    assert!(near(pixel(&evidence, 250, 200), [255, 0, 0]) && near(pixel(&evidence, 50, 200), [0, 0, 255]));
}

#[test]
fn progressive_grey_and_cmyk_pictures_are_taken() {
    for (sent, above, below) in [
        (PROGRESSIVE, [255, 0, 0], [0, 0, 255]),
        (CMYK, [255, 0, 0], [0, 0, 255]),
        (GREY, [76, 76, 76], [29, 29, 29]),
    ] {
        let evidence = take_picture(Format::Jpeg, sent).unwrap();
        assert!(near(pixel(&evidence, 160, 50), above), "{:?}", pixel(&evidence, 160, 50));
        assert!(near(pixel(&evidence, 160, 350), below), "{:?}", pixel(&evidence, 160, 350));
    }
}

#[test]
fn what_is_transparent_becomes_white() {
    let picture = RgbaImage::from_pixel(300, 300, Rgba([0, 0, 0, 0]));
    assert!(near(pixel(&take_picture(Format::Png, &png(picture)).unwrap(), 150, 150), [255, 255, 255]));
    let deep =
        DynamicImage::ImageRgba8(RgbaImage::from_pixel(300, 300, Rgba([255, 0, 0, 255]))).into_rgba16();
    assert!(near(pixel(&take_picture(Format::Png, &png(deep)).unwrap(), 150, 150), [255, 0, 0]));
}

#[test]
fn a_large_picture_is_kept_smaller() {
    let evidence = take_picture(Format::Png, &png(face(4000, 1000))).unwrap();
    assert_eq!(evidence.pixels, Some((3000, 750)));
}

#[test]
fn the_content_must_be_what_it_is_declared_to_be() {
    let (jpeg, png) = (jpeg(300, 300), png(face(300, 300)));
    assert_eq!(take_picture(Format::Png, &jpeg), Err(Refusal::WrongType));
    assert_eq!(take_picture(Format::Jpeg, &png), Err(Refusal::WrongType));
    assert_eq!(take_picture(Format::Jpeg, b"GIF89a"), Err(Refusal::NotAPicture));
    assert_eq!(take_picture(Format::Jpeg, b""), Err(Refusal::NotAPicture));
    assert_eq!(take_picture(Format::Pdf, &pdf("")), Err(Refusal::NotAPicture));
    assert_eq!(take_paper(Format::Pdf, &jpeg), Err(Refusal::WrongType));
    assert_eq!(take_paper(Format::Pdf, b"text"), Err(Refusal::NotAPdf));
    assert!(take_paper(Format::Jpeg, &jpeg).is_ok());
    assert_eq!(Format::of_media_type("Image/JPEG; q=1"), Some(Format::Jpeg));
    assert_eq!(Format::of_media_type("image/svg+xml"), None);
}

#[test]
fn a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded() {
    let mut bomb = png(face(300, 300));
    // IHDR: width and height at 16, its CRC-32 at 29.
    bomb[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert_eq!(take_picture(Format::Png, &bomb), Err(Refusal::TooManyPixels));

    let mut bomb = jpeg(300, 300);
    let frame = bomb.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(take_picture(Format::Jpeg, &bomb), Err(Refusal::TooManyPixels));
}

#[test]
fn a_file_over_5_mb_is_refused() {
    let mut sent = jpeg(300, 300);
    sent.resize(MAX_BYTES + 1, 0);
    assert_eq!(take_picture(Format::Jpeg, &sent), Err(Refusal::TooLarge));
    assert!(take_picture(Format::Jpeg, &sent[..MAX_BYTES]).is_ok());
}

#[test]
fn a_file_cut_off_anywhere_is_refused_and_never_a_panic() {
    for (format, whole) in [
        (Format::Jpeg, with_exif(&jpeg(300, 300), 6)),
        (Format::Jpeg, PROGRESSIVE.to_vec()),
        (Format::Png, png(face(300, 300))),
    ] {
        for length in 0..whole.len() {
            let taken = take_picture(format, &whole[..length]);
            // The last chunk of a PNG only says that it ends.
            assert!(
                taken.is_err() || (format == Format::Png && length + 12 >= whole.len()),
                "{format:?} {length}"
            );
        }
    }
}

#[test]
fn a_changed_octet_is_never_a_panic() {
    for (format, whole) in [(Format::Jpeg, CMYK.to_vec()), (Format::Png, png(face(300, 300)))] {
        for index in (0..whole.len()).step_by(61) {
            let mut changed = whole.clone();
            changed[index] ^= 0x55;
            let _ = take_picture(format, &changed);
        }
    }
}

fn pdf(objects: &str) -> Vec<u8> {
    format!("%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n{objects}\nstartxref\n9\n%%EOF\n").into_bytes()
}

fn object_stream(objects: &[u8], filter: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(objects).unwrap();
    let data = encoder.finish().unwrap();
    let mut bytes =
        format!("%PDF-1.7\n5 0 obj\n<</Type/ObjStm/Filter{filter}/Length {}>>\nstream\r\n", data.len())
            .into_bytes();
    bytes.extend(data);
    bytes.extend(b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n");
    bytes
}

#[test]
fn a_plain_pdf_is_taken_as_it_is() {
    let sent = pdf("<</Type/EncryptMetadataless/OpenAction[3 0 R/XYZ]>>");
    let evidence = take_paper(Format::Pdf, &sent).unwrap();
    assert_eq!((evidence.format, evidence.bytes, evidence.pixels), (Format::Pdf, sent, None));
    assert!(take_paper(Format::Pdf, &object_stream(b"1 0 <</Type/Page>>", "/FlateDecode")).is_ok());
}

#[test]
fn a_pdf_that_is_cut_off_or_locked_is_refused() {
    let sent = pdf("");
    assert_eq!(take_paper(Format::Pdf, &sent[..sent.len() - 8]), Err(Refusal::Damaged));
    let mut padded = sent.clone();
    padded.resize(sent.len() + 2000, b' ');
    assert_eq!(take_paper(Format::Pdf, &padded), Err(Refusal::Damaged));
    assert_eq!(take_paper(Format::Pdf, &pdf("trailer <</Encrypt 7 0 R>>")), Err(Refusal::Encrypted));
}

#[test]
fn a_pdf_with_something_that_acts_is_refused_however_it_is_spelled() {
    for action in [
        "<</S/JavaScript/JS(app.alert(1))>>",
        "<</S /J#61vaScript>>",
        "<</S/Launch/F(cmd.exe)>>",
        "<</Names<</EmbeddedFiles 3 0 R>>>>",
    ] {
        assert_eq!(take_paper(Format::Pdf, &pdf(action)), Err(Refusal::ActiveContent), "{action}");
        let hidden = object_stream(action.as_bytes(), "/FlateDecode");
        assert_eq!(take_paper(Format::Pdf, &hidden), Err(Refusal::ActiveContent), "{action}");
    }
}

#[test]
fn a_pdf_that_cannot_be_looked_into_is_refused() {
    let bomb = object_stream(&vec![b' '; 33 << 20], "/FlateDecode");
    assert_eq!(take_paper(Format::Pdf, &bomb), Err(Refusal::Damaged));
    let other = pdf("5 0 obj\n<</Type/ObjStm/Filter/LZWDecode>>\nstream\nabc\nendstream");
    assert_eq!(take_paper(Format::Pdf, &other), Err(Refusal::Damaged));
    let many = pdf(&"<</ObjStm>>stream ".repeat(200_000));
    assert_eq!(take_paper(Format::Pdf, &many), Err(Refusal::Damaged));
}

#[test]
fn every_refusal_has_its_text_in_every_language() {
    for refusal in Refusal::ALL {
        for language in config::Language::ALL {
            let key = format!("document-{}", refusal.name());
            assert!(config::texts::find(language, &key, &[]).is_some(), "{language} {key}");
        }
    }
}
