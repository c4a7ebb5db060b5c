//! What a certificate has to say, decided from its profile, the request and the issuer: the expectation of the builder
//! and of the lint.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use der::flagset::FlagSet;
use spki::SubjectPublicKeyInfoRef;
use x509_cert::ext::pkix::KeyUsages;

use super::extension::Extension;
use super::{Finding, Issuer, Request, Urls, Violation, build};
use crate::crl::{Partition, partition_name, place};
use crate::profile::{AttributeType, Kind, Profile, Source, SubjectFields};
use crate::{SerialNumber, Timestamp};

/// The national signature keys: O'z DSt 1092:2009 algorithm 2, and O'z MSt 286:2024.
const NATIONAL_KEYS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.860.3.15.1.1.2.1"),
    ObjectIdentifier::new_unwrap("1.2.860.3.15.2.1.2.1"),
];

/// Everything in a TBSCertificate but the issuer's part.
pub(super) struct Content<'a> {
    pub(super) serial: SerialNumber,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) subject: Vec<(&'a AttributeType, &'a str)>,
    pub(super) public_key: &'a [u8],
    /// Which of the issuer's CRLs will tell of it.
    pub(super) crl_partition: Option<Partition>,
    /// In the order they are written; rcgen's, so that the bytes can be compared.
    pub(super) extensions: Vec<Extension<'a>>,
}

impl<'a> Content<'a> {
    /// Decides what the certificate says, or finds everything that forbids it.
    pub(super) fn decide(
        issuer: &'a Issuer,
        profile: &'a Profile,
        request: &'a Request,
    ) -> Result<Self, Violation> {
        let mut findings = Vec::new();
        let (subject, key) = (subject(profile, &request.subject), PublicKey::read(&request.public_key));
        let (not_before, not_after) = validity(issuer, profile, request, &mut findings);
        check_urls(profile, &request.urls, &mut findings);
        check_path_len(issuer, profile, &mut findings);
        let subject = subject.and_then(|subject| match self_issued(issuer, profile, request, &subject) {
            true => Ok(subject),
            false => Err(vec![Finding::SelfIssued(profile.kind())]),
        });
        let crl_partition = Partition::of(&request.serial, profile.crl_shards());
        match (subject, key) {
            (Ok(subject), Ok(key)) if findings.is_empty() => Ok(Self {
                serial: request.serial,
                not_before,
                not_after,
                extensions: extensions(issuer, profile, &request.urls, crl_partition, &subject, &key),
                crl_partition,
                subject,
                public_key: &request.public_key,
            }),
            (subject, key) => {
                findings.extend(subject.err().into_iter().flatten());
                findings.extend(key.err());
                Err(Violation { findings })
            }
        }
    }
}

/// The attributes in their order; optional fields that are absent are left out.
pub(super) fn subject<'a>(
    profile: &'a Profile,
    fields: &'a SubjectFields,
) -> Result<Vec<(&'a AttributeType, &'a str)>, Vec<Finding>> {
    let (mut subject, mut findings) = (Vec::with_capacity(profile.subject().len()), Vec::new());
    for part in profile.subject() {
        let value = match &part.source {
            Source::Text(text) => text.as_str(),
            Source::Field { field, optional } => match fields.get(*field) {
                Some(value) => value,
                None if *optional => continue,
                None => {
                    findings.push(Finding::FieldMissing(*field));
                    continue;
                }
            },
        };
        match part.attribute.check(value) {
            Ok(()) => subject.push((&part.attribute, value)),
            Err(rule) => findings.push(Finding::Value { attribute: part.attribute.name().to_owned(), rule }),
        }
    }
    if findings.is_empty() { Ok(subject) } else { Err(findings) }
}

/// From the present second, for the asked calendar months, to the second; notAfter is the last second that counts
/// (RFC 5280 section 4.1.2.5). A certificate that would outlive its issuer's ends with it (shell model): the applicant
/// gets the longest validity there is, and the CA is renewed long before that is less than the profile's default.
fn validity(
    issuer: &Issuer,
    profile: &Profile,
    request: &Request,
    findings: &mut Vec<Finding>,
) -> (Timestamp, Timestamp) {
    let (asked, max) = (request.months.unwrap_or(profile.default_months()), profile.max_months());
    if !(1..=max).contains(&asked) {
        findings.push(Finding::Months { asked, max });
    }
    let not_before = request.now.whole_seconds();
    if not_before < issuer.not_before || not_before >= issuer.not_after {
        findings.push(Finding::IssuerNotValid(not_before));
    }
    (not_before, end(not_before, asked.min(max)).min(issuer.not_after))
}

/// The last second of a validity of calendar months.
pub(super) fn end(not_before: Timestamp, months: u32) -> Timestamp {
    not_before.plus_months(months).minus(Duration::from_secs(1))
}

fn check_urls(profile: &Profile, urls: &Urls, findings: &mut Vec<Finding>) {
    let plain = |url: &str, scheme: &str| {
        url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && url.bytes().all(|b| b.is_ascii_graphic())
    };
    let used = [
        ("ocsp", profile.ocsp(), plain(&urls.ocsp, "http://")),
        ("ca_issuers", profile.ca_issuers(), plain(&urls.ca_issuers, "http://")),
        ("crl", profile.crl_distribution_point(), plain(&urls.crl, "http://")),
        ("cps", profile.policy().is_some(), plain(&urls.cps, "http://") || plain(&urls.cps, "https://")),
    ];
    findings.extend(
        used.into_iter().filter(|(_, used, sound)| *used && !sound).map(|(name, ..)| Finding::Url(name)),
    );
}

/// RFC 5280 section 4.2.1.9: how many CAs may follow; a self-issued certificate (the root's own) does not count.
fn check_path_len(issuer: &Issuer, profile: &Profile, findings: &mut Vec<Finding>) {
    let fits = match (issuer.path_len, profile.path_len()) {
        _ if profile.kind() != Kind::IssuingCa => true,
        (None, _) => true,
        (Some(above), below) => below.is_some_and(|below| u32::from(below) < above),
    };
    if !fits {
        findings.push(Finding::PathLen);
    }
}

/// A root has its issuer's key and name; nobody else gets a certificate for the issuer's key.
fn self_issued(
    issuer: &Issuer,
    profile: &Profile,
    request: &Request,
    subject: &[(&AttributeType, &str)],
) -> bool {
    let own_key = request.public_key == issuer.signer.public_key();
    match profile.kind() {
        Kind::Root => own_key && build::name(subject).is_ok_and(|name| name == issuer.subject),
        _ => !own_key,
    }
}

/// What the subject's key decides: its identifier, and which usages it is capable of.
struct PublicKey {
    identifier: [u8; 20],
    incapable_of: FlagSet<KeyUsages>,
}

impl PublicKey {
    fn read(spki: &[u8]) -> Result<Self, Finding> {
        let key = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| Finding::PublicKey)?;
        let agreement = FlagSet::from(KeyUsages::KeyAgreement);
        let encipherment = KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment;
        let incapable_of = match key.algorithm.oid {
            rfc5912::RSA_ENCRYPTION => agreement,
            rfc5912::ID_EC_PUBLIC_KEY => encipherment,
            oid if NATIONAL_KEYS.contains(&oid) => encipherment,
            // RFC 8410 section 5: signatures only.
            rfc8410::ID_ED_25519 => agreement | encipherment,
            oid => return Err(Finding::KeyAlgorithm(oid)),
        };
        let identifier = key_identifier(key.subject_public_key.raw_bytes());
        Ok(Self { identifier, incapable_of })
    }
}

/// SHA-1 of the BIT STRING's content (RFC 5280 section 4.2.1.2, method 1): an identifier, not a protection.
fn key_identifier(public_key: &[u8]) -> [u8; 20] {
    let mut identifier = [0; 20];
    identifier.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, public_key).as_ref());
    identifier
}

fn extensions<'a>(
    issuer: &'a Issuer,
    profile: &'a Profile,
    urls: &'a Urls,
    crl_partition: Option<Partition>,
    subject: &[(&'a AttributeType, &'a str)],
    key: &PublicKey,
) -> Vec<Extension<'a>> {
    let mailbox = subject.iter().find(|(attribute, _)| attribute.is_mailbox()).map(|(_, value)| *value);
    let purposes = Some(profile.extended_key_usage()).filter(|purposes| !purposes.is_empty());
    let access = Extension::AuthorityInfoAccess {
        ocsp: profile.ocsp().then_some(urls.ocsp.as_str()),
        ca_issuers: profile.ca_issuers().then_some(urls.ca_issuers.as_str()),
    };
    // RFC 5280 section 4.2.1.2; and for a root, whose own key signs, the same value as its key identifier.
    let authority =
        issuer.key_identifier.as_deref().map_or_else(|| key.identifier.to_vec().into(), Into::into);
    let crl = place(&urls.crl, &partition_name(crl_partition)).into();
    let all = [
        Some(Extension::AuthorityKeyIdentifier(authority)),
        // RFC 5280 section 4.1.2.6: a mailbox in the name is repeated here.
        mailbox.map(Extension::SubjectAltName),
        Some(Extension::KeyUsage((profile.key_usage() - key.incapable_of).bits())),
        purposes.map(|purposes| Extension::ExtendedKeyUsage(purposes.into())),
        profile.crl_distribution_point().then_some(Extension::CrlDistributionPoints(crl)),
        Some(Extension::SubjectKeyIdentifier(key.identifier.to_vec().into())),
        profile
            .kind()
            .is_ca()
            .then_some(Extension::BasicConstraints { ca: true, path_len: profile.path_len() }),
        profile.policy().map(|policy| Extension::CertificatePolicies { policy, cps: &urls.cps }),
        (profile.ocsp() || profile.ca_issuers()).then_some(access),
        (profile.kind() == Kind::OcspSigner).then_some(Extension::OcspNoCheck),
    ];
    all.into_iter().flatten().collect()
}
