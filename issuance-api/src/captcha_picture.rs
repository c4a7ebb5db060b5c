//! A picture puzzle that slows programs down before an SMS is sent for them.
//!
//! It is a hurdle, not a wall: the limits per phone and per address are what bounds the cost of SMS.

use captcha::Captcha;
use captcha::filters::{Dots, Noise, Wave};

/// Capital letters and digits that nobody takes for one another: no 0 O Q D, 1 I L, 2 Z, 5 S, 8 B, 6 G, U V.
const CHARACTERS: &[char] =
    &['A', 'C', 'E', 'F', 'H', 'J', 'K', 'M', 'N', 'P', 'R', 'T', 'W', 'X', 'Y', '3', '4', '7', '9'];
const HEIGHT: u32 = 100;
/// White on each side of the text.
const MARGIN: u32 = 24;

/// A new puzzle.
#[derive(Debug, Clone)]
pub struct Puzzle {
    /// What the picture shows.
    pub answer: String,
    /// The picture.
    pub png: Vec<u8>,
}

/// The picture could not be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the captcha picture could not be made")]
pub struct PictureFailed;

/// Draws a puzzle of 4 to 6 characters; any other number becomes the nearest of these.
///
/// # Errors
/// The picture could not be encoded.
pub fn draw(characters: u32) -> Result<Puzzle, PictureFailed> {
    let characters = characters.clamp(4, 6);
    let mut captcha = Captcha::new();
    captcha.set_chars(CHARACTERS).add_chars(characters);
    let area = captcha.text_area();
    captcha
        .apply_filter(Noise::new(0.2))
        .apply_filter(Wave::new(2.0, 8.0).horizontal())
        .apply_filter(Wave::new(2.0, 8.0).vertical())
        .view(area.right - area.left + 2 * MARGIN, HEIGHT)
        .apply_filter(Dots::new(8).max_radius(5).min_radius(3));
    match captcha.as_tuple() {
        Some((answer, png)) if answer.len() == characters as usize => Ok(Puzzle { answer, png }),
        _ => Err(PictureFailed),
    }
}

/// Whether someone typed the answer; capital and small letters are the same, and spaces around it do not count.
pub fn is_answer(answer: &str, typed: &str) -> bool {
    !answer.is_empty() && answer.eq_ignore_ascii_case(typed.trim())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_puzzle_is_a_small_png_of_the_characters_asked_for() {
        for (asked, drawn) in [(4, 4), (5, 5), (6, 6), (0, 4), (99, 6)] {
            let puzzle = draw(asked).unwrap();
            assert_eq!(puzzle.answer.len(), drawn);
            assert!(puzzle.answer.chars().all(|character| CHARACTERS.contains(&character)));
            let picture = image::load_from_memory_with_format(&puzzle.png, image::ImageFormat::Png).unwrap();
            assert_eq!(picture.height(), HEIGHT);
            assert!(picture.width() > 100 && puzzle.png.len() < 60_000);
        }
    }

    #[test]
    fn no_two_puzzles_have_the_same_answer() {
        let answers: HashSet<_> = (0..12).map(|_| draw(6).unwrap().answer).collect();
        assert!(answers.len() == 12);
    }

    #[test]
    fn the_answer_may_be_typed_in_small_letters() {
        assert!(is_answer("KM37X", " km37x "));
        assert!(!is_answer("KM37X", "KM37"));
        assert!(!is_answer("KM37X", ""));
        assert!(!is_answer("", ""));
    }
}
