//! A mail before it is packed: what it says in words, and how it becomes a message with text, HTML and a calendar entry.

use std::time::SystemTime;

use ca_core::Timestamp;
use config::Language;
use config::texts::text;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart};
use lettre::{Address, Message};

use super::MailError;
use super::calendar::Event;
use super::html;

/// What one mail says, and to whom. Not `Debug`: it holds an address.
pub(crate) struct Letter {
    /// The address.
    pub(crate) to: String,
    /// The language of everything in it.
    pub(crate) language: Language,
    /// What it is about.
    pub(crate) subject: String,
    /// What happened, in a sentence or two.
    pub(crate) sentence: String,
    /// Where to go on.
    pub(crate) portal: String,
    /// The end of a certificate, for the reader's calendar.
    pub(crate) event: Option<Event>,
    /// Where one asks for no more reminders; reminders only.
    pub(crate) unsubscribe: Option<String>,
    /// The name of the message (RFC 5322 section 3.6.4): the same in every attempt.
    pub(crate) message_id: String,
    /// When it was written: the same in every attempt.
    pub(crate) written_at: Timestamp,
}

impl Letter {
    fn said(&self, key: &str) -> String {
        text(self.language, key, &[])
    }

    /// The text half.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", self.said("mail-greeting"), self.sentence);
        if self.event.is_some() {
            text += &format!("{}\n\n", self.said("mail-calendar"));
        }
        text += &format!("{}: {}\n\n", self.said("mail-open"), self.portal);
        // RFC 3676 section 4.3: what follows is not part of what is said.
        text += &format!("-- \n{}\n", self.said("mail-footer"));
        if let Some(url) = &self.unsubscribe {
            text += &format!("{}: {url}\n", self.said("mail-opt-out"));
        }
        text
    }

    /// The HTML half: the same words.
    pub(crate) fn html(&self) -> String {
        let mut body = String::new();
        html::paragraph(&mut body, &self.said("mail-greeting"));
        html::paragraph(&mut body, &self.sentence);
        if self.event.is_some() {
            html::paragraph(&mut body, &self.said("mail-calendar"));
        }
        html::link(&mut body, &self.portal, &self.said("mail-open"));
        body.push_str("<hr>\n");
        html::paragraph(&mut body, &self.said("mail-footer"));
        if let Some(url) = &self.unsubscribe {
            html::link(&mut body, url, &self.said("mail-opt-out"));
        }
        html::document(self.language, &self.subject, &body)
    }

    /// The whole message.
    ///
    /// # Errors
    /// An address that no mail can go to.
    pub(super) fn message(&self, from: &Mailbox) -> Result<Message, MailError> {
        let to: Address = self.to.parse().map_err(|_| MailError::Never("not an address".to_owned()))?;
        let builder = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(&self.subject)
            .date(SystemTime::from(self.written_at.whole_seconds().to_offset_date_time()))
            .message_id(Some(format!("<{}>", self.message_id)));
        let halves = MultiPart::alternative_plain_html(self.text(), self.html());
        let packed = match &self.event {
            None => builder.multipart(halves),
            Some(event) => {
                let calendar = ContentType::parse("text/calendar; charset=utf-8; method=PUBLISH")
                    .map_err(|_| MailError::Never("no calendar type".to_owned()))?;
                let entry = Attachment::new("muhr.ics".to_owned()).body(event.calendar(), calendar);
                builder.multipart(MultiPart::mixed().multipart(halves).singlepart(entry))
            }
        };
        let mut message = packed.map_err(|_| MailError::Never("cannot be packed".to_owned()))?;
        let mut header = |name, value: &str| {
            let name = HeaderName::new_from_ascii_str(name);
            message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        };
        // RFC 3834: no vacation notice answers this.
        header("Auto-Submitted", "auto-generated");
        header("Content-Language", self.language.tag());
        if let Some(url) = &self.unsubscribe {
            // RFC 2369 section 3.2, RFC 8058 section 3.1.
            header("List-Unsubscribe", &format!("<{url}>"));
            header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(language: Language) -> Letter {
        let values = [("serial", "7f3a90c2"), ("until", "20.11.2027")];
        Letter {
            to: "namuna@example.uz".to_owned(),
            language,
            subject: text(language, "mail-subject-expiring", &values),
            sentence: text(language, "sms-expiring", &values),
            portal: "https://muhr.example".to_owned(),
            event: Some(Event {
                uid: "7f3a90c2@muhr.example".to_owned(),
                stamp: "2026-11-26T10:00:00Z".parse().unwrap(),
                at: "2027-11-20T10:00:00Z".parse().unwrap(),
                summary: "x".to_owned(),
                description: "y".to_owned(),
                url: "https://muhr.example".to_owned(),
            }),
            unsubscribe: Some("https://muhr.example/unsubscribe/token".to_owned()),
            message_id: "1.0@muhr.example".to_owned(),
            written_at: "2026-11-26T10:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_reminder_in_every_language() {
        let all: Vec<String> = Language::ALL
            .into_iter()
            .map(|language| {
                let letter = letter(language);
                format!("{language}: {}\n\n{}\n{}", letter.subject, letter.text(), letter.html())
            })
            .collect();
        insta::assert_snapshot!("reminders", all.join("\n====\n"));
    }

    #[test]
    fn an_attempt_differs_from_the_one_before_in_nothing_that_names_the_message() {
        let from = Mailbox::new(None, "muhr@muhr.example".parse().unwrap());
        let headers = |letter: &Letter| {
            let message = letter.message(&from).unwrap();
            ["Message-ID", "Date", "Subject"].map(|name| message.headers().get_raw(name).unwrap().to_owned())
        };
        assert_eq!(headers(&letter(Language::Uz)), headers(&letter(Language::Uz)));
        assert_eq!(headers(&letter(Language::En))[0], "<1.0@muhr.example>");
        let nowhere = Letter { to: "nowhere".to_owned(), ..letter(Language::En) };
        assert!(matches!(nowhere.message(&from), Err(MailError::Never(_))));
    }
}
