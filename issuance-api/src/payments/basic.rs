//! HTTP Basic (RFC 7617), as Payme and Paynet show who they are.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A user with a password.
pub(crate) struct Credentials {
    user: String,
    password: SecretString,
}

impl Credentials {
    pub(crate) fn new(user: &str, password: SecretString) -> Self {
        Self { user: user.to_owned(), password }
    }

    /// Does this `Authorization` header show them? A wrong one takes as long to refuse as one that is nearly right.
    pub(crate) fn shown_in(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, encoded)) = authorization.and_then(|value| value.trim().split_once(' ')) else {
            return false;
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(shown) = STANDARD.decode(encoded.trim()).map(Zeroizing::new) else { return false };
        let expected = Zeroizing::new(format!("{}:{}", self.user, self.password.expose_secret()));
        verify_slices_are_equal(&shown, expected.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_with_the_password_is_let_in() {
        let credentials = Credentials::new("Paycom", SecretString::from("s3cr:t"));
        // printf 'Paycom:s3cr:t' | base64
        let right = "UGF5Y29tOnMzY3I6dA==";
        assert!(credentials.shown_in(Some(&format!("Basic {right}"))));
        assert!(credentials.shown_in(Some(&format!("basic  {right} "))));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            right,
            "Bearer UGF5Y29tOnMzY3I6dA==",
            "Basic UGF5Y29tOnMzY3I6dQ==",
            "Basic ==",
        ] {
            assert!(!credentials.shown_in(Some(wrong)), "{wrong}");
        }
        assert!(!credentials.shown_in(None));
    }
}
