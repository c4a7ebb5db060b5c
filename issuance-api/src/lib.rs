//! The registration authority over HTTP: applicants, officers, payments.
