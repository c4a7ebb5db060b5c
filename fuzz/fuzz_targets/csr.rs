//! Whatever is sent as a certification request is refused or is one that x509-parser reads and believes too.
#![no_main]

use ca_core::csr::CertificationRequest;
use libfuzzer_sys::fuzz_target;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

fuzz_target!(|octets: &[u8]| {
    let Ok(request) = CertificationRequest::parse(octets) else { return };
    let (rest, theirs) = X509CertificationRequest::from_der(request.der()).expect("we have read it");
    assert!(rest.is_empty());
    // A compressed point is written uncompressed in the certificate; whose key it is stays the same.
    let (_, ours) = SubjectPublicKeyInfo::from_der(request.public_key().spki_der()).expect("we have made it");
    assert_eq!(ours.algorithm.algorithm, theirs.certification_request_info.subject_pki.algorithm.algorithm);
});
