//! From a certificate to a root that is trusted (RFC 5280 section 6.1), for whoever receives a signature.

use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;

use crate::Timestamp;
use crate::verification::{self, Unverified};

/// How many certificates a path may have: more than any deployed hierarchy.
const LONGEST: usize = 8;

/// Why a certificate is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// One of the octet strings is no certificate.
    #[error("not a DER certificate")]
    NotACertificate,
    /// Nobody there has its issuer's name and key.
    #[error("no certificate of the issuer leads to the trusted root")]
    NoIssuer,
    /// RFC 5280 sections 4.2.1.3 and 4.2.1.9.
    #[error("an issuer in the path may not sign certificates")]
    NotAnAuthority,
    /// An issuer's key did not sign it, or by an algorithm that is not accepted.
    #[error("a signature in the path is wrong")]
    Signature,
    /// RFC 5280 section 4.1.2.5.
    #[error("a certificate in the path is not valid at that time")]
    NotValidThen,
    /// RFC 5280 section 4.2: what must be understood and is not.
    #[error("a certificate in the path has a critical extension that is not known")]
    CriticalExtension,
}

/// The certificates from `leaf` to `root`, both included, each issued by the next and all of them valid `at` that time.
/// `others` may hold what leads there, in any order, and anything else.
///
/// # Errors
/// A [`PathFault`].
pub fn path<'a>(
    leaf: &'a [u8],
    others: &[&'a [u8]],
    root: &'a [u8],
    at: Timestamp,
) -> Result<Vec<&'a [u8]>, PathFault> {
    let mut path = vec![leaf];
    let mut fault = PathFault::NoIssuer;
    loop {
        let last = path[path.len() - 1];
        check(last, at)?;
        if last == root {
            return Ok(path);
        }
        let candidates = std::iter::once(root).chain(others.iter().copied());
        let next = candidates.filter(|candidate| !path.contains(candidate)).find(|candidate| {
            issued_by(last, candidate)
                .map_err(|found| {
                    if found != PathFault::NoIssuer {
                        fault = found
                    }
                })
                .is_ok()
        });
        match next {
            Some(issuer) if path.len() < LONGEST && allowed_depth(issuer, path.len() - 1) => {
                path.push(issuer)
            }
            Some(_) => return Err(PathFault::NotAnAuthority),
            None => return Err(fault),
        }
    }
}

/// Whether the holder of `issuer` issued `certificate`: its name, its right to, its signature.
///
/// # Errors
/// A [`PathFault`] other than those of time.
pub fn issued_by(certificate: &[u8], issuer: &[u8]) -> Result<(), PathFault> {
    let (certificate, issuer) = (read(certificate)?, read(issuer)?);
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(PathFault::NoIssuer);
    }
    let signs = match issuer.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    if !issuer.is_ca() || !signs {
        return Err(PathFault::NotAnAuthority);
    }
    verification::verify(
        issuer.public_key(),
        &certificate.signature_algorithm,
        certificate.tbs_certificate.as_ref(),
        &certificate.signature_value,
    )
    .map_err(|_: Unverified| PathFault::Signature)
}

/// pathLenConstraint: how many authorities may stand between this one and the leaf (RFC 5280 section 4.2.1.9).
fn allowed_depth(issuer: &[u8], between: usize) -> bool {
    let Ok(issuer) = read(issuer) else { return false };
    let limit = match issuer.basic_constraints() {
        Ok(constraints) => constraints.and_then(|constraints| constraints.value.path_len_constraint),
        Err(_) => return false,
    };
    limit.is_none_or(|limit| usize::try_from(limit).is_ok_and(|limit| between <= limit))
}

/// What one certificate must keep, whoever issued it.
fn check(certificate: &[u8], at: Timestamp) -> Result<(), PathFault> {
    let certificate = read(certificate)?;
    let (from, until) = validity(&certificate);
    if !(from..=until).contains(&at.unix_seconds()) {
        return Err(PathFault::NotValidThen);
    }
    let unknown = certificate
        .extensions()
        .iter()
        .any(|extension| extension.critical && extension.parsed_extension().unsupported());
    if unknown { Err(PathFault::CriticalExtension) } else { Ok(()) }
}

/// Its first and last second, in unix seconds.
pub(crate) fn validity(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp(), validity.not_after.timestamp())
}

pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, PathFault> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(PathFault::NotACertificate),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

    use super::*;

    struct Authority {
        der: Vec<u8>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn params(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        if is_ca != IsCa::NoCa {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        params.is_ca = is_ca;
        params
    }

    fn authority(name: &str, is_ca: IsCa, by: Option<&Authority>) -> Authority {
        let (params, key) = (params(name, is_ca), KeyPair::generate().unwrap());
        let der = match by {
            Some(by) => params.signed_by(&key, &by.issuer).unwrap().der().to_vec(),
            None => params.self_signed(&key).unwrap().der().to_vec(),
        };
        Authority { der, issuer: Issuer::new(params, key) }
    }

    fn any() -> IsCa {
        IsCa::Ca(BasicConstraints::Unconstrained)
    }

    fn now() -> Timestamp {
        "2026-11-26T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_path_leads_from_the_leaf_to_the_trusted_root() {
        let root = authority("Root", any(), None);
        let issuing = authority("CA", any(), Some(&root));
        let leaf = authority("Leaf", IsCa::NoCa, Some(&issuing));
        let others = [leaf.der.as_slice(), issuing.der.as_slice()];
        let found = path(&leaf.der, &others, &root.der, now()).unwrap();
        assert_eq!(found, [&leaf.der[..], &issuing.der, &root.der]);
        assert_eq!(path(&leaf.der, &[], &root.der, now()), Err(PathFault::NoIssuer));
        let late = "2027-02-01T00:00:00Z".parse().unwrap();
        assert_eq!(path(&leaf.der, &others, &root.der, late), Err(PathFault::NotValidThen));
    }

    #[test]
    fn a_namesake_with_another_key_and_an_issuer_without_the_right_are_refused() {
        let root = authority("Root", any(), None);
        let namesake = authority("Root", any(), None);
        let issuing = authority("CA", any(), Some(&root));
        let others = [issuing.der.as_slice()];
        let leaf = authority("Leaf", IsCa::NoCa, Some(&issuing));
        assert_eq!(path(&leaf.der, &others, &namesake.der, now()), Err(PathFault::Signature));
        let below = authority("Below", IsCa::NoCa, Some(&leaf));
        let others = [leaf.der.as_slice(), issuing.der.as_slice()];
        assert_eq!(path(&below.der, &others, &root.der, now()), Err(PathFault::NotAnAuthority));
    }

    #[test]
    fn a_path_is_no_longer_than_its_authorities_allow() {
        let root = authority("Root", IsCa::Ca(BasicConstraints::Constrained(0)), None);
        let issuing = authority("CA", any(), Some(&root));
        let leaf = authority("Leaf", IsCa::NoCa, Some(&issuing));
        let others = [issuing.der.as_slice()];
        assert_eq!(path(&leaf.der, &others, &root.der, now()), Err(PathFault::NotAnAuthority));
    }
}
