//! From a decision to a certificate: `prepare`, record the plan, `issue`.
//!
//! [`Issuer::prepare`] decides what the certificate says, builds its to-be-signed bytes and lints them; what comes out
//! is a [`Prepared`], and only a `Prepared` can be signed, once. A caller records `Prepared::tbs` before it calls
//! [`Issuer::issue`]; after a crash in between, [`Issuer::resume`] makes the same `Prepared` from the record.

use std::sync::Arc;

use der::Encode;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::{TbsCertificate, X509Certificate};

use crate::profile::{Kind, Profile, SubjectFields};
use crate::signer::{SignError, Signer};
use crate::{SerialNumber, Timestamp};

mod build;
mod content;
mod extension;
mod finding;
mod lint;
mod prepared;
mod render;
mod throwaway;

pub use finding::{Finding, Violation};
pub use prepared::{Certificate, Prepared};
pub use render::{NotACertificate, render};

use content::Content;
use throwaway::Throwaway;

/// Where the issuer's status and policy are found; written into the certificates whose profile asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// The OCSP responder; plain http.
    pub ocsp: String,
    /// The issuer's certificate, DER; plain http.
    pub ca_issuers: String,
    /// The issuer's undivided CRL; plain http. A profile with shards writes the shard's address beside it.
    pub crl: String,
    /// The certification practice statement; http or https.
    pub cps: String,
}

impl Urls {
    /// The addresses below a service's public URL (no slash at its end), for the issuer that the repository calls
    /// `issuer`.
    pub fn below(public_url: &str, issuer: &str) -> Self {
        Self {
            ocsp: format!("{public_url}/ocsp"),
            ca_issuers: format!("{public_url}/repository/{issuer}.cer"),
            crl: format!("{public_url}/repository/{issuer}.crl"),
            cps: format!("{public_url}/cps"),
        }
    }
}

/// What a certificate is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The subject; the profile picks from it.
    pub subject: SubjectFields,
    /// The subject's key: a DER SubjectPublicKeyInfo, copied octet by octet. Its owner's possession of the private key,
    /// and its strength, have been checked before (`csr`).
    pub public_key: Vec<u8>,
    /// Never used before under this issuer; the caller's record guarantees it.
    pub serial: SerialNumber,
    /// The present moment; the certificate begins at its second.
    pub now: Timestamp,
    /// The issuer's addresses.
    pub urls: Urls,
    /// The validity in calendar months, or the profile's default.
    pub months: Option<u32>,
}

/// Why a certificate and a key do not make an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not one DER certificate.
    #[error("the issuer's certificate is not one DER certificate")]
    Unreadable,
    /// RFC 5280 sections 4.2.1.3 and 4.2.1.9.
    #[error("an issuer's certificate says cA TRUE and keyCertSign")]
    NotCa,
    /// RFC 5280 section 4.2.1.2: a CA's certificate has a subjectKeyIdentifier.
    #[error("an issuer's certificate has a subjectKeyIdentifier")]
    NoKeyIdentifier,
    /// The signer's key is not the certificate's.
    #[error("the signing key is not the one in the issuer's certificate")]
    KeyMismatch,
    /// [`Issuer::self_signed`] makes roots only.
    #[error("only a root's certificate is signed with its own key")]
    NotRoot,
    /// The lint's throwaway key could not be made.
    #[error("the lint's throwaway key cannot be made")]
    Throwaway,
    /// The root's certificate breaks its profile.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The root's key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A CA: its certificate, and the key that signs for it.
pub struct Issuer {
    certificate: Vec<u8>,
    /// The raw subject of the certificate: the issuer field of all it issues (RFC 5280 section 4.1.2.4).
    subject: Vec<u8>,
    /// `None` only while a root's own certificate is made.
    key_identifier: Option<Vec<u8>>,
    not_before: Timestamp,
    not_after: Timestamp,
    path_len: Option<u32>,
    /// The DER of `signer.algorithm()`.
    algorithm: Vec<u8>,
    signer: Arc<dyn Signer>,
    throwaway: Throwaway,
}

impl Issuer {
    /// A CA that exists: its DER certificate and its key.
    ///
    /// # Errors
    /// [`IssuerError`]: the certificate is not a CA's, or the key not the certificate's.
    pub fn new(certificate: &[u8], signer: Arc<dyn Signer>) -> Result<Self, IssuerError> {
        let Ok(([], read)) = X509Certificate::from_der(certificate) else {
            return Err(IssuerError::Unreadable);
        };
        if read.public_key().raw != signer.public_key() {
            return Err(IssuerError::KeyMismatch);
        }
        let constraints = read.basic_constraints().map_err(|_| IssuerError::Unreadable)?;
        let usage = read.key_usage().map_err(|_| IssuerError::Unreadable)?;
        let path_len = match constraints {
            Some(constraints) if constraints.value.ca => constraints.value.path_len_constraint,
            _ => return Err(IssuerError::NotCa),
        };
        if !usage.is_some_and(|usage| usage.value.key_cert_sign()) {
            return Err(IssuerError::NotCa);
        }
        let key_identifier =
            read.extensions().iter().find_map(|extension| match extension::Extension::read(extension) {
                Some(extension::Extension::SubjectKeyIdentifier(identifier)) => Some(identifier.into_owned()),
                _ => None,
            });
        let identity = Identity {
            certificate: certificate.to_vec(),
            subject: read.subject().as_raw().to_vec(),
            key_identifier: Some(key_identifier.ok_or(IssuerError::NoKeyIdentifier)?),
            not_before: lint::timestamp(&read.validity().not_before),
            not_after: lint::timestamp(&read.validity().not_after),
            path_len,
        };
        Self::with(identity, signer)
    }

    /// A root that does not exist yet: its certificate is prepared, linted and signed by its own key.
    ///
    /// # Errors
    /// [`IssuerError`]: the profile is not a root's, or its certificate breaks the profile.
    pub fn self_signed(
        profile: &Profile,
        request: Request,
        signer: Arc<dyn Signer>,
    ) -> Result<(Self, Certificate), IssuerError> {
        if profile.kind() != Kind::Root {
            return Err(IssuerError::NotRoot);
        }
        let subject =
            content::subject(profile, &request.subject).map_err(|findings| Violation { findings })?;
        let subject = build::name(&subject).map_err(|error| Violation::from(Finding::Encoding(error)))?;
        let unborn = Identity {
            certificate: Vec::new(),
            subject,
            key_identifier: None,
            not_before: Timestamp::EPOCH,
            not_after: Timestamp::MAX,
            path_len: None,
        };
        let unborn = Self::with(unborn, Arc::clone(&signer))?;
        let prepared = unborn.prepare(profile, request)?;
        let certificate = unborn.issue(prepared)?;
        Ok((Self::new(&certificate.der, signer)?, certificate))
    }

    fn with(identity: Identity, signer: Arc<dyn Signer>) -> Result<Self, IssuerError> {
        let algorithm = &signer.algorithm().identifier;
        let throwaway = Throwaway::like(algorithm).ok_or(IssuerError::Throwaway)?;
        let algorithm = algorithm.to_der().map_err(|_| IssuerError::Throwaway)?;
        let Identity { certificate, subject, key_identifier, not_before, not_after, path_len } = identity;
        Ok(Self {
            certificate,
            subject,
            key_identifier,
            not_before,
            not_after,
            path_len,
            algorithm,
            signer,
            throwaway,
        })
    }

    /// The DER certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The DER Name of the CA, exactly as its certificate has it: the issuer field of certificates, CRLs and CertIDs.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The certificate's subjectKeyIdentifier: the authorityKeyIdentifier of all that the CA signs.
    pub fn key_identifier(&self) -> &[u8] {
        self.key_identifier.as_deref().unwrap_or_default()
    }

    /// The last second of the CA's certificate.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The CA's key.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// Decides what the certificate says, builds its to-be-signed bytes, and lints them: signed with a throwaway key and
    /// read back by a second parser. A validity that passes the issuer's own end is shortened to it.
    ///
    /// # Errors
    /// Every rule that is broken, not only the first.
    pub fn prepare(&self, profile: &Profile, request: Request) -> Result<Prepared<'_>, Violation> {
        let content = Content::decide(self, profile, &request)?;
        let tbs = build::tbs(&content, &self.subject, &self.algorithm).map_err(Finding::Encoding)?;
        self.lint(profile, &content, &tbs)?;
        let Content { not_before, not_after, crl_partition, .. } = content;
        Ok(Prepared { issuer: self, tbs, serial: request.serial, not_before, not_after, crl_partition })
    }

    /// After a crash: the recorded bytes become a [`Prepared`] again. They are linted like new ones against the same
    /// request, but begin when they were prepared, which is before `request.now`.
    ///
    /// # Errors
    /// Every rule that is broken: the record is not a certificate that this profile and this request give.
    pub fn resume(
        &self,
        profile: &Profile,
        request: Request,
        recorded_tbs: &[u8],
    ) -> Result<Prepared<'_>, Violation> {
        let began = match TbsCertificate::from_der(recorded_tbs) {
            Ok((_, read)) => lint::timestamp(&read.validity().not_before),
            Err(error) => return Err(Finding::Unreadable(error.to_string()).into()),
        };
        if began > request.now {
            return Err(Finding::RecordedInFuture(began).into());
        }
        let request = Request { now: began, ..request };
        let content = Content::decide(self, profile, &request)?;
        self.lint(profile, &content, recorded_tbs)?;
        if build::tbs(&content, &self.subject, &self.algorithm).map_err(Finding::Encoding)? != recorded_tbs {
            return Err(Finding::NotOurEncoding.into());
        }
        let Content { not_before, not_after, crl_partition, .. } = content;
        let tbs = recorded_tbs.to_vec();
        Ok(Prepared { issuer: self, tbs, serial: request.serial, not_before, not_after, crl_partition })
    }

    /// Signs what was prepared.
    ///
    /// # Errors
    /// The key failed, or another issuer prepared the certificate.
    pub fn issue(&self, prepared: Prepared<'_>) -> Result<Certificate, SignError> {
        if !std::ptr::eq(self, prepared.issuer) {
            return Err(SignError("another issuer prepared the certificate".to_owned()));
        }
        let signature = self.signer.sign(&prepared.tbs)?;
        let der = build::certificate(&prepared.tbs, &self.algorithm, &signature)
            .map_err(|error| SignError(format!("the signature cannot be encoded: {error}")))?;
        let Prepared { tbs, serial, not_before, not_after, crl_partition, .. } = prepared;
        Ok(Certificate { der, tbs, serial, not_before, not_after, crl_partition })
    }

    fn lint(&self, profile: &Profile, content: &Content<'_>, tbs: &[u8]) -> Result<(), Violation> {
        let signature = self.throwaway.sign(tbs).map_err(|_| Finding::Throwaway)?;
        let certificate = build::certificate(tbs, &self.algorithm, &signature)
            .map_err(|error| Finding::Unreadable(error.to_string()))?;
        let findings = lint::check(self, profile, content, &certificate, tbs);
        if findings.is_empty() { Ok(()) } else { Err(Violation { findings }) }
    }
}

/// What an issuer knows of itself from its certificate.
struct Identity {
    certificate: Vec<u8>,
    subject: Vec<u8>,
    key_identifier: Option<Vec<u8>>,
    not_before: Timestamp,
    not_after: Timestamp,
    path_len: Option<u32>,
}
