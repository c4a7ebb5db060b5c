//! Certificate status over HTTP (RFC 6960).
