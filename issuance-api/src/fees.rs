//! What a certificate costs now, and why.

use actix_web::{HttpRequest, HttpResponse, web};
use ca_core::calendar::full_date;
use ca_core::fee::{Channel, FeeTable, Quote};
use ca_core::subject::SubjectType;
use config::Language;
use config::texts::{amount, percent, text};
use serde::{Deserialize, Serialize};
use time::Date;

use crate::context::Context;
use crate::problem::{FieldError, Problem, only};
use crate::request::language;

/// A price with everything that made it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Fee {
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    subject_type: &'static str,
    /// `online`, `my.gov.uz` or `service-center`.
    channel: &'static str,
    /// To pay, in tiyin (1/100 so'm).
    amount_tiyin: i64,
    /// The base calculation amount (BHM), in tiyin.
    bhm_tiyin: i64,
    /// The day since which it applies.
    bhm_since: String,
    /// The share of the BHM, in percent.
    #[schema(value_type = f64)]
    rate_percent: Percent,
    /// The channel's reduction of that share, in percent of it.
    #[schema(value_type = f64)]
    discount_percent: Percent,
    /// The entries of the fee table that were used, stable.
    rule: String,
    /// The same in words, in the reader's language.
    rule_text: String,
}

/// Hundredths of a percent, written as a JSON number of percent: 700 is `7`, 750 is `7.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) i32);

impl Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 100 {
            0 => serializer.serialize_i32(self.0 / 100),
            _ => serializer.serialize_f64(f64::from(self.0) / 100.0),
        }
    }
}

/// What the price is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeeQuery {
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    #[param(required = true)]
    subject_type: Option<String>,
    /// `online` if absent, `my.gov.uz` or `service-center`.
    channel: Option<String>,
}

pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/v1/fees").route(web::get().to(now)).default_service(only("GET")));
}

/// The price now
///
/// BHM x rate x (1 - discount), with the rule that was applied. An invoice freezes it.
#[utoipa::path(get, path = "/api/v1/fees", tag = "public", operation_id = "fee", params(FeeQuery),
    responses(
        (status = 200, description = "the price", body = Fee),
        (status = 422, description = "invalid-fields", body = crate::problem::Document),
    ))]
pub(crate) async fn now(
    context: web::Data<Context>,
    request: HttpRequest,
    query: web::Query<FeeQuery>,
) -> Result<HttpResponse, Problem> {
    let (subject_type, channel) = query.read().map_err(Problem::fields)?;
    let (inner, now) = (context.as_ref().clone(), context.now());
    let fees = context.read(move |connection| inner.prices(connection)).await?;
    let quote = fees.quote(subject_type, channel, None, now).map_err(Problem::internal)?;
    let rule_text = rule_text(language(&request), &quote, &context.fees);
    Ok(HttpResponse::Ok().json(Fee::of(quote, rule_text)))
}

impl FeeQuery {
    fn read(&self) -> Result<(SubjectType, Channel), Vec<FieldError>> {
        let subject_type = match &self.subject_type {
            None => Err(FieldError::new("/subject_type", "required")),
            Some(text) => text.parse().map_err(|_| FieldError::new("/subject_type", "not-a-choice")),
        };
        let channel = match &self.channel {
            None => Ok(Channel::Online),
            Some(text) => text.parse().map_err(|_| FieldError::new("/channel", "not-a-choice")),
        };
        match (subject_type, channel) {
            (Ok(subject_type), Ok(channel)) => Ok((subject_type, channel)),
            (subject_type, channel) => {
                Err([subject_type.err(), channel.err()].into_iter().flatten().collect())
            }
        }
    }
}

impl Fee {
    fn of(quote: Quote, rule_text: String) -> Self {
        Self {
            subject_type: quote.subject_type.as_str(),
            channel: quote.channel.as_str(),
            amount_tiyin: quote.amount_tiyin,
            bhm_tiyin: quote.bhm_tiyin,
            bhm_since: full_date(quote.bhm_since),
            rate_percent: Percent(quote.rate_basis_points),
            discount_percent: Percent(quote.discount_basis_points),
            rule: quote.rule,
            rule_text,
        }
    }
}

/// How the price came about, in one sentence.
pub(crate) fn rule_text(language: Language, quote: &Quote, fees: &FeeTable) -> String {
    let (rate, reduction) = (percent(quote.rate_basis_points), percent(quote.discount_basis_points));
    let (bhm, since) = (amount(quote.bhm_tiyin), numeric(quote.bhm_since));
    let base = [("rate", rate.as_str()), ("bhm", &bhm), ("since", &since)];
    let said = |key, more: &[(&'static str, &str)]| text(language, key, &[&base, more].concat());
    match &quote.benefit {
        Some(name) => {
            let benefit = fees.benefit_title(name, language.tag()).unwrap_or(name);
            let key = if quote.is_free() { "fee-rule-free" } else { "fee-rule-benefit" };
            said(key, &[("benefit", benefit), ("reduction", &reduction)])
        }
        None if quote.discount_basis_points > 0 => {
            let channel = text(language, &format!("channel-{}", quote.channel.as_str()), &[]);
            said("fee-rule-discount", &[("channel", &channel), ("reduction", &reduction)])
        }
        None => said("fee-rule", &[]),
    }
}

/// A day as it is written in all of our languages.
pub(crate) fn numeric(date: Date) -> String {
    format!("{:02}.{:02}.{:04}", date.day(), u8::from(date.month()), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_plain_number() {
        let written = |points| serde_json::to_string(&Percent(points)).unwrap();
        assert_eq!([0, 700, 750, 1000, 625].map(written), ["0", "7", "7.5", "10", "6.25"]);
    }

    #[test]
    fn the_rule_is_told_in_every_language() {
        let benefits = "[[benefits]]\nname = \"pupils\"\ntitles = { en = \"pupils of lyceums\" }\n\
                        from = \"2025-08-01\"\nbasis_points = 10000\nsource = \"a test\"\n\
                        [[benefits]]\nname = \"pilot\"\nfrom = \"2025-08-01\"\nbasis_points = 5000\n\
                        source = \"a test\"\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fees.toml");
        std::fs::write(&file, [include_str!("../../config/fees.toml"), benefits].concat()).unwrap();
        let sources = config::settings::Sources::default().with("data.fees_file", file.to_str().unwrap());
        let settings = config::Settings::load(&sources, &[]).unwrap();
        let fees = config::tables::Tables::load(&settings.data).unwrap().fees;
        let at = "2026-11-26T07:00:00Z".parse().unwrap();
        let mut said = serde_json::Map::new();
        for language in Language::ALL {
            let told = |channel, benefit: Option<&str>| {
                let claim = benefit.map(|benefit| ca_core::fee::Claim { benefit, district: 1 });
                let quote = fees.quote(SubjectType::NaturalPerson, channel, claim, at).unwrap();
                rule_text(language, &quote, &fees).replace('\u{a0}', " ")
            };
            let texts = [
                told(Channel::Online, None),
                told(Channel::MyGov, None),
                told(Channel::MyGov, Some("pilot")),
                told(Channel::ServiceCenter, Some("pupils")),
            ];
            said.insert(language.tag().to_owned(), texts.to_vec().into());
        }
        insta::assert_json_snapshot!("rule texts", said);
    }
}
