use ca_core::fee::Channel;
use ca_core::subject::SubjectType;
use time::macros::date;

use super::*;

fn quote(channel: Channel) -> Quote {
    let discount = if channel == Channel::MyGov { 1000 } else { 0 };
    Quote {
        subject_type: SubjectType::LegalEntity,
        channel,
        bhm_tiyin: 41_200_000,
        bhm_since: date!(2025 - 08 - 01),
        rate_basis_points: 1000,
        discount_basis_points: discount,
        benefit: None,
        amount_tiyin: 4_120_000 - 4_120_000 * i64::from(discount) / 10_000,
        rule: "test".to_owned(),
    }
}

fn paper(language: Language, payer: &str, quote: &Quote, pay_link: &str) -> Result<Vec<u8>, InvoicePdfError> {
    render(&Invoice {
        language,
        number: "260000123",
        issued_at: "2026-11-20T20:30:00Z".parse().unwrap(),
        expires_at: "2026-11-23T20:30:00Z".parse().unwrap(),
        recipient: "Muhr sertifikatlash markazi",
        payer,
        quote,
        rule_text: &text(
            language,
            "fee-rule",
            &[("rate", "10 %"), ("bhm", "412 000"), ("since", "01.08.2025")],
        ),
        pay_link,
    })
}

const LINK: &str = "https://pay.example.uz/muhr/260000123?amount=3708000";
const PAYERS: [(Language, &str); 5] = [
    (Language::Uz, "«Oʻzbekgʻisht maʼmuriyati» masʼuliyati cheklangan jamiyati"),
    (Language::UzCyrl, "«Ўзбекғишт» масъулияти чекланган жамияти, Қўқон шаҳри, Ҳамза тумани"),
    (
        Language::Kaa,
        "«Ámiwdárya jaǵası» juwapkershiligi sheklengen jámiyeti, Nókis qalası, Ǵárezsizlik kóshesi",
    ),
    (Language::Ru, "ООО «Ёлка и объезд», г. Ташкент"),
    (Language::En, "Bukhara Brick LLC"),
];

#[test]
fn every_language_has_its_paper_of_one_page_with_its_fonts_inside() {
    for (language, payer) in PAYERS {
        let pdf = paper(language, payer, &quote(Channel::MyGov), LINK).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-1.") && text.trim_end().ends_with("%%EOF"));
        assert_eq!(text.matches("/FontFile").count(), 2, "{language}");
        assert_eq!(text.matches("/ToUnicode").count(), 2, "{language}");
        assert_eq!(text.matches("/Count 1").count(), 1, "{language}");
        assert!(pdf.len() < 100_000, "{}", pdf.len());
    }
}

#[test]
fn a_free_invoice_asks_for_no_payment() {
    let free = Quote { amount_tiyin: 0, benefit: Some("pupils".to_owned()), ..quote(Channel::Online) };
    let pdf = paper(Language::Uz, "A", &free, LINK).unwrap();
    assert!(!String::from_utf8_lossy(&pdf).contains("/URI"));
    let open = paper(Language::Uz, "A", &quote(Channel::Online), LINK).unwrap();
    assert!(String::from_utf8_lossy(&open).contains("/URI"));
}

#[test]
fn the_font_has_every_letter_of_the_catalogue_and_of_names() {
    let names = "ʻʼÁáǴǵÍıİiŃńÓóÚúÑñÇçĞğŞşЁёЎўҚқҒғҲҳІіЇїЄєҢңҮүӨөҰұӘә№«»„“–—…€";
    let keys = [
        "invoice-title",
        "invoice-service-text",
        "invoice-note",
        "invoice-scan",
        "invoice-bhm",
        "invoice-total",
        "invoice-rule",
        "fee-rule",
        "fee-rule-discount",
        "fee-rule-benefit",
        "fee-rule-free",
    ];
    for typeface in page::typefaces().unwrap() {
        for language in Language::ALL {
            for key in keys {
                let values = ["number", "rate", "bhm", "since", "channel", "reduction", "benefit"];
                let words = text(language, key, &values.map(|name| (name, "0123456789")));
                let missing: String =
                    words.chars().chain(names.chars()).filter(|letter| !typeface.has(*letter)).collect();
                assert_eq!(missing, "", "{language} {key}");
            }
        }
    }
}

#[test]
fn a_long_name_is_wrapped_and_a_link_that_fits_no_qr_code_is_refused() {
    let name = "Sharqiy-hududiy-elektr-tarmoqlari-".repeat(8);
    assert!(paper(Language::Uz, &name, &quote(Channel::Online), LINK).is_ok());
    let long = format!("https://pay.example.uz/{}", "x".repeat(3000));
    assert_eq!(paper(Language::Uz, "A", &quote(Channel::Online), &long), Err(InvoicePdfError::Link));
}
