//! The invoice on paper: one A4 page in the applicant's language, with a QR code of the link to pay at.

mod page;

use ca_core::Timestamp;
use ca_core::calendar::tashkent_date;
use ca_core::fee::Quote;
use config::Language;
use config::texts::{amount, text};
use krilla::Document;
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;

use crate::fees::numeric;
use config::texts::percent;
use page::{Ink, Page};

/// What the paper says.
#[derive(Debug, Clone, Copy)]
pub struct Invoice<'a> {
    /// The applicant's language.
    pub language: Language,
    /// The invoice's number.
    pub number: &'a str,
    /// When it was made; the paper shows the day in Tashkent.
    pub issued_at: Timestamp,
    /// The moment it lapses; the paper shows the day in Tashkent.
    pub expires_at: Timestamp,
    /// Who is paid.
    pub recipient: &'a str,
    /// Who pays: a person's or an organization's name.
    pub payer: &'a str,
    /// The price it froze.
    pub quote: &'a Quote,
    /// How that price came about, in the applicant's language.
    pub rule_text: &'a str,
    /// Where to pay: printed, linked and in the QR code.
    pub pay_link: &'a str,
}

/// The paper could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoicePdfError {
    /// The built-in fonts cannot be read.
    #[error("the invoice's font cannot be read")]
    Font,
    /// The link has more octets than a QR code holds, or none.
    #[error("the payment link does not fit a QR code")]
    Link,
    /// The PDF library refuses.
    #[error("the PDF could not be written: {0}")]
    Pdf(String),
}

const A4: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 56.0;
/// Where the values of the table begin.
const VALUES: f32 = 210.0;
const QR_SIDE: f32 = 150.0;

/// Makes the PDF.
///
/// # Errors
/// The link does not fit a QR code; everything else would be a fault of the program.
pub fn render(invoice: &Invoice<'_>) -> Result<Vec<u8>, InvoicePdfError> {
    let mut document = Document::new();
    document.set_metadata(metadata(invoice));
    let settings =
        PageSettings::from_wh(A4.0, A4.1).ok_or_else(|| InvoicePdfError::Pdf("page size".to_owned()))?;
    let mut sheet = document.start_page_with(settings);
    let mut page = Page::on(sheet.surface(), MARGIN)?;
    let word = |key: &str| text(invoice.language, key, &[]);

    page.wrapped(MARGIN, A4.0 - MARGIN, 10.0, Ink::Quiet, invoice.recipient);
    page.space(14.0);
    let title = text(invoice.language, "invoice-title", &[("number", invoice.number)]);
    page.wrapped(MARGIN, A4.0 - MARGIN, 24.0, Ink::Strong, &title);
    page.space(10.0);
    let rows = [
        ("invoice-issued", numeric(tashkent_date(invoice.issued_at))),
        ("invoice-pay-until", numeric(tashkent_date(invoice.expires_at))),
        ("invoice-recipient", invoice.recipient.to_owned()),
        ("invoice-payer", invoice.payer.to_owned()),
        ("invoice-applicant-kind", word(&format!("subject-type-{}", invoice.quote.subject_type.as_str()))),
        ("invoice-service", word("invoice-service-text")),
    ];
    for (label, value) in &rows {
        page.row(MARGIN, VALUES, A4.0 - MARGIN, &word(label), value, Ink::Plain);
    }
    page.rule(MARGIN, A4.0 - MARGIN);
    price(&mut page, invoice);
    page.rule(MARGIN, A4.0 - MARGIN);
    if !invoice.quote.is_free() {
        payment(&mut page, invoice)?;
    }
    for link in page.finish() {
        sheet.add_annotation(link);
    }
    sheet.finish();
    document.finish().map_err(|error| InvoicePdfError::Pdf(format!("{error:?}")))
}

/// BHM, rate and reduction: how the amount came about.
fn price(page: &mut Page<'_>, invoice: &Invoice<'_>) {
    let word = |key: &str| text(invoice.language, key, &[]);
    let money = |tiyin: i64| format!("{}\u{a0}{}", amount(tiyin), word("invoice-currency"));
    let quote = invoice.quote;
    let mut rows = vec![
        ("invoice-bhm", money(quote.bhm_tiyin), Ink::Plain),
        ("invoice-rate", percent(quote.rate_basis_points), Ink::Plain),
    ];
    if quote.discount_basis_points > 0 {
        rows.push(("invoice-discount", percent(quote.discount_basis_points), Ink::Plain));
    }
    rows.push(("invoice-rule", invoice.rule_text.to_owned(), Ink::Quiet));
    rows.push(("invoice-total", money(quote.amount_tiyin), Ink::Strong));
    for (label, value, ink) in &rows {
        page.row(MARGIN, VALUES, A4.0 - MARGIN, &word(label), value, *ink);
    }
}

/// The QR code on the left, what to do with it on the right.
fn payment(page: &mut Page<'_>, invoice: &Invoice<'_>) -> Result<(), InvoicePdfError> {
    let top = page.position();
    let beside = MARGIN + QR_SIDE + 18.0;
    page.qr_code(MARGIN, QR_SIDE, invoice.pay_link)?;
    page.move_to(top + 6.0);
    page.wrapped(beside, A4.0 - MARGIN, 11.0, Ink::Plain, &text(invoice.language, "invoice-scan", &[]));
    page.space(4.0);
    page.link(beside, A4.0 - MARGIN, 10.0, invoice.pay_link);
    page.space(12.0);
    page.wrapped(beside, A4.0 - MARGIN, 9.5, Ink::Quiet, &text(invoice.language, "invoice-note", &[]));
    Ok(())
}

fn metadata(invoice: &Invoice<'_>) -> Metadata {
    let day = tashkent_date(invoice.issued_at);
    let year = u16::try_from(day.year()).unwrap_or_default();
    let issued = DateTime::new(year).month(u8::from(day.month())).day(day.day());
    Metadata::new()
        .title(text(invoice.language, "invoice-title", &[("number", invoice.number)]))
        .language(invoice.language.tag().to_owned())
        .authors(vec![invoice.recipient.to_owned()])
        .creation_date(issued)
}

#[cfg(test)]
mod tests;
