//! Signed documents (CMS, RFC 5652) as other people's programs make them: reading one, and whether it is signed.

use aws_lc_rs::digest::{SHA256, digest};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_AA_SIGNING_CERTIFICATE_V_2, ID_SIGNED_DATA, ID_SIGNING_TIME};
use der::asn1::{OctetString, OctetStringRef};
use der::pem::decode_vec;
use der::{Any, Decode, Encode};
use x509_cert::Certificate;
use x509_cert::time::Time;

use crate::ber::to_der;
use crate::csr::SubjectPublicKey;
use crate::statement::{StatementRefusal, is_named, verify_content};
use crate::{SerialNumber, Timestamp};

/// Labels that programs give CMS in PEM (RFC 7468 sections 8 and 9).
const LABELS: [&str; 2] = ["CMS", "PKCS7"];

/// Why a document does not count as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureRefusal {
    /// What statements are refused for as well.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// Without it nobody knows whose key it is.
    #[error("the signer's certificate is not in the document")]
    NoSignerCertificate,
    /// RFC 5035 section 3: the signature names the certificate it is made with.
    #[error("the signature was made with another certificate in mind")]
    OtherCertificateMeant,
    /// What stands for the signer's certificate is none.
    #[error("what stands for the signer's certificate is none")]
    NoCertificate,
}

impl SignatureRefusal {
    /// The stable name, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Statement(refusal) => refusal.name(),
            Self::NoSignerCertificate => "signature-no-signer-certificate",
            Self::OtherCertificateMeant => "signature-other-certificate-meant",
            Self::NoCertificate => "signature-no-certificate",
        }
    }
}

/// A signed document that has been read and not been verified.
pub struct Signed {
    der: Vec<u8>,
    signer: SignerInfo,
    /// The content inside; none if the signature is detached.
    pub content: Option<Vec<u8>>,
    /// The signer's certificate, DER.
    pub certificate: Vec<u8>,
    /// The others that were sent along.
    pub others: Vec<Vec<u8>>,
}

impl Signed {
    /// Reads SignedData of one signer, in DER or PEM, with the signer's certificate in it.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(octets: &[u8]) -> Result<Self, SignatureRefusal> {
        let no_signed_data = |_| StatementRefusal::NotSignedData;
        let der = document_der(octets);
        let outer = ContentInfo::from_der(&der).map_err(no_signed_data)?;
        if outer.content_type != ID_SIGNED_DATA {
            return Err(StatementRefusal::NotSignedData.into());
        }
        let signed: SignedData = outer.content.decode_as().map_err(no_signed_data)?;
        let content = match &signed.encap_content_info.econtent {
            Some(content) => {
                let octets: OctetStringRef<'_> = content.decode_as().map_err(no_signed_data)?;
                Some(octets.as_bytes().to_vec())
            }
            None => None,
        };
        let [signer] = signed.signer_infos.0.as_slice() else {
            return Err(StatementRefusal::SignerCount.into());
        };
        let (own, others): (Vec<_>, Vec<_>) =
            certificates(&signed).into_iter().partition(|certificate| is_named(certificate, &signer.sid));
        let to_der = |certificate: &Certificate| certificate.to_der().ok();
        let certificate = own.first().and_then(to_der);
        Ok(Self {
            signer: signer.clone(),
            content,
            certificate: certificate.ok_or(SignatureRefusal::NoSignerCertificate)?,
            others: others.iter().filter_map(to_der).collect(),
            der,
        })
    }

    /// Whether the key of the signer's certificate signed `content`, and meant this certificate.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn verify(&self, content: &[u8]) -> Result<(), SignatureRefusal> {
        let key = SubjectPublicKey::from_spki_der(&public_key(&self.certificate)?)
            .map_err(StatementRefusal::from)?;
        verify_content(&self.der, content, &key)?;
        match self.attribute(ID_AA_SIGNING_CERTIFICATE_V_2) {
            Some(meant) if !means(meant, &self.certificate) => Err(SignatureRefusal::OtherCertificateMeant),
            _ => Ok(()),
        }
    }

    /// When it was signed, as the signer's own clock said: nothing proves it.
    pub fn signing_time(&self) -> Option<Timestamp> {
        let time = Time::from_der(&self.attribute(ID_SIGNING_TIME)?.to_der().ok()?).ok()?;
        i64::try_from(time.to_unix_duration().as_secs()).ok().map(Timestamp::from_unix_seconds)
    }

    /// The serial number of the signer's certificate; none that a CA of ours could have given.
    pub fn serial(&self) -> Option<SerialNumber> {
        let certificate = Certificate::from_der(&self.certificate).ok()?;
        SerialNumber::try_from(certificate.tbs_certificate.serial_number.as_bytes()).ok()
    }

    fn attribute(&self, kind: ObjectIdentifier) -> Option<&Any> {
        let attributes = self.signer.signed_attrs.as_ref()?;
        attributes.iter().find(|attribute| attribute.oid == kind)?.values.iter().next()
    }
}

/// All certificates of a SignedData without signers, as the CA hands them out (RFC 8551 section 3.8).
///
/// # Errors
/// [`SignatureRefusal::NoCertificate`].
pub fn bundle(der: &[u8]) -> Result<Vec<Vec<u8>>, SignatureRefusal> {
    let wrong = || SignatureRefusal::NoCertificate;
    let outer = ContentInfo::from_der(der).map_err(|_| wrong())?;
    let signed: SignedData = outer.content.decode_as().map_err(|_| wrong())?;
    certificates(&signed).iter().map(|certificate| certificate.to_der().map_err(|_| wrong())).collect()
}

fn certificates(signed: &SignedData) -> Vec<Certificate> {
    let choices = signed.certificates.iter().flat_map(|set| set.0.iter());
    choices
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
            CertificateChoices::Other(_) => None,
        })
        .collect()
}

/// The first certificate that SigningCertificateV2 names is this one. Hashes other than SHA-256 are not looked into: the
/// attribute may say more than it has to.
fn means(attribute: &Any, certificate: &[u8]) -> bool {
    let hash = || -> der::Result<Option<OctetString>> {
        let parts: Vec<Any> = attribute.decode_as()?;
        let Some(certs) = parts.first() else { return Ok(None) };
        let certs: Vec<Any> = certs.decode_as()?;
        let Some(first) = certs.first() else { return Ok(None) };
        let fields: Vec<Any> = first.decode_as()?;
        match fields.first().map(|field| field.decode_as::<OctetString>()) {
            Some(Ok(hash)) => Ok(Some(hash)),
            _ => Ok(None),
        }
    };
    match hash() {
        Ok(Some(hash)) => hash.as_bytes() == digest(&SHA256, certificate).as_ref(),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// The SubjectPublicKeyInfo, DER.
fn public_key(certificate: &[u8]) -> Result<Vec<u8>, SignatureRefusal> {
    let certificate = Certificate::from_der(certificate).map_err(|_| SignatureRefusal::NoCertificate)?;
    let key = certificate.tbs_certificate.subject_public_key_info.to_der();
    key.map_err(|_| SignatureRefusal::NoCertificate)
}

/// DER, whether it came as DER, BER or PEM.
fn document_der(octets: &[u8]) -> Vec<u8> {
    match decode_vec(octets) {
        Ok((label, der)) if LABELS.contains(&label) => to_der(&der),
        _ => to_der(octets),
    }
}
