//! From what is known of a subject to what a certificate may say of them.

use crate::profile::SubjectFields;
use crate::subject::{District, Region, Subject};

impl Subject {
    /// What a certificate profile may pick from. Places are named in Uzbek in Latin script, the script of the state
    /// language's official alphabet.
    pub fn certificate_fields(
        &self,
        region: &Region,
        district: &District,
        email: Option<&str>,
    ) -> SubjectFields {
        let person = self.person();
        let (uid, organization_stir) = match self {
            Self::NaturalPerson { .. } => (None, None),
            Self::SoleProprietor { stir, .. } => (Some(stir.as_str().to_owned()), None),
            Self::LegalEntity { stir, .. } => (None, Some(stir.as_str().to_owned())),
        };
        SubjectFields {
            common_name: Some(self.common_name()),
            given_name: Some(person.given_name.as_str().to_owned()),
            surname: Some(person.surname.as_str().to_owned()),
            organization: self.organization().map(|name| name.as_str().to_owned()),
            organizational_unit: None,
            district: Some(district.names.uz.clone()),
            region: Some(region.names.uz.clone()),
            country: Some("UZ".to_owned()),
            uid,
            pinfl: Some(person.pinfl.as_str().to_owned()),
            organization_stir,
            title: self.title().map(|title| title.as_str().to_owned()),
            email: email.map(str::to_owned),
            business_category: None,
        }
    }
}
