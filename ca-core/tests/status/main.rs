//! Certificate status, judged by software that others wrote: OpenSSL, x509-ocsp, `ocsp`, rcgen and x509-parser.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod authority;
mod crl_delta;
mod crl_judge;
mod crl_judges;
mod crl_writer;
mod ocsp_request;
mod ocsp_response;
mod ocsp_verdict;
