//! An electronic mail address that fits a certificate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest address in characters (RFC 5280 appendix A.1, ub-emailaddress-length).
const MAX: usize = 255;
/// RFC 5321 section 4.5.3.1.1.
const LOCAL_PART_MAX: usize = 64;

/// An ASCII mailbox `dot-atom@domain` (RFC 5321 section 4.1.2 without quoted strings and address literals), at most
/// 255 characters, its domain in small letters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// RFC 5280's upper bound.
    #[error("an e-mail address has at most 255 characters")]
    TooLong,
    /// Not a mailbox that every mail system and certificate reader understands.
    #[error("not an ASCII e-mail address of the form name@example.uz")]
    Form,
}

impl Email {
    /// Reads an address; the domain's capitals become small, the local part stays as given.
    ///
    /// # Errors
    /// [`EmailError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > MAX {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::Form)?;
        if local.len() > LOCAL_PART_MAX || !local.split('.').all(is_atom) || !is_domain(domain) {
            return Err(EmailError::Form);
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first character of the local part and the domain: `a***@example.uz`.
    pub fn masked(&self) -> String {
        let domain = self.0.split_once('@').map_or("", |(_, domain)| domain);
        format!("{}***@{domain}", &self.0[..1])
    }
}

text_type!(Email, EmailError);

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", self.masked())
    }
}

/// RFC 5322 section 3.2.3.
fn is_atom(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
}

/// Two labels or more (RFC 1035 section 2.3.1, RFC 1123 section 2.1), the last not a number.
fn is_domain(text: &str) -> bool {
    let mut last = "";
    let mut labels = 0;
    for label in text.split('.') {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !letters || !(1..=63).contains(&label.len()) || label.starts_with('-') || label.ends_with('-') {
            return false;
        }
        (last, labels) = (label, labels + 1);
    }
    labels >= 2 && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ascii_mailbox() {
        for (text, read) in [
            ("Ali.Valiyev+eri@Example.UZ", "Ali.Valiyev+eri@example.uz"),
            ("x@a-b.xn--p1ai", "x@a-b.xn--p1ai"),
            ("o'tkir@mail.example.uz", "o'tkir@mail.example.uz"),
        ] {
            assert_eq!(Email::parse(text).unwrap().as_str(), read);
        }
        for text in [
            "",
            "@",
            "a@",
            "@b.uz",
            "a@b",
            "a@b..uz",
            "a@.uz",
            "a@b.uz.",
            ".a@b.uz",
            "a.@b.uz",
            "a..b@b.uz",
            "a b@b.uz",
            "a@-b.uz",
            "a@b-.uz",
            "a@b_c.uz",
            "a@127.0.0.1",
            "a@[127.0.0.1]",
            "\"a\"@b.uz",
            "a@b@c.uz",
            "али@b.uz",
            "a@почта.uz",
            "a@b.uz\r\nBcc: c@d.uz",
            "Ali <a@b.uz>",
        ] {
            assert_eq!(Email::parse(text), Err(EmailError::Form), "{text}");
        }
        assert_eq!(Email::parse(&format!("{}@b.uz", "a".repeat(65))), Err(EmailError::Form));
        assert_eq!(Email::parse(&format!("a@{}.uz", "b".repeat(64))), Err(EmailError::Form));
        assert_eq!(Email::parse(&format!("a@{}uz", "b.".repeat(126))), Err(EmailError::TooLong));
    }

    #[test]
    fn an_address_is_masked_when_printed() {
        assert_eq!(format!("{:?}", Email::parse("ali@example.uz").unwrap()), "Email(a***@example.uz)");
    }
}
