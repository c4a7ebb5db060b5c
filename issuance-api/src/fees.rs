//! What a certificate costs now, and why.

use actix_web::{HttpResponse, web};
use ca_core::calendar::full_date;
use ca_core::fee::{Channel, Quote};
use ca_core::subject::SubjectType;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::problem::{FieldError, Problem, only};

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
    query: web::Query<FeeQuery>,
) -> Result<HttpResponse, Problem> {
    let (subject_type, channel) = query.read().map_err(Problem::fields)?;
    let quote = context.fees.quote(subject_type, channel, None, context.now()).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().json(Fee::from(quote)))
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

impl From<Quote> for Fee {
    fn from(quote: Quote) -> Self {
        Self {
            subject_type: quote.subject_type.as_str(),
            channel: quote.channel.as_str(),
            amount_tiyin: quote.amount_tiyin,
            bhm_tiyin: quote.bhm_tiyin,
            bhm_since: full_date(quote.bhm_since),
            rate_percent: Percent(quote.rate_basis_points),
            discount_percent: Percent(quote.discount_basis_points),
            rule: quote.rule,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_plain_number() {
        let written = |points| serde_json::to_string(&Percent(points)).unwrap();
        assert_eq!([0, 700, 750, 1000, 625].map(written), ["0", "7", "7.5", "10", "6.25"]);
    }
}
