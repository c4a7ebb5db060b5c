//! From what an applicant or a registrar typed to a new application, with every objection at once.

use ca_core::Timestamp;
use ca_core::application::ApplicationId;
use ca_core::fee::Channel;
use ca_core::subject::{
    Email, EmailError, Phone, PhoneError, RegionError, Regions, Subject, SubjectForm, SubjectType,
};
use serde::Deserialize;
use store::applications::NewApplication;

use super::view::{Reader, SubjectView};
use crate::problem::FieldError;

/// Longest purpose, in characters.
const PURPOSE_MAX: usize = 500;

/// An application as it is sent. Nothing in it is true yet; every field is optional, so that all objections are named at
/// once.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationForm {
    /// `natural_person`, `sole_proprietor` or `legal_entity`.
    #[schema(value_type = String, required = true)]
    subject_type: Option<SubjectType>,
    /// Who is to be certified; the fields that belong to the subject type.
    #[schema(value_type = SubjectView, required = true)]
    subject: Option<SubjectForm>,
    /// SOATO code of the region, as a number or a text.
    #[schema(value_type = u32, required = true)]
    region: Option<Code>,
    /// SOATO code of the district, as a number or a text.
    #[schema(value_type = u32, required = true)]
    district: Option<Code>,
    /// For notices by mail.
    email: Option<String>,
    /// What the certificate is for, at most 500 characters.
    #[schema(value_type = String, required = true)]
    purpose: Option<String>,
    /// Must be true.
    #[schema(value_type = bool, required = true)]
    offer_accepted: Option<bool>,
    /// `online` if absent; a partner's and an officer's applications have their own.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// For officers and partners only: the phone of the applicant they have identified.
    phone: Option<String>,
    /// For officers and partners only: the benefit to which they have checked the applicant's right, by its name in the fee
    /// table.
    benefit: Option<String>,
}

/// A SOATO code.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Code {
    Number(u32),
    Text(String),
}

/// An application whose every field is as it should be.
#[derive(Debug)]
pub(crate) struct Stated {
    /// Who is to be certified.
    pub(crate) subject: Subject,
    /// The channel, if one is named.
    pub(crate) channel: Option<Channel>,
    /// The phone, if one is named.
    pub(crate) phone: Option<Phone>,
    /// The benefit, if one is claimed.
    pub(crate) benefit: Option<String>,
    region: i32,
    district: i32,
    email: Option<Email>,
    purpose: String,
}

impl Code {
    fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => {
                let digits = text.trim();
                digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
            }
        }
    }
}

/// Nobody is certified who has not accepted the offer.
pub(crate) fn offer_objection(accepted: Option<bool>) -> Option<FieldError> {
    let rule = match accepted {
        Some(true) => return None,
        Some(false) => "offer-not-accepted",
        None => "required",
    };
    Some(FieldError::new("/offer_accepted", rule))
}

impl ApplicationForm {
    /// Checks every field at this moment.
    ///
    /// # Errors
    /// Every objection.
    pub(crate) fn check(self, regions: &Regions, now: Timestamp) -> Result<Stated, Vec<FieldError>> {
        let mut errors = Vec::new();
        let subject = self.subject(now, &mut errors);
        let place = self.place(regions, &mut errors);
        let email = self.email(&mut errors);
        let purpose = self.purpose(&mut errors);
        let phone = self.phone(&mut errors);
        errors.extend(offer_objection(self.offer_accepted));
        match (subject, place, purpose) {
            (Some(subject), Some((region, district)), Some(purpose)) if errors.is_empty() => {
                let benefit = stated(self.benefit.as_deref()).map(str::to_owned);
                Ok(Stated {
                    subject,
                    channel: self.channel,
                    phone,
                    benefit,
                    region,
                    district,
                    email,
                    purpose,
                })
            }
            _ => Err(errors),
        }
    }

    fn subject(&self, now: Timestamp, errors: &mut Vec<FieldError>) -> Option<Subject> {
        if self.subject_type.is_none() {
            errors.push(FieldError::new("/subject_type", "required"));
        }
        if self.subject.is_none() {
            errors.push(FieldError::new("/subject", "required"));
        }
        match self.subject.as_ref()?.check(self.subject_type?, now) {
            Ok((subject, _)) => Some(subject),
            Err(objections) => {
                errors.extend(objections.into_iter().map(|objection| {
                    FieldError::new(format!("/subject{}", objection.pointer), objection.rule.name())
                }));
                None
            }
        }
    }

    fn place(&self, regions: &Regions, errors: &mut Vec<FieldError>) -> Option<(i32, i32)> {
        for (pointer, code) in [("/region", &self.region), ("/district", &self.district)] {
            if code.is_none() {
                errors.push(FieldError::new(pointer, "required"));
            }
        }
        let region = self.region.as_ref()?.number().and_then(|code| u16::try_from(code).ok());
        let Some(region) = region.filter(|code| regions.get(*code).is_some()) else {
            errors.push(FieldError::new("/region", "region-unknown"));
            return None;
        };
        let district = self.district.as_ref()?.number().unwrap_or_default();
        match regions.district(region, district) {
            Ok(_) => i32::try_from(district).ok().map(|district| (i32::from(region), district)),
            Err(RegionError::UnknownRegion | RegionError::UnknownDistrict) => {
                errors.push(FieldError::new("/district", "district-unknown"));
                None
            }
        }
    }

    fn email(&self, errors: &mut Vec<FieldError>) -> Option<Email> {
        match Email::parse(stated(self.email.as_deref())?) {
            Ok(email) => Some(email),
            Err(error) => {
                let rule = match error {
                    EmailError::TooLong => "too-long",
                    EmailError::Form => "email-form",
                };
                errors.push(FieldError::new("/email", rule));
                None
            }
        }
    }

    /// Any white space counts as one space, so that a purpose is one line wherever it is shown.
    fn purpose(&self, errors: &mut Vec<FieldError>) -> Option<String> {
        let words: Vec<&str> = self.purpose.as_deref().unwrap_or_default().split_whitespace().collect();
        let purpose = words.join(" ");
        let rule = if self.purpose.is_none() {
            "required"
        } else if purpose.is_empty() {
            "purpose-empty"
        } else if purpose.chars().count() > PURPOSE_MAX {
            "too-long"
        } else if purpose.chars().any(is_invisible) {
            "control-characters"
        } else {
            return Some(purpose);
        };
        errors.push(FieldError::new("/purpose", rule));
        None
    }

    fn phone(&self, errors: &mut Vec<FieldError>) -> Option<Phone> {
        match Phone::parse(stated(self.phone.as_deref())?) {
            Ok(phone) => Some(phone),
            Err(error) => {
                let rule = match error {
                    PhoneError::Country => "phone-country",
                    PhoneError::Form | PhoneError::Digits => "phone-form",
                };
                errors.push(FieldError::new("/phone", rule));
                None
            }
        }
    }
}

impl Stated {
    /// A new application of this phone (E.164), made now.
    pub(crate) fn application(self, phone: String, channel: Channel, reader: &Reader) -> NewApplication {
        NewApplication {
            id: ApplicationId::new(reader.now),
            subject: self.subject,
            channel,
            phone,
            region: self.region,
            district: self.district,
            email: self.email.map(String::from),
            purpose: self.purpose,
            language: reader.language.tag().to_owned(),
            offer_accepted_at: Some(reader.now),
            registered_by: None,
            registered_partner: None,
            benefit: self.benefit,
        }
    }
}

fn stated(field: Option<&str>) -> Option<&str> {
    field.map(str::trim).filter(|text| !text.is_empty())
}

/// Control characters, and the marks that turn the direction of what stands around them (Unicode TR 36).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What a correct application says.
    pub(crate) fn natural_person() -> Value {
        json!({
            "subject_type": "natural_person",
            "subject": {
                "pinfl": "31506801234560", "passport": "AA1234567", "surname": "Misolov", "given_name": "Namuna",
                "birth_date": "1980-06-15",
            },
            "region": "1703", "district": 1703202, "email": "namuna@example.uz",
            "purpose": "Elektron hujjatlarni\n imzolash", "offer_accepted": true,
        })
    }

    fn check(form: &Value) -> Result<Stated, Vec<String>> {
        let regions = config::tables::Tables::load(
            &config::Settings::load(&config::settings::Sources::default(), &[]).unwrap().data,
        )
        .unwrap()
        .regions;
        let form: ApplicationForm = serde_json::from_value(form.clone()).unwrap();
        form.check(&regions, "2026-11-20T07:00:00Z".parse().unwrap()).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| format!("{} {}", error.pointer, error.text.trim_start_matches("field-")))
                .collect()
        })
    }

    #[test]
    fn a_correct_form_becomes_an_application() {
        let stated = check(&natural_person()).unwrap();
        assert_eq!((stated.region, stated.district), (1703, 1_703_202));
        assert_eq!(stated.purpose, "Elektron hujjatlarni imzolash");
    }

    #[test]
    fn an_empty_form_is_answered_with_everything_it_lacks() {
        let errors = check(&json!({})).unwrap_err();
        assert_eq!(
            errors,
            ["/subject_type", "/subject", "/region", "/district", "/purpose", "/offer_accepted"]
                .map(|pointer| format!("{pointer} required"))
        );
    }

    #[test]
    fn all_objections_are_named_at_once() {
        let mut form = natural_person();
        form["subject"]["passport"] = json!("?");
        form["subject"]["surname"] = json!(" ");
        form["region"] = json!("9999");
        form["email"] = json!("nobody");
        form["purpose"] = json!("x".repeat(501));
        form["offer_accepted"] = json!(false);
        form["phone"] = json!("+12025550123");
        assert_eq!(
            check(&form).unwrap_err(),
            [
                "/subject/passport document-form",
                "/subject/surname required",
                "/region region-unknown",
                "/email email-form",
                "/purpose too-long",
                "/phone phone-country",
                "/offer_accepted offer-not-accepted",
            ]
        );
    }

    #[test]
    fn a_place_is_a_district_of_its_region() {
        for (region, district, expected) in [
            (json!(1703), json!("1703202"), None),
            (json!("1703"), json!("1726262"), Some("/district district-unknown")),
            (json!("17o3"), json!(1_703_202), Some("/region region-unknown")),
            (json!(70_000), json!(1_703_202), Some("/region region-unknown")),
            (json!(1703), json!("+1703202"), Some("/district district-unknown")),
            (json!(1703), json!(""), Some("/district district-unknown")),
        ] {
            let mut form = natural_person();
            form["region"] = region;
            form["district"] = district;
            assert_eq!(check(&form).err(), expected.map(|text| vec![text.to_owned()]), "{form}");
        }
    }

    #[test]
    fn a_purpose_is_one_line_of_visible_signs() {
        for (purpose, rule) in
            [("", "purpose-empty"), (" \n ", "purpose-empty"), ("a\u{202e}b", "control-characters")]
        {
            let mut form = natural_person();
            form["purpose"] = json!(purpose);
            assert_eq!(check(&form).unwrap_err(), [format!("/purpose {rule}")]);
        }
    }
}
