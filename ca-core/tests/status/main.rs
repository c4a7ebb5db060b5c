//! Certificate status, judged by software that others wrote: OpenSSL, x509-ocsp, `ocsp`, rcgen and x509-parser.

mod authority;
mod crl_judge;
mod crl_writer;
mod ocsp_request;
mod ocsp_response;
