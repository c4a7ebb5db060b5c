//! Whom a message goes to and in which words: looked up when it is sent, so that no queue holds phones or texts.

use ca_core::application::{ApplicationId, State};
use ca_core::calendar::tashkent_date;
use ca_core::revocation::Status;
use ca_core::{SerialNumber, Timestamp};
use config::Language;
use config::{Settings, sms, texts};
use store::applications::{self, StoredApplication};
use store::certificates::{self, StoredCertificate};
use store::deliveries::Delivery;
use store::invoices::{self, Invoice};
use store::phone_verifications;
use store::{Connection, StoreError};
use zeroize::Zeroizing;

use crate::applications::key_password;
use crate::context::Context;
use crate::mail::calendar::Event;
use crate::mail::letter::Letter;
use crate::phone_verifications::sealing_context;
use crate::unsubscribe;

/// A text message. Not `Debug`: it holds a phone and perhaps a code.
pub(super) struct Text {
    /// The phone, E.164.
    pub(super) phone: String,
    /// The whole text.
    pub(super) text: Zeroizing<String>,
    /// The one-time code or password in it.
    pub(super) code: Option<Zeroizing<String>>,
}

/// The language and the text of a code; `None` if it is too late for it to be of use.
pub(super) fn code(
    context: &Context,
    connection: &mut Connection,
    verification: &str,
    sealed_code: &str,
    now: Timestamp,
) -> Result<Option<(Language, Text)>, StoreError> {
    let row = match phone_verifications::find(connection, verification) {
        // Expired and swept.
        Err(StoreError::NotFound) => return Ok(None),
        other => other?,
    };
    if row.expires_at <= now.unix_millis() {
        return Ok(None);
    }
    let code = unsealed(context, &sealing_context(verification), sealed_code)?;
    let language = row.language.parse().unwrap_or_default();
    let text = Zeroizing::new(sms::message(language, "sms-code", &[("code", code.as_str())]));
    Ok(Some((language, Text { phone: row.phone, text, code: Some(code) })))
}

/// The language and the text of a key's first password; `None` if the application has ended without a certificate, and so has
/// no use for it.
pub(super) fn key_password(
    context: &Context,
    connection: &mut Connection,
    application: ApplicationId,
    sealed_password: &str,
) -> Result<Option<(Language, Text)>, StoreError> {
    let stored = applications::find(connection, application)?;
    if matches!(stored.application.state, State::Rejected | State::Withdrawn | State::Expired) {
        return Ok(None);
    }
    let password = unsealed(context, &key_password::sealing_context(application), sealed_password)?;
    let language = stored.language.parse().unwrap_or_default();
    let text = sms::message(language, "sms-key-password", &[("password", password.as_str())]);
    Ok(Some((language, Text { phone: stored.phone, text: Zeroizing::new(text), code: Some(password) })))
}

fn unsealed(context: &Context, sealing: &str, sealed: &str) -> Result<Zeroizing<String>, StoreError> {
    let corrupt = || StoreError::Corrupt("a sealed text".to_owned());
    let sealed = hex::decode(sealed).map_err(|_| corrupt())?;
    let opened = context.sealer.open(sealing.as_bytes(), &sealed).map_err(|_| corrupt())?;
    Ok(Zeroizing::new(std::str::from_utf8(&opened).map_err(|_| corrupt())?.to_owned()))
}

/// Whether a notice is still true: an invoice may have been paid, and a certificate revoked, while it waited for the
/// morning or for a gateway.
pub(super) fn is_true(connection: &mut Connection, delivery: &Delivery) -> Result<bool, StoreError> {
    let Some(application) = delivery.application else { return Ok(true) };
    match delivery.template.as_str() {
        "invoice" => {
            let invoice = invoice_of(connection, delivery, application)?;
            Ok(invoice.is_some_and(|invoice| invoice.state == "open"))
        }
        "expiring" => {
            let certificate = certificates::of_application(connection, application)?;
            Ok(certificate.is_some_and(|held| !matches!(held.status, Status::Revoked { .. })))
        }
        _ => Ok(true),
    }
}

/// The text of a notice.
pub(super) fn text(connection: &mut Connection, delivery: &Delivery) -> Result<Text, StoreError> {
    let told = Told::find(connection, delivery)?;
    let text = sms::message(told.language, &format!("sms-{}", delivery.template), &told.values());
    Ok(Text { phone: told.application.phone, text: Zeroizing::new(text), code: None })
}

/// The mail of a notice; `None` if there is no address any more.
pub(super) fn letter(
    context: &Context,
    connection: &mut Connection,
    delivery: &Delivery,
) -> Result<Option<Letter>, StoreError> {
    let told = Told::find(connection, delivery)?;
    let Some(to) = told.application.email.clone() else { return Ok(None) };
    let (language, values) = (told.language, told.values());
    let sentence = texts::text(language, &format!("sms-{}", delivery.template), &values);
    let subject = texts::text(language, &format!("mail-subject-{}", delivery.template), &values);
    let public_url = &context.settings.public_url;
    let reminder = delivery.template == "expiring";
    let unsubscribe = || {
        let token = unsubscribe::token(&context.hasher, &to);
        public_url.join("unsubscribe").join(&token).as_str().to_owned()
    };
    let domain = context.settings.mail.sender.rsplit('@').next().unwrap_or_default();
    let event = told.certificate.as_ref().filter(|_| reminder || delivery.template == "issued");
    let event =
        event.map(|certificate| end_of(certificate, told.language, delivery.created_at, &context.settings));
    Ok(Some(Letter {
        language,
        subject,
        sentence: without_sender(&sentence),
        portal: public_url.as_str().to_owned(),
        event,
        unsubscribe: reminder.then(unsubscribe),
        message_id: message_id(context, delivery, domain),
        written_at: delivery.created_at,
        to,
    }))
}

/// The same in every attempt; what an officer has sent again is another message. The hash keeps installations with one
/// domain apart.
fn message_id(context: &Context, delivery: &Delivery, domain: &str) -> String {
    let name = format!("{}.{}", delivery.id, delivery.resends);
    let hash = context.hasher.hash("message-id", name.as_bytes());
    format!("{name}.{}@{domain}", hex::encode(&hash[..8]))
}

/// A text message says whose it is; a mail has a sender. A sentence begins with a capital letter unless it begins with a
/// number.
fn without_sender(text: &str) -> String {
    let rest = text.strip_prefix("Muhr: ").unwrap_or(text);
    let first_word = rest.split(' ').next().unwrap_or_default();
    if first_word.contains(|character: char| character.is_ascii_digit()) {
        return rest.to_owned();
    }
    let mut characters = rest.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// What the texts of a notice may speak of.
struct Told {
    application: StoredApplication,
    language: Language,
    certificate: Option<StoredCertificate>,
    number: String,
    amount: String,
    until: String,
    reason: String,
    serial: String,
}

impl Told {
    fn find(connection: &mut Connection, delivery: &Delivery) -> Result<Self, StoreError> {
        let id = delivery.application.ok_or_else(|| StoreError::Corrupt("a notice of nothing".to_owned()))?;
        let application = applications::find(connection, id)?;
        let language = application.language.parse().unwrap_or_default();
        let invoice = invoice_of(connection, delivery, id)?;
        let certificate = certificates::of_application(connection, id)?;
        let ends = match (&certificate, &invoice) {
            (Some(certificate), _) if delivery.template != "invoice" => {
                Some(certificate.certificate.not_after)
            }
            (_, Some(invoice)) => Some(Timestamp::from_unix_millis(invoice.expires_at)),
            _ => None,
        };
        // The refusal itself is forgotten when the application is submitted again; what happened is not.
        let events = applications::history(connection, id)?;
        let reason = events.iter().rev().find_map(|event| event.reason.as_deref());
        Ok(Self {
            number: invoice.as_ref().map(|invoice| invoice.number.clone()).unwrap_or_default(),
            amount: invoice.as_ref().map(|invoice| texts::amount(invoice.amount_tiyin)).unwrap_or_default(),
            until: ends.map(day).unwrap_or_default(),
            reason: reason
                .map(|reason| texts::text(language, &format!("reason-{reason}"), &[]))
                .unwrap_or_default(),
            serial: certificate.as_ref().map(|held| shortened(&held.certificate.serial)).unwrap_or_default(),
            application,
            language,
            certificate,
        })
    }

    fn values(&self) -> [(&str, &str); 5] {
        [
            ("number", self.number.as_str()),
            ("amount", &self.amount),
            ("until", &self.until),
            ("reason", &self.reason),
            ("serial", &self.serial),
        ]
    }
}

/// The end of a certificate for a calendar: one entry, whoever asks for it and however often.
pub(crate) fn end_of(
    stored: &StoredCertificate,
    language: Language,
    stamp: Timestamp,
    settings: &Settings,
) -> Event {
    let certificate = &stored.certificate;
    let (serial, until) = (shortened(&certificate.serial), day(certificate.not_after));
    let said = |key: &str| texts::text(language, key, &[("serial", &serial), ("until", &until)]);
    let domain = settings.mail.sender.rsplit('@').next().unwrap_or_default();
    Event {
        uid: format!("{}@{domain}", certificate.serial),
        stamp,
        at: certificate.not_after,
        summary: said("mail-subject-expiring"),
        description: without_sender(&said("sms-expiring")),
        url: settings.public_url.as_str().to_owned(),
    }
}

/// The invoice that the fact names, or else the newest one.
fn invoice_of(
    connection: &mut Connection,
    delivery: &Delivery,
    application: ApplicationId,
) -> Result<Option<Invoice>, StoreError> {
    let named = delivery.fact.split(':').nth(1).unwrap_or_default();
    match invoices::find(connection, named) {
        Err(StoreError::NotFound) => invoices::newest(connection, application),
        found => found.map(Some),
    }
}

/// The day in Tashkent as people there write it.
fn day(at: Timestamp) -> String {
    let date = tashkent_date(at);
    format!("{:02}.{:02}.{:04}", date.day(), u8::from(date.month()), date.year())
}

/// Enough digits to tell one's own certificates apart.
fn shortened(serial: &SerialNumber) -> String {
    serial.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mails_sentence_has_no_sender_in_it_and_a_capital_letter() {
        assert_eq!(without_sender("Muhr: сертификат готов."), "Сертификат готов.");
        assert_eq!(
            without_sender("Muhr: a0f3 sertifikati bekor qilindi."),
            "a0f3 sertifikati bekor qilindi."
        );
        assert_eq!(without_sender(""), "");
    }

    #[test]
    fn a_day_is_tashkents() {
        assert_eq!(day("2026-11-25T19:00:00Z".parse().unwrap()), "26.11.2026");
    }
}
