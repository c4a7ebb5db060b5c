//! The textual form of a certification request (RFC 7468 section 7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Refusal;

const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// The DER inside one PEM block. White space may stand around the block, between its lines and at their ends;
/// explanatory text, headers, other labels and a second block may not.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let text = std::str::from_utf8(text).map_err(|_| Refusal::NotPemOrDer)?;
    let block = text.trim_ascii();
    let body = LABELS.iter().find_map(|label| unwrap(block, label)).ok_or(Refusal::NotPemOrDer)?;
    let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).map_err(|_| Refusal::NotPemOrDer)
}

/// What stands between the BEGIN and END lines of this label; both stand on lines of their own.
fn unwrap<'a>(block: &'a str, label: &str) -> Option<&'a str> {
    let body = block
        .strip_prefix("-----BEGIN ")?
        .strip_prefix(label)?
        .strip_prefix("-----")?
        .strip_suffix("-----")?
        .strip_suffix(label)?
        .strip_suffix("-----END ")?;
    (body.starts_with(|c: char| c.is_ascii_whitespace()) && body.ends_with('\n')).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_tolerated_and_nothing_else_is() {
        let good = [
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN NEW CERTIFICATE REQUEST-----\r\nMA\r\nA=\r\n-----END NEW CERTIFICATE REQUEST-----",
            "\n \t-----BEGIN CERTIFICATE REQUEST-----  \n\n M A\tA= \n\n-----END CERTIFICATE REQUEST-----\r\n\r\n",
        ];
        for text in good {
            assert_eq!(decode(text.as_bytes()).unwrap(), [0x30, 0x00], "{text}");
        }
        let bad = [
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END NEW CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n",
            "MAA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----MAA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAB=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nM!AA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
            "Subject: somebody\n-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\nbye\n",
            "\u{feff}-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n\
             -----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
        ];
        for text in bad {
            assert_eq!(decode(text.as_bytes()), Err(Refusal::NotPemOrDer), "{text}");
        }
    }
}
