//! The certificate as it will be signed, shown to the officer who decides. It is prepared and linted by the same code as
//! at the CA, only that the key is not here.

use std::sync::Arc;

use ca_core::csr::public_key_of;
use ca_core::issue::{Issuer, Request, render};
use ca_core::signer::AbsentKey;
use ca_core::{SerialNumber, Timestamp};
use store::applications::StoredApplication;
use store::issuers;

use crate::context::Context;
use crate::problem::Problem;

/// The rendering, or why there is none.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// The certificate in readable form.
    pub(super) text: Option<String>,
    /// What the CA's lint would refuse.
    pub(super) findings: Vec<String>,
}

impl Preview {
    /// Of what was signed.
    pub(super) fn of_certificate(der: &[u8]) -> Result<Self, Problem> {
        let text = render(der).map_err(Problem::internal)?;
        Ok(Self { text: Some(text), findings: Vec::new() })
    }
}

/// Of what an application would get at this moment.
///
/// # Errors
/// The CA's certificate or the stored request cannot be read.
pub(super) fn of_application(
    context: &Context,
    authority: &issuers::Issuer,
    stored: &StoredApplication,
    now: Timestamp,
) -> Result<Preview, Problem> {
    if stored.csr.is_none() {
        return Ok(Preview::default());
    }
    match to_be_signed(context, authority, stored, now)? {
        Ok(tbs) => {
            let text = render(&tbs).map_err(Problem::internal)?;
            // The serial is drawn when it is signed; showing another one would only mislead.
            let lines = text.lines().filter(|line| !line.starts_with("serial: "));
            Ok(Preview { text: Some(lines.collect::<Vec<_>>().join("\n")), findings: Vec::new() })
        }
        Err(findings) => Ok(Preview { text: None, findings }),
    }
}

/// The certificate that an application would get at this moment, but for its signature; or what the CA's lint would refuse.
///
/// # Errors
/// The CA's certificate or the stored request cannot be read.
pub(super) fn to_be_signed(
    context: &Context,
    authority: &issuers::Issuer,
    stored: &StoredApplication,
    now: Timestamp,
) -> Result<Result<Vec<u8>, Vec<String>>, Problem> {
    let refused = |finding: &str| Ok(Err(vec![finding.to_owned()]));
    let Some(csr) = &stored.csr else { return refused("there is no certification request") };
    let region = u16::try_from(stored.region).ok().and_then(|code| context.regions.get(code));
    let place = region.and_then(|region| {
        let district = context.regions.district(region.code, u32::try_from(stored.district).ok()?).ok()?;
        Some((region, district))
    });
    let Some((region, district)) = place else {
        return refused("the region or the district is unknown");
    };
    let subject = &stored.application.subject;
    let Some(profile) = context.profiles.get(subject.subject_type().as_str()) else {
        return refused("there is no profile for this kind of subject");
    };
    let key = AbsentKey::of_certificate(&authority.certificate).map_err(Problem::internal)?;
    let issuer = Issuer::new(&authority.certificate, Arc::new(key)).map_err(Problem::internal)?;
    let request = Request {
        subject: subject.certificate_fields(region, district, stored.email.as_deref()),
        public_key: public_key_of(csr).map_err(Problem::internal)?.spki_der().to_vec(),
        serial: SerialNumber::random().map_err(Problem::internal)?,
        now,
        urls: context.settings.issuance.urls(&authority.id),
        months: Some(context.settings.issuance.validity_months),
    };
    let prepared = issuer.prepare(profile, request);
    Ok(prepared
        .map(|prepared| prepared.tbs().to_vec())
        .map_err(|violation| violation.findings.iter().map(ToString::to_string).collect()))
}
