//! Reading a signed document, and whether it is signed.

use aws_lc_rs::digest::{SHA256, digest};
use ca_core::Timestamp;
use ca_core::csr::SubjectPublicKey;
use ca_core::statement::{StatementRefusal, verify_content};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_AA_SIGNING_CERTIFICATE_V_2, ID_SIGNED_DATA, ID_SIGNING_TIME};
use const_oid::db::rfc5912::ID_CE_SUBJECT_KEY_IDENTIFIER;
use der::asn1::{OctetString, OctetStringRef};
use der::{Any, Decode, Encode};
use x509_cert::Certificate;
use x509_cert::time::Time;

use crate::key::public_key;
use crate::trouble::{Exit, Trouble};

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
    pub fn read(octets: &[u8]) -> Result<Self, Trouble> {
        let refused = |refusal: StatementRefusal| refused(refusal);
        let der = super::der(octets);
        let outer = ContentInfo::from_der(&der).map_err(|_| refused(StatementRefusal::NotSignedData))?;
        if outer.content_type != ID_SIGNED_DATA {
            return Err(refused(StatementRefusal::NotSignedData));
        }
        let signed: SignedData =
            outer.content.decode_as().map_err(|_| refused(StatementRefusal::NotSignedData))?;
        let content = match &signed.encap_content_info.econtent {
            Some(content) => {
                let octets: OctetStringRef<'_> =
                    content.decode_as().map_err(|_| refused(StatementRefusal::NotSignedData))?;
                Some(octets.as_bytes().to_vec())
            }
            None => None,
        };
        let [signer] = signed.signer_infos.0.as_slice() else {
            return Err(refused(StatementRefusal::SignerCount));
        };
        let (own, others): (Vec<_>, Vec<_>) =
            certificates(&signed).into_iter().partition(|certificate| is_named(certificate, &signer.sid));
        let to_der = |certificate: &Certificate| certificate.to_der().ok();
        let certificate = own.first().and_then(to_der);
        Ok(Self {
            signer: signer.clone(),
            content,
            certificate: certificate
                .ok_or_else(|| Trouble::new("no-signer-certificate", Exit::NotTrusted))?,
            others: others.iter().filter_map(to_der).collect(),
            der,
        })
    }

    /// Whether the key of the signer's certificate signed `content`, and meant this certificate.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn verify(&self, content: &[u8]) -> Result<(), Trouble> {
        let key = SubjectPublicKey::from_spki_der(&public_key(&self.certificate)?)
            .map_err(|refusal| refused(refusal.into()))?;
        verify_content(&self.der, content, &key).map_err(refused)?;
        match self.attribute(ID_AA_SIGNING_CERTIFICATE_V_2) {
            Some(meant) if !means(meant, &self.certificate) => {
                Err(Trouble::new("other-certificate-meant", Exit::NotTrusted))
            }
            _ => Ok(()),
        }
    }

    /// When it was signed, as the signer's own clock said: nothing proves it.
    pub fn signing_time(&self) -> Option<Timestamp> {
        let time = Time::from_der(&self.attribute(ID_SIGNING_TIME)?.to_der().ok()?).ok()?;
        i64::try_from(time.to_unix_duration().as_secs()).ok().map(Timestamp::from_unix_seconds)
    }

    fn attribute(&self, kind: ObjectIdentifier) -> Option<&Any> {
        let attributes = self.signer.signed_attrs.as_ref()?;
        attributes.iter().find(|attribute| attribute.oid == kind)?.values.iter().next()
    }
}

/// All certificates of a SignedData without signers, as the CA hands them out (RFC 8551 section 3.8).
pub(crate) fn bundle(der: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
    let wrong = || Trouble::new("no-certificate", Exit::NotTrusted);
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

/// RFC 5652 section 5.3, sid.
fn is_named(certificate: &Certificate, signer: &SignerIdentifier) -> bool {
    let certificate = &certificate.tbs_certificate;
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(name) => {
            name.issuer == certificate.issuer && name.serial_number == certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(identifier) => {
            certificate.extensions.iter().flatten().any(|extension| {
                extension.extn_id == ID_CE_SUBJECT_KEY_IDENTIFIER
                    && OctetString::from_der(extension.extn_value.as_bytes())
                        .is_ok_and(|value| value == identifier.0)
            })
        }
    }
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

fn refused(refusal: StatementRefusal) -> Trouble {
    Trouble::of_rule(refusal.name(), Exit::NotTrusted)
}
