//! What leaves a key file for other programs.

use der::pem::{LineEnding, encode_string};
use zeroize::Zeroizing;

use crate::key::Key;
use crate::password::Password;
use crate::trouble::{Exit, Trouble};

/// What to take out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The key's certificate.
    Certificate,
    /// All certificates, the key's own first.
    Chain,
    /// The private key.
    PrivateKey,
}

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 7468.
    Pem,
    /// The octets; of a chain the certs-only CMS.
    Der,
}

/// How a private key is written.
pub enum Protection<'a> {
    /// PKCS #8 (RFC 5958 section 3) encrypted under this password.
    Password(&'a Password),
    /// Readable for whoever has the file. Only on express request.
    None,
}

/// The certificate or chain.
///
/// # Errors
/// The file has no certificate.
pub fn certificates(key: &Key, part: Part, form: Form) -> Result<Vec<u8>, Trouble> {
    let own = key.certificate()?;
    let chain: Vec<&[u8]> = match part {
        Part::Chain => key.content.certificates.iter().map(Vec::as_slice).collect(),
        _ => vec![own],
    };
    match (form, part) {
        (Form::Pem, _) => Ok(ca_core::bundle::pem(chain).into_bytes()),
        (Form::Der, Part::Chain) => {
            ca_core::bundle::certs_only(chain).map_err(|_| Trouble::new("no-certificate", Exit::File))
        }
        (Form::Der, _) => Ok(own.to_vec()),
    }
}

/// The private key; wiped from memory when dropped.
///
/// # Errors
/// The cryptographic library failed; encrypted keys are written in PEM only.
pub fn private_key(
    key: &Key,
    form: Form,
    protection: &Protection<'_>,
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    match (protection, form) {
        (Protection::Password(password), _) => {
            let pem = key.signer.to_encrypted_pem(password.as_str().as_bytes());
            pem.map(|pem| Zeroizing::new(pem.as_bytes().to_vec())).map_err(|_| Trouble::cryptography())
        }
        (Protection::None, Form::Der) => Ok(Zeroizing::new(key.content.pkcs8.to_vec())),
        (Protection::None, Form::Pem) => {
            let pem = encode_string("PRIVATE KEY", LineEnding::LF, &key.content.pkcs8);
            pem.map(|pem| Zeroizing::new(pem.into_bytes())).map_err(|_| Trouble::cryptography())
        }
    }
}
