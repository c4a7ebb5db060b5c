//! OCSPResponse (RFC 6960 section 4.2.1): what never changes is encoded once, what changes is written between.

use std::sync::Arc;
use std::time::Duration;

use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NOCHECK, ID_PKIX_OCSP_NONCE};
use der::Encode;
use x509_parser::prelude::{FromDer, X509Certificate, X509Extension};

use super::IssuerKeyIds;
use crate::Timestamp;
use crate::crl::Revocation;
use crate::revocation::Status;
use crate::signer::{SignError, Signer};
use crate::tlv::{
    self, BIT_STRING, ENUMERATED, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, constructed, primitive,
};
use crate::verification::verify;

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
    /// Never issued.
    Unknown,
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

/// A key that signs answers in its CA's name: everything about it that stands in every answer is encoded already.
pub struct Responder {
    signer: Arc<dyn Signer>,
    responder_id: Vec<u8>,
    signature_algorithm: Vec<u8>,
    certificates: Vec<u8>,
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
        let not_after = check_certificate(certificate, issuer, signer.public_key())?;
        let key_hash = IssuerKeyIds::key_hash_of(signer.public_key()).ok_or(UnfitResponder::OtherKey)?;
        let mut responder_id = Vec::new();
        tlv::nested(&mut responder_id, constructed(2), |out| {
            tlv::element(out, OCTET_STRING, key_hash.as_ref())
        });
        let signature_algorithm =
            signer.algorithm().identifier.to_der().map_err(|_| UnfitResponder::Algorithm)?;
        let mut certificates = Vec::new();
        tlv::nested(&mut certificates, constructed(0), |out| tlv::element(out, SEQUENCE, certificate));
        Ok(Self { signer, responder_id, signature_algorithm, certificates, not_after })
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
        let response_data = self.response_data(answers, validity, nonce);
        let signature = self.signer.sign(&response_data)?;
        let mut out =
            Vec::with_capacity(response_data.len() + self.certificates.len() + signature.len() + 64);
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
                            out.extend_from_slice(&self.certificates);
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
            if let Some(nonce) = nonce {
                tlv::nested(out, constructed(1), |out| {
                    tlv::nested(out, SEQUENCE, |out| {
                        tlv::extension(out, ID_PKIX_OCSP_NONCE, false, |out| {
                            tlv::element(out, OCTET_STRING, nonce);
                        });
                    });
                });
            }
        });
        out
    }
}

fn single_response(out: &mut Vec<u8>, answer: &Answer<'_>, validity: &Validity) {
    tlv::nested(out, SEQUENCE, |out| {
        out.extend_from_slice(answer.cert_id);
        match answer.status {
            CertStatus::Good => tlv::element(out, primitive(0), &[]),
            CertStatus::Unknown => tlv::element(out, primitive(2), &[]),
            CertStatus::Revoked(revocation) => tlv::nested(out, constructed(1), |out| {
                tlv::generalized_time(out, revocation.since);
                if let Some(code) = revocation.reason_code {
                    tlv::nested(out, constructed(0), |out| tlv::element(out, ENUMERATED, &[code]));
                }
            }),
        }
        tlv::generalized_time(out, validity.this_update);
        tlv::nested(out, constructed(0), |out| tlv::generalized_time(out, validity.next_update));
    });
}

/// The end of the certificate, if it makes its holder a responder for this issuer.
fn check_certificate(
    certificate: &[u8],
    issuer: &[u8],
    public_key: &[u8],
) -> Result<Timestamp, UnfitResponder> {
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
    Ok(Timestamp::from_unix_seconds(certificate.validity().not_after.timestamp()))
}
