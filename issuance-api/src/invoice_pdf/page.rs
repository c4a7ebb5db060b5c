//! A sheet that is written from top to bottom: lines, wrapped text, rows, rules, a QR code.

use krilla::action::{Action, LinkAction};
use krilla::annotation::{Annotation, LinkAnnotation, Target};
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use qrcode::{Color, EcLevel, QrCode};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::InvoicePdfError;

/// DejaVu Sans, cut down to the letters of our languages; see fonts/README.md.
const REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSans-Bold-subset.ttf");

/// Distance of lines, in sizes of the letters.
const LEADING: f32 = 1.4;
const ROW_SIZE: f32 = 11.0;
const LABEL_SIZE: f32 = 10.0;
/// White around a QR code, in modules (ISO/IEC 18004 section 6.3.8).
const QUIET_ZONE: usize = 4;

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Black.
    Plain,
    /// Grey.
    Quiet,
    /// Bold.
    Strong,
}

/// A font of the PDF together with the widths of its letters.
pub(super) struct Typeface {
    font: Font,
    reader: FontRef<'static>,
}

/// Writes downwards; positions are points from the top left corner.
pub(super) struct Page<'a> {
    surface: Surface<'a>,
    regular: Typeface,
    bold: Typeface,
    links: Vec<Annotation>,
    y: f32,
}

impl Typeface {
    fn of(bytes: &'static [u8]) -> Result<Self, InvoicePdfError> {
        let font = Font::new(bytes.into(), 0).ok_or(InvoicePdfError::Font)?;
        let reader = FontRef::new(bytes).map_err(|_| InvoicePdfError::Font)?;
        Ok(Self { font, reader })
    }

    #[cfg(test)]
    pub(super) fn has(&self, letter: char) -> bool {
        self.reader.charmap().map(letter).is_some()
    }

    /// One glyph a character: none of our scripts needs more shaping than that.
    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let (letters, metrics) =
            (self.reader.charmap(), self.reader.glyph_metrics(Size::new(1.0), LocationRef::default()));
        text.char_indices()
            .map(|(start, character)| {
                // What the font lacks becomes its empty box: the reader sees that something is missing.
                let glyph = letters.map(character).unwrap_or_default();
                let advance = metrics.advance_width(glyph).unwrap_or_default();
                let range = start..start + character.len_utf8();
                KrillaGlyph::new(GlyphId::new(glyph.to_u32()), advance, 0.0, 0.0, 0.0, range, None)
            })
            .collect()
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let metrics = self.reader.glyph_metrics(Size::new(size), LocationRef::default());
        let letters = self.reader.charmap();
        text.chars().filter_map(|letter| metrics.advance_width(letters.map(letter).unwrap_or_default())).sum()
    }

    /// Broken at spaces; a word wider than a line is broken anywhere.
    fn lines(&self, text: &str, width: f32, size: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ') {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer, size) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                if self.width(&format!("{line}{letter}"), size) > width && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        lines.push(line);
        lines
    }
}

#[cfg(test)]
pub(super) fn typefaces() -> Result<[Typeface; 2], InvoicePdfError> {
    Ok([Typeface::of(REGULAR)?, Typeface::of(BOLD)?])
}

impl<'a> Page<'a> {
    pub(super) fn on(surface: Surface<'a>, top: f32) -> Result<Self, InvoicePdfError> {
        let (regular, bold) = (Typeface::of(REGULAR)?, Typeface::of(BOLD)?);
        Ok(Self { surface, regular, bold, links: Vec::new(), y: top })
    }

    /// The links written so far, for the sheet.
    pub(super) fn finish(self) -> Vec<Annotation> {
        self.surface.finish();
        self.links
    }

    pub(super) fn position(&self) -> f32 {
        self.y
    }

    pub(super) fn move_to(&mut self, y: f32) {
        self.y = y;
    }

    pub(super) fn space(&mut self, points: f32) {
        self.y += points;
    }

    /// Text in as many lines as it takes.
    pub(super) fn wrapped(&mut self, left: f32, right: f32, size: f32, ink: Ink, text: &str) {
        for line in self.typeface(ink).lines(text, right - left, size) {
            self.line(left, size, ink, &line);
        }
    }

    /// As [`Self::wrapped`], and a tap or click opens it.
    pub(super) fn link(&mut self, left: f32, right: f32, size: f32, url: &str) {
        let top = self.y;
        self.wrapped(left, right, size, Ink::Plain, url);
        if let Some(area) = Rect::from_ltrb(left, top, right, self.y) {
            let target = Target::Action(Action::Link(LinkAction::new(url.to_owned())));
            self.links.push(Annotation::new_link(LinkAnnotation::new(area, target), Some(url.to_owned())));
        }
    }

    /// A label and its value beside it.
    pub(super) fn row(&mut self, left: f32, values: f32, right: f32, label: &str, value: &str, ink: Ink) {
        let top = self.y;
        let size = if ink == Ink::Strong { ROW_SIZE + 5.0 } else { ROW_SIZE };
        // Both stand on one line, whatever their sizes.
        self.y = top + size - LABEL_SIZE;
        self.wrapped(left, values - 10.0, LABEL_SIZE, Ink::Quiet, label);
        let below_label = self.y;
        self.y = top;
        self.wrapped(values, right, size, ink, value);
        self.y = self.y.max(below_label) + 5.0;
    }

    /// A thin grey line across.
    pub(super) fn rule(&mut self, left: f32, right: f32) {
        self.y += 8.0;
        self.surface.set_fill(Some(fill(rgb::Color::new(190, 190, 190))));
        self.boxes([Rect::from_ltrb(left, self.y, right, self.y + 0.7)]);
        self.y += 12.0;
    }

    /// A QR code in a square, its quiet zone included.
    pub(super) fn qr_code(&mut self, left: f32, side: f32, content: &str) -> Result<(), InvoicePdfError> {
        let code =
            QrCode::with_error_correction_level(content, EcLevel::M).map_err(|_| InvoicePdfError::Link)?;
        let modules = code.width();
        let module = side / (modules + 2 * QUIET_ZONE) as f32;
        let (top, colors) = (self.y, code.to_colors());
        let at = |origin: f32, index: usize| origin + (index + QUIET_ZONE) as f32 * module;
        let dark = colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
        let squares = dark.map(|(index, _)| {
            let (x, y) = (at(left, index % modules), at(top, index / modules));
            Rect::from_xywh(x, y, module, module)
        });
        self.surface.set_fill(Some(fill(rgb::Color::black())));
        self.boxes(squares);
        self.y += side;
        Ok(())
    }

    fn line(&mut self, left: f32, size: f32, ink: Ink, text: &str) {
        self.surface.set_fill(Some(fill(match ink {
            Ink::Quiet => rgb::Color::new(95, 95, 95),
            Ink::Plain | Ink::Strong => rgb::Color::black(),
        })));
        let typeface = self.typeface(ink);
        let (glyphs, font) = (typeface.glyphs(text), typeface.font.clone());
        self.surface.draw_glyphs(Point::from_xy(left, self.y + size), &glyphs, font, text, size, false);
        self.y += size * LEADING;
    }

    fn boxes(&mut self, rects: impl IntoIterator<Item = Option<Rect>>) {
        let mut path = PathBuilder::new();
        rects.into_iter().flatten().for_each(|rect| path.push_rect(rect));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }

    fn typeface(&self, ink: Ink) -> &Typeface {
        if ink == Ink::Strong { &self.bold } else { &self.regular }
    }
}

fn fill(color: rgb::Color) -> Fill {
    Fill { paint: color.into(), opacity: NormalizedF32::ONE, rule: FillRule::default() }
}
