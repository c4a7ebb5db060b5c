//! The public half, as the token tells it, as a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::error::TokenError;
use crate::key::KeyName;

/// RSAPublicKey (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// The SubjectPublicKeyInfo of a private key on the token.
pub(crate) fn read(session: &Session, private: ObjectHandle, name: &KeyName) -> Result<Vec<u8>, TokenError> {
    let kind = attributes(session, private, &[AttributeType::KeyType, AttributeType::Id])?;
    let key_type = kind.iter().find_map(|found| match found {
        Attribute::KeyType(key_type) => Some(*key_type),
        _ => None,
    });
    let public = || beside(session, &kind, name);
    let read = match key_type {
        Some(KeyType::EC) => {
            let public = public()?.ok_or_else(|| TokenError::NoPublicKey(name.clone()))?;
            of_curve(&attributes(session, public, &[AttributeType::EcParams, AttributeType::EcPoint])?)
        }
        Some(KeyType::RSA) => {
            // RSA private keys know their public half (section 6.1.3).
            let holder = public()?.unwrap_or(private);
            of_modulus(&attributes(
                session,
                holder,
                &[AttributeType::Modulus, AttributeType::PublicExponent],
            )?)
        }
        _ => None,
    };
    read.ok_or_else(|| TokenError::UnsupportedKey(name.clone()))
}

/// The public key object that has the private key's id, as section 4.7 wants it.
fn beside(
    session: &Session,
    private: &[Attribute],
    name: &KeyName,
) -> Result<Option<ObjectHandle>, TokenError> {
    let id = private.iter().find_map(|found| match found {
        Attribute::Id(id) if !id.is_empty() => Some(Attribute::Id(id.clone())),
        _ => None,
    });
    let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY)];
    match id {
        Some(id) => template.push(id),
        None => template.extend(name.attributes()),
    }
    let found = session.find_objects(&template);
    Ok(found.map_err(|error| TokenError::Call("look for the public key", error))?.first().copied())
}

fn attributes(
    session: &Session,
    object: ObjectHandle,
    types: &[AttributeType],
) -> Result<Vec<Attribute>, TokenError> {
    session.get_attributes(object, types).map_err(|error| TokenError::Call("tell the public key", error))
}

fn of_curve(attributes: &[Attribute]) -> Option<Vec<u8>> {
    let (mut curve, mut point) = (None, None);
    for found in attributes {
        match found {
            Attribute::EcParams(parameters) => curve = ObjectIdentifier::from_der(parameters).ok(),
            Attribute::EcPoint(octets) => point = Some(octets.as_slice()),
            _ => {}
        }
    }
    let curve = curve?;
    let point = uncompressed(point?, field_octets(curve)?)?;
    spki(ID_EC_PUBLIC_KEY, AnyRef::from(&curve), point)
}

/// The octets of a coordinate on the curves that a CA of ours uses.
fn field_octets(curve: ObjectIdentifier) -> Option<usize> {
    match curve {
        SECP_256_R_1 => Some(32),
        SECP_384_R_1 => Some(48),
        _ => None,
    }
}

/// CKA_EC_POINT is the DER of an OCTET STRING (section 6.3.3); older modules give the point itself. Their lengths differ.
fn uncompressed(told: &[u8], field: usize) -> Option<&[u8]> {
    let point = match told.len() == 1 + 2 * field {
        true => told,
        false => OctetStringRef::from_der(told).ok()?.as_bytes(),
    };
    (point.len() == 1 + 2 * field && point[0] == 4).then_some(point)
}

fn of_modulus(attributes: &[Attribute]) -> Option<Vec<u8>> {
    let (mut modulus, mut exponent) = (None, None);
    for found in attributes {
        match found {
            Attribute::Modulus(octets) => modulus = Some(UintRef::new(octets).ok()?),
            Attribute::PublicExponent(octets) => exponent = Some(UintRef::new(octets).ok()?),
            _ => {}
        }
    }
    let key = RsaPublicKey { modulus: modulus?, public_exponent: exponent? };
    spki(RSA_ENCRYPTION, AnyRef::NULL, &key.to_der().ok()?)
}

fn spki(oid: ObjectIdentifier, parameters: AnyRef<'_>, key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters: Some(parameters) };
    let subject_public_key = BitStringRef::from_bytes(key).ok()?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_bare_and_in_an_octet_string() {
        let bare = [&[4_u8][..], &[7; 64]].concat();
        let wrapped = [&[0x04_u8, 65][..], &bare].concat();
        assert_eq!(uncompressed(&bare, 32), Some(bare.as_slice()));
        assert_eq!(uncompressed(&wrapped, 32), Some(bare.as_slice()));
        let read = |told: Vec<u8>| {
            let curve = SECP_256_R_1.to_der().unwrap();
            of_curve(&[Attribute::EcParams(curve), Attribute::EcPoint(told)])
        };
        assert_eq!(read(bare), read(wrapped));
    }

    #[test]
    fn what_is_no_uncompressed_point_of_the_curve_is_refused() {
        let compressed = [&[2_u8][..], &[7; 32]].concat();
        for told in
            [vec![], vec![4], compressed.clone(), [&[0x04_u8, 33][..], &compressed].concat(), vec![2; 65]]
        {
            assert_eq!(uncompressed(&told, 32), None, "{told:?}");
        }
        let secp256k1 = const_oid::db::rfc5912::SECP_521_R_1.to_der().unwrap();
        assert_eq!(of_curve(&[Attribute::EcParams(secp256k1), Attribute::EcPoint(vec![4; 65])]), None);
    }
}
