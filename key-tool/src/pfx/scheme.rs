//! Password-based encryption as files state it: PBES2 (RFC 8018 section 6.2).

use der::AnyRef;
use der::asn1::OctetStringRef;
use der::{Decode, Reader, Sequence, Tag};
use pkcs8::pkcs5::pbes2::{
    EncryptionScheme, Kdf, PBES2_OID, PBKDF2_OID, Parameters, Pbkdf2Params, Pbkdf2Prf,
};
use spki::AlgorithmIdentifierRef;

use super::Fault;

/// RFC 8018 appendix B.1.
const PRFS: [Pbkdf2Prf; 5] = [
    Pbkdf2Prf::HmacWithSha1,
    Pbkdf2Prf::HmacWithSha224,
    Pbkdf2Prf::HmacWithSha256,
    Pbkdf2Prf::HmacWithSha384,
    Pbkdf2Prf::HmacWithSha512,
];

/// EncryptedPrivateKeyInfo (RFC 5208 section 6).
#[derive(Sequence)]
pub(super) struct EncryptedKey<'a> {
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) octets: OctetStringRef<'a>,
}

/// The parameters of PBES2 with PBKDF2. Unlike the `pkcs5` crate this accepts a pseudorandom function without the NULL that RFC
/// 8018 appendix B.1.1 wants behind it: GnuTLS leaves it out.
pub(super) fn read<'a>(algorithm: &AlgorithmIdentifierRef<'a>) -> Result<Parameters<'a>, Fault> {
    let parameters = algorithm.parameters.filter(|_| algorithm.oid == PBES2_OID).ok_or(Fault::Unsupported)?;
    let (kdf, encryption) = parameters
        .sequence(|reader| {
            Ok((AlgorithmIdentifierRef::decode(reader)?, AlgorithmIdentifierRef::decode(reader)?))
        })
        .map_err(|_| Fault::NotPfx)?;
    let kdf_parameters = kdf.parameters.filter(|_| kdf.oid == PBKDF2_OID).ok_or(Fault::Unsupported)?;
    Ok(Parameters {
        kdf: Kdf::Pbkdf2(pbkdf2(kdf_parameters)?),
        encryption: EncryptionScheme::try_from(encryption).map_err(|_| Fault::Unsupported)?,
    })
}

/// RFC 8018 appendix A.2; HMAC-SHA-1 is the default.
fn pbkdf2(parameters: AnyRef<'_>) -> Result<Pbkdf2Params<'_>, Fault> {
    let read = parameters.sequence(|reader| {
        let salt = OctetStringRef::decode(reader)?.as_bytes();
        let iterations = u32::decode(reader)?;
        let key_length = match reader.peek_tag() {
            Ok(Tag::Integer) => Some(u16::decode(reader)?),
            _ => None,
        };
        let prf = if reader.is_finished() { None } else { Some(AlgorithmIdentifierRef::decode(reader)?) };
        Ok((salt, iterations, key_length, prf))
    });
    let (salt, iteration_count, key_length, prf) = read.map_err(|_| Fault::NotPfx)?;
    let prf = match prf {
        None => Pbkdf2Prf::HmacWithSha1,
        Some(prf) => PRFS.into_iter().find(|known| known.oid() == prf.oid).ok_or(Fault::Unsupported)?,
    };
    Ok(Pbkdf2Params { salt, iteration_count, key_length, prf })
}
