//! OCSPResponse (RFC 6960 section 4.2.1): what never changes is encoded once, what changes is written between.

use std::sync::Arc;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc6960::{
    ID_PKIX_OCSP_ARCHIVE_CUTOFF, ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NOCHECK, ID_PKIX_OCSP_NONCE,
};
use der::Encode;
use x509_parser::prelude::{FromDer, X509Certificate, X509Extension};

use super::IssuerKeyIds;
use crate::Timestamp;
use crate::crl::Revocation;
use crate::revocation::Status;
use crate::signer::{SignError, Signer};
use crate::tlv::{
    self, BIT_STRING, ENUMERATED, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, constructed, primitive,
};
use crate::verification::verify;

/// id-pkix-ocsp-extended-revoke (RFC 6960 section 4.4.8).
const ID_PKIX_OCSP_EXTENDED_REVOKE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.9");

/// CRLReason certificateHold: what RFC 6960 section 2.2 has said of certificates that were never issued.
const CERTIFICATE_HOLD: u8 = 6;

/// An OCSPResponseStatus that carries no answer (RFC 6960 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStatus {
    /// The request breaks a rule of [`super::RequestError`].
    MalformedRequest,
    /// The responder failed.
    InternalError,
    /// The responder cannot answer now, for example because it does not know the present.
    TryLater,
    /// The responder is not the authority for the certificate.
    Unauthorized,
}

impl ErrorStatus {
    /// The complete DER of the OCSPResponse.
    pub fn response(self) -> &'static [u8] {
        match self {
            Self::MalformedRequest => &[SEQUENCE, 3, ENUMERATED, 1, 1],
            Self::InternalError => &[SEQUENCE, 3, ENUMERATED, 1, 2],
            Self::TryLater => &[SEQUENCE, 3, ENUMERATED, 1, 3],
            Self::Unauthorized => &[SEQUENCE, 3, ENUMERATED, 1, 6],
        }
    }
}

/// RFC 6960 section 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertStatus {
    /// Issued, and nobody has taken its validity away.
    Good,
    /// Revoked, or on hold (reason certificateHold).
    Revoked(Revocation),
    /// Never issued, told as `unknown`.
    Unknown,
    /// Never issued, told as `revoked` since 1970 with reason certificateHold; the response then carries
    /// id-pkix-ocsp-extended-revoke (RFC 6960 sections 2.2 and 4.4.8).
    NeverIssued,
}

impl From<Status> for CertStatus {
    fn from(status: Status) -> Self {
        Revocation::of(status).map_or(Self::Good, Self::Revoked)
    }
}

/// One SingleResponse.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The CertID of the request, to the octet.
    pub cert_id: &'a [u8],
    /// Its status.
    pub status: CertStatus,
    /// Of an expired certificate: since when statuses are kept beyond expiry (RFC 6960 section 4.4.4).
    pub archive_cutoff: Option<Timestamp>,
}

/// The times of an answer, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When the answer was signed.
    pub produced_at: Timestamp,
    /// When the status was known to be right.
    pub this_update: Timestamp,
    /// Until when the answer may be relied upon.
    pub next_update: Timestamp,
}

/// A key that signs answers in the name of the CA that certified it: everything about it that stands in every answer
/// is encoded already.
pub struct Responder {
    signer: Arc<dyn Signer>,
    responder_id: Vec<u8>,
    signature_algorithm: Vec<u8>,
    /// Its certificate, as an element of `certs`.
    certificate: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Why a certificate and a key are no responder (RFC 6960 section 4.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitResponder {
    /// One of them is not one certificate in DER.
    #[error("the responder's or its issuer's certificate cannot be read")]
    NotACertificate,
    /// A responder is certified by the CA itself, for whose certificates it answers.
    #[error("the responder's certificate was not issued by the CA it answers for (RFC 6960 section 4.2.2.2)")]
    OtherIssuer,
    /// The key is another one.
    #[error("the responder's certificate is for another key")]
    OtherKey,
    /// Without id-kp-OCSPSigning nobody believes the answers.
    #[error("the responder's certificate lacks id-kp-OCSPSigning (RFC 6960 section 4.2.2.2)")]
    NotForOcsp,
    /// Without id-pkix-ocsp-nocheck clients would ask the responder about itself.
    #[error("the responder's certificate lacks id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1)")]
    NoNocheck,
    /// The algorithm has no encoding.
    #[error("the signature algorithm cannot be encoded")]
    Algorithm,
}

impl Responder {
    /// A responder with this key, the certificate that the CA gave it, and the CA's certificate, both in DER.
    ///
    /// # Errors
    /// An [`UnfitResponder`]: clients would refuse its answers.
    pub fn new(signer: Arc<dyn Signer>, certificate: &[u8], issuer: &[u8]) -> Result<Self, UnfitResponder> {
        let (not_before, not_after) = check_certificate(certificate, issuer, signer.public_key())?;
        let key_hash = IssuerKeyIds::key_hash_of(signer.public_key()).ok_or(UnfitResponder::OtherKey)?;
        let mut responder_id = Vec::new();
        tlv::nested(&mut responder_id, constructed(2), |out| {
            tlv::element(out, OCTET_STRING, key_hash.as_ref())
        });
        let signature_algorithm =
            signer.algorithm().identifier.to_der().map_err(|_| UnfitResponder::Algorithm)?;
        let certificate = certificate.to_vec();
        Ok(Self { signer, responder_id, signature_algorithm, certificate, not_before, not_after })
    }

    /// The beginning of the responder's certificate.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The end of the responder's certificate: no answer is valid beyond it.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The times of an answer signed `now` from statuses known to be right `as_of`, to hold for `lifetime` from then:
    /// less where the responder's certificate ends first; `None` where that is past already.
    pub fn validity(&self, as_of: Timestamp, now: Timestamp, lifetime: Duration) -> Option<Validity> {
        let produced_at = now.whole_seconds();
        let this_update = as_of.whole_seconds().min(produced_at);
        let next_update = this_update.plus(lifetime).whole_seconds().min(self.not_after);
        (next_update > now).then_some(Validity { produced_at, this_update, next_update })
    }

    /// Signs the DER of a successful OCSPResponse with one SingleResponse for each answer, in their order.
    ///
    /// # Errors
    /// The key failed; the client is to be told [`ErrorStatus::InternalError`] or [`ErrorStatus::TryLater`].
    pub fn respond(
        &self,
        answers: &[Answer<'_>],
        validity: &Validity,
        nonce: Option<&[u8]>,
    ) -> Result<Vec<u8>, SignError> {
        self.respond_with(&[], answers, validity, nonce)
    }

    /// The same for answers about certificates of several CAs: `others` are the same key with the certificates that the
    /// other CAs gave it. The one byKey ResponderID names all of these certificates, and whoever asked about a CA's
    /// certificate finds the one that this CA issued (RFC 6960 section 4.2.2.2).
    ///
    /// # Errors
    /// As [`Responder::respond`].
    pub fn respond_with(
        &self,
        others: &[Arc<Self>],
        answers: &[Answer<'_>],
        validity: &Validity,
        nonce: Option<&[u8]>,
    ) -> Result<Vec<u8>, SignError> {
        let response_data = self.response_data(answers, validity, nonce);
        let signature = self.signer.sign(&response_data)?;
        let certificates = self.certificate.len() + others.iter().map(|o| o.certificate.len()).sum::<usize>();
        let mut out = Vec::with_capacity(response_data.len() + certificates + signature.len() + 64);
        tlv::nested(&mut out, SEQUENCE, |out| {
            tlv::element(out, ENUMERATED, &[0]);
            tlv::nested(out, constructed(0), |out| {
                tlv::nested(out, SEQUENCE, |out| {
                    tlv::element(out, OBJECT_IDENTIFIER, ID_PKIX_OCSP_BASIC.as_bytes());
                    tlv::nested(out, OCTET_STRING, |out| {
                        tlv::nested(out, SEQUENCE, |out| {
                            out.extend_from_slice(&response_data);
                            out.extend_from_slice(&self.signature_algorithm);
                            tlv::header(out, BIT_STRING, signature.len() + 1);
                            out.push(0);
                            out.extend_from_slice(&signature);
                            tlv::nested(out, constructed(0), |out| {
                                tlv::header(out, SEQUENCE, certificates);
                                out.extend_from_slice(&self.certificate);
                                others.iter().for_each(|other| out.extend_from_slice(&other.certificate));
                            });
                        });
                    });
                });
            });
        });
        Ok(out)
    }

    /// ResponseData: what is signed.
    fn response_data(&self, answers: &[Answer<'_>], validity: &Validity, nonce: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + answers.len() * 192);
        tlv::nested(&mut out, SEQUENCE, |out| {
            out.extend_from_slice(&self.responder_id);
            tlv::generalized_time(out, validity.produced_at);
            tlv::nested(out, SEQUENCE, |out| {
                for answer in answers {
                    single_response(out, answer, validity);
                }
            });
            let extended_revoke = answers.iter().any(|answer| answer.status == CertStatus::NeverIssued);
            if nonce.is_some() || extended_revoke {
                tlv::nested(out, constructed(1), |out| {
                    tlv::nested(out, SEQUENCE, |out| response_extensions(out, nonce, extended_revoke));
                });
            }
        });
        out
    }
}

fn response_extensions(out: &mut Vec<u8>, nonce: Option<&[u8]>, extended_revoke: bool) {
    if let Some(nonce) = nonce {
        tlv::extension(out, ID_PKIX_OCSP_NONCE, false, |out| tlv::element(out, OCTET_STRING, nonce));
    }
    if extended_revoke {
        tlv::extension(out, ID_PKIX_OCSP_EXTENDED_REVOKE, false, |out| tlv::element(out, NULL, &[]));
    }
}

fn single_response(out: &mut Vec<u8>, answer: &Answer<'_>, validity: &Validity) {
    tlv::nested(out, SEQUENCE, |out| {
        out.extend_from_slice(answer.cert_id);
        match answer.status {
            CertStatus::Good => tlv::element(out, primitive(0), &[]),
            CertStatus::Unknown => tlv::element(out, primitive(2), &[]),
            CertStatus::Revoked(Revocation { since, reason_code, .. }) => {
                revoked_info(out, since, reason_code)
            }
            CertStatus::NeverIssued => revoked_info(out, Timestamp::EPOCH, Some(CERTIFICATE_HOLD)),
        }
        tlv::generalized_time(out, validity.this_update);
        tlv::nested(out, constructed(0), |out| tlv::generalized_time(out, validity.next_update));
        if let Some(cutoff) = answer.archive_cutoff {
            tlv::nested(out, constructed(1), |out| {
                tlv::nested(out, SEQUENCE, |out| {
                    tlv::extension(out, ID_PKIX_OCSP_ARCHIVE_CUTOFF, false, |out| {
                        tlv::generalized_time(out, cutoff);
                    });
                });
            });
        }
    });
}

fn revoked_info(out: &mut Vec<u8>, since: Timestamp, reason_code: Option<u8>) {
    tlv::nested(out, constructed(1), |out| {
        tlv::generalized_time(out, since);
        if let Some(code) = reason_code {
            tlv::nested(out, constructed(0), |out| tlv::element(out, ENUMERATED, &[code]));
        }
    });
}

/// Beginning and end of the certificate, if it makes its holder a responder for this issuer.
fn check_certificate(
    certificate: &[u8],
    issuer: &[u8],
    public_key: &[u8],
) -> Result<(Timestamp, Timestamp), UnfitResponder> {
    let (Ok((&[], certificate)), Ok((&[], issuer))) =
        (X509Certificate::from_der(certificate), X509Certificate::from_der(issuer))
    else {
        return Err(UnfitResponder::NotACertificate);
    };
    let (signed, signature) = (certificate.tbs_certificate.as_ref(), &certificate.signature_value);
    if certificate.issuer().as_raw() != issuer.subject().as_raw()
        || verify(issuer.public_key(), &certificate.signature_algorithm, signed, signature).is_err()
    {
        return Err(UnfitResponder::OtherIssuer);
    }
    if certificate.public_key().raw != public_key {
        return Err(UnfitResponder::OtherKey);
    }
    if !matches!(certificate.extended_key_usage(), Ok(Some(usage)) if usage.value.ocsp_signing) {
        return Err(UnfitResponder::NotForOcsp);
    }
    let is_nocheck =
        |extension: &X509Extension<'_>| extension.oid.as_bytes() == ID_PKIX_OCSP_NOCHECK.as_bytes();
    if !certificate.extensions().iter().any(is_nocheck) {
        return Err(UnfitResponder::NoNocheck);
    }
    let validity = certificate.validity();
    let seconds = |at: x509_parser::time::ASN1Time| Timestamp::from_unix_seconds(at.timestamp());
    Ok((seconds(validity.not_before), seconds(validity.not_after)))
}
