//! The end of a certificate as an entry for a calendar (RFC 5545).

use ca_core::Timestamp;
use store::reminders::DAYS;
use time::OffsetDateTime;

/// An event at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Names the event for ever: a later entry with the same name takes the place of this one.
    pub(crate) uid: String,
    /// When it was written.
    pub(crate) stamp: Timestamp,
    /// When it is.
    pub(crate) at: Timestamp,
    /// What it is.
    pub(crate) summary: String,
    /// More of it.
    pub(crate) description: String,
    /// Where to go.
    pub(crate) url: String,
}

impl Event {
    /// The calendar object.
    pub(crate) fn calendar(&self) -> String {
        let mut lines = vec![
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Muhr//Certificates//EN".to_owned(),
            "METHOD:PUBLISH".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", escaped(&self.uid)),
            format!("DTSTAMP:{}", utc(self.stamp)),
            format!("DTSTART:{}", utc(self.at)),
            format!("SUMMARY:{}", escaped(&self.summary)),
            format!("DESCRIPTION:{}", escaped(&self.description)),
            format!("URL:{}", self.url),
            "TRANSP:TRANSPARENT".to_owned(),
        ];
        // The calendar speaks up when our own reminders do.
        for days in DAYS {
            lines.extend([
                "BEGIN:VALARM".to_owned(),
                "ACTION:DISPLAY".to_owned(),
                format!("TRIGGER:-P{days}D"),
                format!("DESCRIPTION:{}", escaped(&self.summary)),
                "END:VALARM".to_owned(),
            ]);
        }
        lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()]);
        lines.iter().map(|line| folded(line)).collect()
    }
}

/// Section 3.3.5, form 2.
fn utc(at: Timestamp) -> String {
    let at: OffsetDateTime = at.to_offset_date_time();
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Section 3.3.11.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => safe.extend(['\\', character]),
            '\n' => safe.push_str("\\n"),
            '\r' => {}
            other => safe.push(other),
        }
    }
    safe
}

/// Section 3.1: lines of at most 75 octets, continued after a space, no letter cut in two.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 2);
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > 75 {
            out.push_str("\r\n ");
            octets = 1;
        }
        octets += character.len_utf8();
        out.push(character);
    }
    out + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_letters() {
        let line = format!("SUMMARY:{}", "ш".repeat(100));
        let text = folded(&line);
        assert!(text.split("\r\n").all(|part| part.len() <= 75));
        assert_eq!(text.replace("\r\n ", "").trim_end(), line);
    }

    #[test]
    fn an_event_has_three_alarms_and_escaped_texts() {
        let event = Event {
            uid: "1@muhr.example".to_owned(),
            stamp: "2026-11-26T10:00:00Z".parse().unwrap(),
            at: "2027-11-26T10:00:00.500Z".parse().unwrap(),
            summary: "One, two; three".to_owned(),
            description: "back\\slash\nline".to_owned(),
            url: "https://muhr.example".to_owned(),
        };
        insta::assert_snapshot!("calendar", event.calendar().replace("\r\n", "\n"));
    }
}
