//! Whatever is sent as an OCSPRequest is refused or read within its own octets, and what is read is what x509-ocsp reads.
#![no_main]

use ca_core::ocsp::{MAX_CERT_IDS, MAX_NONCE_OCTETS, Request};
use der::{Decode, Encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(request) = Request::decode(octets) else { return };
    assert!((1..=MAX_CERT_IDS).contains(&request.cert_ids.len()));
    let within = |part: &[u8]| octets.as_ptr_range().contains(&part.as_ptr());
    assert!(request.cert_ids.iter().all(|id| within(id.encoded())));
    assert!(request.nonce.is_none_or(|nonce| within(nonce) && (1..=MAX_NONCE_OCTETS).contains(&nonce.len())));
    // It reads requestor names and signatures to their depths, which nothing here depends on: it may refuse more.
    let Ok(theirs) = x509_ocsp::OcspRequest::from_der(octets) else { return };
    let list = &theirs.tbs_request.request_list;
    assert_eq!(list.len(), request.cert_ids.len());
    for (theirs, ours) in list.iter().zip(&request.cert_ids) {
        assert_eq!(theirs.req_cert.to_der().expect("it was read"), ours.encoded());
    }
    assert_eq!(theirs.nonce().map(|nonce| nonce.0.into_bytes()), request.nonce.map(<[u8]>::to_vec));
});
