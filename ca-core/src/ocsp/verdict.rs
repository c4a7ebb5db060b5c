//! The other side of OCSP: the question of whoever received a certificate, and whether an answer is to be believed.

use aws_lc_rs::digest::{SHA256, digest};
use const_oid::db::rfc5912::ID_SHA_256;
use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NONCE};
use der::asn1::OctetString;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::serial_number::SerialNumber;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseStatus, Request,
    TbsRequest, Version,
};
use x509_parser::asn1_rs::{BitString, FromDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::AlgorithmIdentifier;

use crate::Timestamp;
use crate::path::{self, PathFault};
use crate::tlv::Reader;
use crate::verification;

/// What an answer says about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The status.
    pub status: Standing,
    /// As of when.
    pub this_update: Timestamp,
}

/// The status of a certificate to whoever received it (RFC 6960 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not revoked.
    Good,
    /// Revoked or suspended since then.
    Revoked(Timestamp),
    /// The responder has never heard of it.
    Unknown,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbelievable {
    /// Not a basic OCSPResponse in DER.
    #[error("not an OCSP response")]
    NotAnAnswer,
    /// RFC 6960 section 4.2.1, OCSPResponseStatus.
    #[error("the responder refused to answer")]
    Refused,
    /// It is about other certificates, or repeats another nonce.
    #[error("the OCSP response answers another question")]
    OtherQuestion,
    /// RFC 6960 section 4.2.2.2: neither the issuer nor whom it has authorized.
    #[error("the OCSP response is not signed by the issuer or a responder that it authorized")]
    Signature,
    /// Not yet, or not any more.
    #[error("the OCSP response is not current")]
    NotCurrent,
}

impl From<PathFault> for Unbelievable {
    fn from(_: PathFault) -> Self {
        Self::Signature
    }
}

/// The request (DER) about `certificate`, which `issuer` has issued, with this nonce (RFC 9654).
///
/// # Errors
/// One of the two is no certificate.
pub fn question(certificate: &[u8], issuer: &[u8], nonce: &[u8]) -> Result<Vec<u8>, PathFault> {
    let cert_id = cert_id(certificate, issuer)?;
    let encoded = || -> der::Result<Vec<u8>> {
        let extn_value = OctetString::new(OctetString::new(nonce)?.to_der()?)?;
        let nonce = Extension { extn_id: ID_PKIX_OCSP_NONCE, critical: false, extn_value };
        let tbs_request = TbsRequest {
            version: Version::V1,
            requestor_name: None,
            request_list: vec![Request { req_cert: cert_id, single_request_extensions: None }],
            request_extensions: Some(vec![nonce]),
        };
        OcspRequest { tbs_request, optional_signature: None }.to_der()
    };
    encoded().map_err(|_| PathFault::NotACertificate)
}

/// What `response` says about `certificate`, if it is to be believed `now`: it answers this question, is signed by the
/// issuer's key or by one that the issuer certified for that, and is current. An answer without any nonce is a kept one
/// and may be believed as long as it is current (RFC 9919 section 5).
///
/// # Errors
/// An [`Unbelievable`].
pub fn verdict(
    response: &[u8],
    certificate: &[u8],
    issuer: &[u8],
    nonce: &[u8],
    now: Timestamp,
) -> Result<Verdict, Unbelievable> {
    let outer = OcspResponse::from_der(response).map_err(|_| Unbelievable::NotAnAnswer)?;
    if outer.response_status != OcspResponseStatus::Successful {
        return Err(Unbelievable::Refused);
    }
    let basic = outer.response_bytes.filter(|bytes| bytes.response_type == ID_PKIX_OCSP_BASIC);
    let basic = basic.ok_or(Unbelievable::NotAnAnswer)?;
    let basic = basic.response.as_bytes();
    let read = BasicOcspResponse::from_der(basic).map_err(|_| Unbelievable::NotAnAnswer)?;
    check_signature(basic, &read, issuer, now)?;
    if read.nonce().is_some_and(|theirs| theirs.0.as_bytes() != nonce) {
        return Err(Unbelievable::OtherQuestion);
    }
    let asked = cert_id(certificate, issuer)?;
    let mut answers = read.tbs_response_data.responses.iter().filter(|answer| same(&answer.cert_id, &asked));
    let answer = answers.next().ok_or(Unbelievable::OtherQuestion)?;
    let moment = |time: &x509_ocsp::OcspGeneralizedTime| {
        let seconds = time.0.to_unix_duration().as_secs();
        Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    };
    let this_update = moment(&answer.this_update);
    let skew = std::time::Duration::from_secs(300);
    let ended = answer.next_update.as_ref().is_none_or(|next| moment(next).plus(skew) < now);
    if this_update > now.plus(skew) || ended {
        return Err(Unbelievable::NotCurrent);
    }
    let status = match &answer.cert_status {
        CertStatus::Good(_) => Standing::Good,
        CertStatus::Revoked(revoked) => Standing::Revoked(moment(&revoked.revocation_time)),
        CertStatus::Unknown(_) => Standing::Unknown,
    };
    Ok(Verdict { status, this_update })
}

fn cert_id(certificate: &[u8], issuer: &[u8]) -> Result<CertId, PathFault> {
    let (certificate, issuer) = (path::read(certificate)?, path::read(issuer)?);
    let hash = |octets: &[u8]| OctetString::new(digest(&SHA256, octets).as_ref());
    let encoded = || -> der::Result<CertId> {
        Ok(CertId {
            hash_algorithm: AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None },
            issuer_name_hash: hash(issuer.subject().as_raw())?,
            issuer_key_hash: hash(&issuer.public_key().subject_public_key.data)?,
            serial_number: SerialNumber::new(certificate.raw_serial())?,
        })
    };
    encoded().map_err(|_| PathFault::NotACertificate)
}

/// Parameters of the hash may be NULL or absent.
fn same(one: &CertId, other: &CertId) -> bool {
    one.hash_algorithm.oid == other.hash_algorithm.oid
        && one.issuer_name_hash == other.issuer_name_hash
        && one.issuer_key_hash == other.issuer_key_hash
        && one.serial_number == other.serial_number
}

/// RFC 6960 section 4.2.2.2, over the octets as they were received.
fn check_signature(
    basic: &[u8],
    read: &BasicOcspResponse,
    issuer: &[u8],
    now: Timestamp,
) -> Result<(), Unbelievable> {
    let parts = || {
        let mut fields = Reader::new(basic).sequence()?;
        Ok::<_, crate::tlv::NotDer>((fields.element()?, fields.element()?, fields.element()?))
    };
    let (signed, algorithm, signature) = parts().map_err(|_| Unbelievable::NotAnAnswer)?;
    let (_, algorithm) =
        AlgorithmIdentifier::from_der(algorithm.encoded).map_err(|_| Unbelievable::NotAnAnswer)?;
    let (_, signature) = BitString::from_der(signature.encoded).map_err(|_| Unbelievable::NotAnAnswer)?;
    let signed_by = |signer: &X509Certificate<'_>| {
        verification::verify(signer.public_key(), &algorithm, signed.encoded, &signature).is_ok()
    };
    if signed_by(&path::read(issuer)?) {
        return Ok(());
    }
    for certificate in read.certs.iter().flatten() {
        let der = certificate.to_der().map_err(|_| Unbelievable::NotAnAnswer)?;
        let responder = path::read(&der)?;
        if signed_by(&responder) && authorized(&responder, now) && path::issued_by(&der, issuer).is_ok() {
            return Ok(());
        }
    }
    Err(Unbelievable::Signature)
}

fn authorized(responder: &X509Certificate<'_>, now: Timestamp) -> bool {
    let validity = responder.validity();
    let valid =
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now.unix_seconds());
    let signs =
        responder.extended_key_usage().is_ok_and(|usage| usage.is_some_and(|usage| usage.value.ocsp_signing));
    valid && signs
}
