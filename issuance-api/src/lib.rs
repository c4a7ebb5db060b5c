//! The registration authority over HTTP: applicants, officers, payments.

pub mod captcha_picture;
pub mod evidence;
pub mod invoice_pdf;
pub mod sealed;
