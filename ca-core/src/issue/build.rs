//! The one builder of certificate bytes: the signature algorithm is a value, the issuer's name and the subject's key are
//! copied octet by octet.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, OctetStringRef, SetOfVec, UtcTime};
use der::{Any, DateTime, Decode, Encode, Sequence, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::time::{Time, Validity};

use super::content::Content;
use super::extension::Extension;
use crate::Timestamp;
use crate::profile::AttributeType;

/// TBSCertificate (RFC 5280 section 4.1), always version 3.
#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: AnyRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    subject_public_key_info: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: AnyRef<'a>,
}

/// Extension (RFC 5280 section 4.1).
#[derive(Sequence)]
struct ExtensionSequence<'a> {
    extn_id: der::asn1::ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    extn_value: OctetStringRef<'a>,
}

/// Certificate (RFC 5280 section 4.1).
#[derive(Sequence)]
struct SignedCertificate<'a> {
    tbs_certificate: AnyRef<'a>,
    signature_algorithm: AnyRef<'a>,
    signature_value: BitStringRef<'a>,
}

/// The DER TBSCertificate of `content` under an issuer's name, signed with `algorithm` (both DER).
pub(super) fn tbs(content: &Content<'_>, issuer: &[u8], algorithm: &[u8]) -> der::Result<Vec<u8>> {
    let subject = name(&content.subject)?;
    let extensions = extensions(&content.extensions)?;
    TbsCertificate {
        version: 2,
        serial_number: AnyRef::new(Tag::Integer, content.serial.as_bytes())?,
        signature: AnyRef::from_der(algorithm)?,
        issuer: AnyRef::from_der(issuer)?,
        validity: Validity { not_before: time(content.not_before)?, not_after: time(content.not_after)? },
        subject: AnyRef::from_der(&subject)?,
        subject_public_key_info: AnyRef::from_der(content.public_key)?,
        extensions: AnyRef::new(Tag::Sequence, &extensions)?,
    }
    .to_der()
}

/// The DER Certificate.
pub(super) fn certificate(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> der::Result<Vec<u8>> {
    SignedCertificate {
        tbs_certificate: AnyRef::from_der(tbs)?,
        signature_algorithm: AnyRef::from_der(algorithm)?,
        signature_value: BitStringRef::from_bytes(signature)?,
    }
    .to_der()
}

/// The DER Name: one attribute in each RDN.
pub(super) fn name(attributes: &[(&AttributeType, &str)]) -> der::Result<Vec<u8>> {
    let rdn = |(attribute, value): &(&AttributeType, &str)| {
        let value = Any::new(attribute.tag(), value.as_bytes())?;
        let single = SetOfVec::try_from([AttributeTypeAndValue { oid: attribute.oid(), value }])?;
        Ok(RelativeDistinguishedName(single))
    };
    RdnSequence(attributes.iter().map(rdn).collect::<der::Result<_>>()?).to_der()
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
fn time(at: Timestamp) -> der::Result<Time> {
    let seconds = u64::try_from(at.unix_seconds()).map_err(|_| der::ErrorKind::DateTime)?;
    let at = DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
    if at.year() <= UtcTime::MAX_YEAR {
        Ok(Time::UtcTime(UtcTime::from_date_time(at)?))
    } else {
        Ok(Time::GeneralTime(GeneralizedTime::from_date_time(at)))
    }
}

/// The content octets of Extensions.
fn extensions(extensions: &[Extension<'_>]) -> der::Result<Vec<u8>> {
    let mut octets = Vec::with_capacity(512);
    for extension in extensions {
        let value = extension.encode()?;
        ExtensionSequence {
            extn_id: extension.oid(),
            critical: extension.critical(),
            extn_value: OctetStringRef::new(&value)?,
        }
        .encode_to_vec(&mut octets)?;
    }
    Ok(octets)
}
