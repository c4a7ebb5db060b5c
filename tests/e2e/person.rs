//! Made-up people and organisations whose numbers are valid and unique in this run.

use std::sync::atomic::{AtomicU32, Ordering};

/// The next number nobody in this run has had.
pub(crate) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) number: u32,
    pub(crate) surname: &'static str,
    pub(crate) given_name: &'static str,
    pub(crate) patronymic: &'static str,
    /// `YYYY-MM-DD`
    pub(crate) birth_date: String,
    pub(crate) pinfl: String,
    pub(crate) passport: String,
    pub(crate) phone: String,
    /// Of the person as a sole proprietor.
    pub(crate) stir: String,
    /// Of the organisation they head.
    pub(crate) organization_stir: String,
}

/// Latin, Cyrillic and Karakalpak letters, and the turned comma of Oʻ and Gʻ.
const NAMES: &[(&str, &str, &str)] = &[
    ("KARIMOVA", "DILNOZA", "BAXTIYOR QIZI"),
    ("OʻRINBOYEV", "SHERZOD", "GʻAYRAT OʻGʻLI"),
    ("ТОШПЎЛАТОВА", "ГУЛЧЕҲРА", "ҲАМИД ҚИЗИ"),
    ("Seytmuratov", "Ájiniyaz", "Berdaq ulı"),
    ("Yoʻldosheva-Rahimova", "Maʼmura", "Anvarovna"),
];

impl Person {
    pub(crate) fn new() -> Self {
        let number = next_number();
        let (surname, given_name, patronymic) = NAMES[number as usize % NAMES.len()];
        let (year, month, day) = (1960 + number % 40, 1 + number % 12, 1 + number % 28);
        Self {
            number,
            surname,
            given_name,
            patronymic,
            birth_date: format!("{year}-{month:02}-{day:02}"),
            pinfl: pinfl(4, (year, month, day), number),
            passport: format!("AA{:07}", 1_000_000 + number),
            phone: format!("+99890{:07}", 1_000_000 + number),
            stir: stir(40_000_000 + number),
            organization_stir: stir(30_000_000 + number),
        }
    }

    /// The same person's number with a wrong check digit.
    pub(crate) fn mistyped_pinfl(&self) -> String {
        let (body, check) = self.pinfl.split_at(13);
        let wrong = (check.parse::<u32>().expect("a digit") + 1) % 10;
        format!("{body}{wrong}")
    }
}

/// Sex and century, birth date, place and running number, and the check digit: weights 7, 3, 1 over 13 digits, modulo 10.
/// 3 and 4 are men and women of the 1900s.
pub(crate) fn pinfl(sex_and_century: u32, (year, month, day): (u32, u32, u32), number: u32) -> String {
    let body = format!("{sex_and_century}{day:02}{month:02}{:02}{:06}", year % 100, number % 1_000_000);
    let sum: u32 =
        digits(&body).zip([7, 3, 1].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    format!("{body}{}", sum % 10)
}

/// Eight digits and the check digit that real numbers have (derived, not published).
pub(crate) fn stir(body: u32) -> String {
    let body = format!("{body:08}");
    let weights = [37, 29, 23, 19, 17, 13, 7, 3];
    let remainder = digits(&body).zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11;
    format!("{body}{}", [9, 8, 7, 6, 5, 4, 4, 3, 2, 1, 0][remainder as usize])
}

fn digits(text: &str) -> impl Iterator<Item = u32> {
    text.chars().filter_map(|character| character.to_digit(10))
}

#[test]
fn made_up_numbers_keep_the_rules_of_real_ones() {
    // Worked by hand: 7*4+3*0+1*1+7*0+3*1+1*9+7*0+3*0+1*0+7*0+3*0+1*0+7*1 = 48.
    assert_eq!(pinfl(4, (1990, 1, 1), 1), "40101900000018");
    assert_eq!(stir(30_000_000).len(), 9);
    let person = Person::new();
    assert_eq!((person.pinfl.len(), person.passport.len(), person.phone.len()), (14, 9, 13));
    assert_ne!(person.pinfl, person.mistyped_pinfl());
}
