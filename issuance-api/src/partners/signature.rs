//! A signed request (RFC 9421) with Ed25519, over the digest of its content (RFC 9530).
//!
//! What is decided here is decided from the request's head and the present moment; the content is looked at last, because
//! its digest is under the signature.

use std::collections::HashSet;

use actix_web::http::header::HeaderMap;
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, Uri};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use ca_core::Timestamp;
use sfv::{Dictionary, InnerList, ListEntry, ListSerializer, Parser};

use crate::auth::sha256;

/// How far `created` may be off, either way.
const WINDOW_SECONDS: i64 = 300;

/// A client reads here what is asked for (RFC 9421 section 5.1).
pub(super) const ACCEPT_SIGNATURE: &str =
    r#"partner=("@method" "@target-uri" "content-type" "content-digest");created;keyid;nonce;alg="ed25519""#;

/// Why a request is not taken for a partner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is nothing to verify.
    #[error("the request is not signed: Signature-Input and Signature are expected")]
    Absent,
    /// Not RFC 9421, or a part of it that is not understood here.
    #[error("the signature's fields cannot be read")]
    Malformed,
    /// `keyid` is nobody's.
    #[error("the key is not known")]
    UnknownKey,
    /// The connection has none of the certificates that were agreed.
    #[error("the connection has no certificate that was agreed with this partner")]
    Certificate,
    /// `alg` names something else.
    #[error("the algorithm must be ed25519")]
    Algorithm,
    /// An intermediary could have changed what is not covered.
    #[error(
        "the signature must cover @method, @target-uri, and of a content content-type and content-digest"
    )]
    NotCovered,
    /// Too old, or from the future.
    #[error("created must be the present time, give or take 300 seconds")]
    NotNow,
    /// The content is not the one that was signed.
    #[error("the content is not the one of Content-Digest")]
    Digest,
    /// The signature is another key's or of another request.
    #[error("the signature does not fit the request and the key")]
    Wrong,
    /// Somebody sends again what was sent before.
    #[error("the signature was used before: sign anew, with a nonce")]
    Used,
}

impl Refusal {
    /// The rule's name in problem documents, stable.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Malformed => "malformed",
            Self::UnknownKey => "key-unknown",
            Self::Certificate => "certificate",
            Self::Algorithm => "algorithm",
            Self::NotCovered => "not-covered",
            Self::NotNow => "not-now",
            Self::Digest => "digest",
            Self::Wrong => "wrong",
            Self::Used => "used",
        }
    }
}

/// The part of a request that is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// As sent.
    pub(super) method: &'a Method,
    /// Where the client thinks it sends it: a proxy may have changed what arrives here.
    pub(super) target: &'a Target,
    /// As sent.
    pub(super) headers: &'a HeaderMap,
}

/// The target URI of a request (RFC 9110 section 7.1) and its parts.
#[derive(Debug)]
pub(super) struct Target {
    whole: String,
    uri: Uri,
}

impl Target {
    /// The path and query of the request below the address that clients know. `None` if that is no URI.
    pub(super) fn under(public_url: &str, path_and_query: Option<&PathAndQuery>) -> Option<Self> {
        let whole = format!("{public_url}{}", path_and_query.map_or("/", PathAndQuery::as_str));
        let uri: Uri = whole.parse().ok()?;
        uri.authority()?;
        Some(Self { whole, uri })
    }

    /// Lower case, without the scheme's own port (RFC 9421 section 2.2.3).
    fn authority(&self) -> String {
        let own = if self.uri.scheme_str() == Some("https") { ":443" } else { ":80" };
        let whole =
            self.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default();
        whole.strip_suffix(own).map(str::to_owned).unwrap_or(whole)
    }
}

/// A signature that was read but not verified.
#[derive(Debug)]
pub(super) struct Signature {
    /// Which key is said to have signed.
    pub(super) key_id: String,
    /// The names of what is covered.
    covered: Vec<String>,
    created: Option<i64>,
    expires: Option<i64>,
    algorithm: Option<String>,
    /// The signature base (RFC 9421 section 2.5).
    base: String,
    octets: Vec<u8>,
}

impl Signature {
    /// The first signature by a key that is known; others may be meant for somebody else.
    ///
    /// # Errors
    /// There is none, or it is not understood.
    pub(super) fn read(head: &Head<'_>, known: impl Fn(&str) -> bool) -> Result<Self, Refusal> {
        let inputs = dictionary(head.headers, "signature-input")?.ok_or(Refusal::Absent)?;
        let signatures = dictionary(head.headers, "signature")?.ok_or(Refusal::Absent)?;
        for (label, input) in &inputs {
            let ListEntry::InnerList(input) = input else { return Err(Refusal::Malformed) };
            let Some(key_id) = text(input, "keyid")?.filter(|id| known(id)) else { continue };
            let Some(ListEntry::Item(signature)) = signatures.get(label) else {
                return Err(Refusal::Malformed);
            };
            let octets = signature.bare_item.as_byte_sequence().ok_or(Refusal::Malformed)?;
            let covered = components(input)?;
            return Ok(Self {
                key_id,
                base: base(head, &covered, input)?,
                covered,
                created: number(input, "created")?,
                expires: number(input, "expires")?,
                algorithm: text(input, "alg")?,
                octets: octets.to_vec(),
            });
        }
        Err(Refusal::UnknownKey)
    }

    /// Is it of this moment, does it cover what it must, and is it the key's?
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub(super) fn verify(&self, head: &Head<'_>, key: &[u8; 32], now: Timestamp) -> Result<(), Refusal> {
        if self.algorithm.as_deref().is_some_and(|algorithm| algorithm != "ed25519") {
            return Err(Refusal::Algorithm);
        }
        let typed = head.headers.contains_key("content-type");
        if !self.covers("@method") || !self.covers("@target-uri") || (typed && !self.covers("content-type")) {
            return Err(Refusal::NotCovered);
        }
        self.verify_moment(now)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(self.base.as_bytes(), &self.octets)
            .map_err(|_| Refusal::Wrong)
    }

    /// Is it of this moment?
    ///
    /// # Errors
    /// It is not.
    pub(super) fn verify_moment(&self, now: Timestamp) -> Result<(), Refusal> {
        let now = now.unix_seconds();
        let current =
            self.created.is_some_and(|at| (now - WINDOW_SECONDS..=now + WINDOW_SECONDS).contains(&at));
        if current && self.expires.is_none_or(|end| end > now) { Ok(()) } else { Err(Refusal::NotNow) }
    }

    /// Is this the content that was signed?
    ///
    /// # Errors
    /// It is not, or its digest was not signed.
    pub(super) fn verify_content(&self, head: &Head<'_>, content: &[u8]) -> Result<(), Refusal> {
        let Some(digests) = dictionary(head.headers, "content-digest")? else {
            return if content.is_empty() { Ok(()) } else { Err(Refusal::NotCovered) };
        };
        if !self.covers("content-digest") {
            return Err(Refusal::NotCovered);
        }
        match digests.get("sha-256") {
            Some(ListEntry::Item(digest))
                if digest.bare_item.as_byte_sequence() == Some(&sha256(content)) =>
            {
                Ok(())
            }
            _ => Err(Refusal::Digest),
        }
    }

    /// The same signed octets have the same name, whatever the fields around them look like.
    pub(super) fn name(&self) -> [u8; 32] {
        sha256(self.base.as_bytes())
    }

    /// From when on it would be refused anyway, with time to spare for a request that is being decided on.
    pub(super) fn ends_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.created.unwrap_or_default() + 2 * WINDOW_SECONDS)
    }

    fn covers(&self, name: &str) -> bool {
        self.covered.iter().any(|covered| covered == name)
    }
}

/// A structured field whose lines make one dictionary; `None` if it is absent.
fn dictionary(headers: &HeaderMap, name: &str) -> Result<Option<Dictionary>, Refusal> {
    let Some(value) = field(headers, name)? else { return Ok(None) };
    Parser::new(&value).parse().map(Some).map_err(|_| Refusal::Malformed)
}

/// All lines of a field, in order (RFC 9421 section 2.1).
fn field(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let lines: Result<Vec<&str>, _> = headers
        .get_all(name)
        .map(|line| line.to_str().map(str::trim).map_err(|_| Refusal::Malformed))
        .collect();
    let lines = lines?;
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

fn text(input: &InnerList, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = input.params.get(name) else { return Ok(None) };
    value.as_string().map(|text| Some(text.as_str().to_owned())).ok_or(Refusal::Malformed)
}

fn number(input: &InnerList, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = input.params.get(name) else { return Ok(None) };
    value.as_integer().map(|number| Some(i64::from(number))).ok_or(Refusal::Malformed)
}

/// The names of the covered components, each once; parameters of components are not understood here.
fn components(input: &InnerList) -> Result<Vec<String>, Refusal> {
    let mut seen = HashSet::new();
    input
        .items
        .iter()
        .map(|item| {
            let name = item.bare_item.as_string().ok_or(Refusal::Malformed)?.as_str();
            let plain = item.params.is_empty() && name == name.to_ascii_lowercase() && seen.insert(name);
            if plain { Ok(name.to_owned()) } else { Err(Refusal::Malformed) }
        })
        .collect()
}

/// The signature base (RFC 9421 section 2.5).
fn base(head: &Head<'_>, covered: &[String], input: &InnerList) -> Result<String, Refusal> {
    let mut base = String::new();
    for name in covered {
        let value = match name.as_str() {
            "@method" => head.method.as_str().to_owned(),
            "@target-uri" => head.target.whole.clone(),
            "@authority" => head.target.authority(),
            "@scheme" => head.target.uri.scheme_str().unwrap_or_default().to_ascii_lowercase(),
            "@path" => head.target.uri.path().to_owned(),
            "@query" => format!("?{}", head.target.uri.query().unwrap_or_default()),
            derived if derived.starts_with('@') => return Err(Refusal::Malformed),
            // What is covered and was not sent may have been taken out on the way.
            field_name => field(head.headers, field_name)?.ok_or(Refusal::NotCovered)?,
        };
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    let mut parameters = ListSerializer::new();
    parameters.members([&ListEntry::InnerList(input.clone())]);
    let parameters = parameters.finish().ok_or(Refusal::Malformed)?;
    base.push_str(&format!("\"@signature-params\": {parameters}"));
    Ok(base)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// RFC 9421 appendix B.1.4: the last 32 octets of test-key-ed25519's SubjectPublicKeyInfo.
    const KEY: &str = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";
    /// Appendix B.2: `{"hello": "world"}`.
    const CONTENT: &[u8] = br#"{"hello": "world"}"#;
    const SHA256_OF_CONTENT: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const CREATED: i64 = 1_618_884_473;

    /// The request of appendix B.2.
    fn headers(more: &[(&'static str, &str)]) -> HeaderMap {
        let of_the_rfc = [
            ("host", "example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            ("content-digest", SHA256_OF_CONTENT),
            ("content-length", "18"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in of_the_rfc.iter().chain(more) {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn target() -> Target {
        let path = PathAndQuery::from_static("/foo?param=Value&Pet=dog");
        Target::under("https://Example.com:443", Some(&path)).unwrap()
    }

    fn key() -> [u8; 32] {
        STANDARD.decode(KEY).unwrap().try_into().unwrap()
    }

    fn read(headers: &HeaderMap) -> Result<Signature, Refusal> {
        let head = Head { method: &Method::POST, target: &target(), headers };
        Signature::read(&head, |id| id == "test-key-ed25519")
    }

    const B_2_6: [(&str, &str); 2] = [
        (
            "signature-input",
            r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        ),
        (
            "signature",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        ),
    ];

    #[test]
    fn the_example_of_the_rfc_verifies() {
        let signature = read(&headers(&B_2_6)).unwrap();
        let expected = [
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT",
            "\"@method\": POST",
            "\"@path\": /foo",
            "\"@authority\": example.com",
            "\"content-type\": application/json",
            "\"content-length\": 18",
            "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
             ;created=1618884473;keyid=\"test-key-ed25519\"",
        ];
        assert_eq!(signature.base, expected.join("\n"));
        UnparsedPublicKey::new(&ED25519, key()).verify(signature.base.as_bytes(), &signature.octets).unwrap();
        // It leaves the target open to change, so we would not take it.
        let all = headers(&B_2_6);
        let head = Head { method: &Method::POST, target: &target(), headers: &all };
        let now = Timestamp::from_unix_seconds(CREATED);
        assert_eq!(signature.verify(&head, &key(), now), Err(Refusal::NotCovered));
        assert_eq!(signature.verify_content(&head, CONTENT), Err(Refusal::NotCovered));
    }

    /// The verdict on a request with these parameters, signed by a key of our own.
    fn verdict(covered: &str, parameters: &str, seconds_later: i64, content: &[u8]) -> Result<(), Refusal> {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut all = headers(&[]);
        let input = format!("sig=({covered}){parameters}");
        all.insert(HeaderName::from_static("signature-input"), HeaderValue::from_str(&input).unwrap());
        all.insert(HeaderName::from_static("signature"), HeaderValue::from_static("sig=:AA==:"));
        let base = read(&all)?.base;
        let signed = format!("sig=:{}:", STANDARD.encode(pair.sign(base.as_bytes())));
        all.insert(HeaderName::from_static("signature"), HeaderValue::from_str(&signed).unwrap());
        let head = Head { method: &Method::POST, target: &target(), headers: &all };
        let signature = read(&all)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        signature.verify(&head, &public, Timestamp::from_unix_seconds(CREATED + seconds_later))?;
        signature.verify_content(&head, content)
    }

    const COVERED: &str = r#""@method" "@target-uri" "content-type" "content-digest""#;
    const PARAMETERS: &str = r#";created=1618884473;keyid="test-key-ed25519";alg="ed25519";nonce="1""#;

    #[test]
    fn a_signature_is_of_its_moment() {
        for (later, expected) in [
            (0, Ok(())),
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(Refusal::NotNow)),
            (-301, Err(Refusal::NotNow)),
        ] {
            assert_eq!(verdict(COVERED, PARAMETERS, later, CONTENT), expected, "{later}");
        }
        let expiring = format!("{PARAMETERS};expires=1618884500");
        assert_eq!(verdict(COVERED, &expiring, 26, CONTENT), Ok(()));
        assert_eq!(verdict(COVERED, &expiring, 27, CONTENT), Err(Refusal::NotNow));
        let undated = r#";keyid="test-key-ed25519""#;
        assert_eq!(verdict(COVERED, undated, 0, CONTENT), Err(Refusal::NotNow));
    }

    #[test]
    fn what_could_be_changed_on_the_way_is_covered() {
        for left_out in ["\"@method\"", "\"@target-uri\"", "\"content-type\"", "\"content-digest\""] {
            let covered = COVERED.replace(left_out, "").trim().replace("  ", " ");
            assert_eq!(verdict(&covered, PARAMETERS, 0, CONTENT), Err(Refusal::NotCovered), "{left_out}");
        }
        let more = format!(r#"{COVERED} "@scheme" "@query" "host" "date""#);
        assert_eq!(verdict(&more, PARAMETERS, 0, CONTENT), Ok(()));
        let absent = format!(r#"{COVERED} "x-request-id""#);
        assert_eq!(verdict(&absent, PARAMETERS, 0, CONTENT), Err(Refusal::NotCovered));
        assert_eq!(verdict(COVERED, PARAMETERS, 0, b"{}"), Err(Refusal::Digest));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (covered, parameters, expected) in [
            (r#""@method" "@method""#, PARAMETERS, Refusal::Malformed),
            (r#""@request-target""#, PARAMETERS, Refusal::Malformed),
            (r#""Date""#, PARAMETERS, Refusal::Malformed),
            (r#""date";bs"#, PARAMETERS, Refusal::Malformed),
            ("date", PARAMETERS, Refusal::Malformed),
            (COVERED, r#";created="now";keyid="test-key-ed25519""#, Refusal::Malformed),
            (COVERED, ";created=1618884473;keyid=7", Refusal::Malformed),
            (COVERED, r#";created=1618884473;keyid="other""#, Refusal::UnknownKey),
            (COVERED, ";created=1618884473", Refusal::UnknownKey),
            (
                COVERED,
                r#";created=1618884473;keyid="test-key-ed25519";alg="hmac-sha256""#,
                Refusal::Algorithm,
            ),
        ] {
            assert_eq!(verdict(covered, parameters, 0, CONTENT), Err(expected), "{covered} {parameters}");
        }
    }

    #[test]
    fn fields_that_are_no_signatures_are_refused() {
        let good = B_2_6[0].1;
        for (input, signature, expected) in [
            (None, None, Refusal::Absent),
            (Some(good), None, Refusal::Absent),
            (None, Some(B_2_6[1].1), Refusal::Absent),
            (Some(""), Some(""), Refusal::UnknownKey),
            (Some("sig=("), Some("sig=:AA==:"), Refusal::Malformed),
            (Some("sig"), Some("sig=:AA==:"), Refusal::Malformed),
            (Some(good), Some("other=:AA==:"), Refusal::Malformed),
            (Some(good), Some("sig-b26=\"AA==\""), Refusal::Malformed),
            (Some(good), Some("sig-b26=(:AA==:)"), Refusal::Malformed),
            (Some(good), Some("sig-b26=:A:A:"), Refusal::Malformed),
        ] {
            let fields = [("signature-input", input), ("signature", signature)];
            let fields: Vec<_> =
                fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            assert_eq!(read(&headers(&fields)).err(), Some(expected), "{input:?} {signature:?}");
        }
        let mut binary = headers(&B_2_6);
        binary.insert(HeaderName::from_static("date"), HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(read(&binary).err(), Some(Refusal::Malformed));
    }

    #[test]
    fn every_refusal_is_explained_in_every_language() {
        use Refusal::{
            Absent, Algorithm, Certificate, Digest, Malformed, NotCovered, NotNow, UnknownKey, Used, Wrong,
        };
        for refusal in
            [Absent, Malformed, UnknownKey, Certificate, Algorithm, NotCovered, NotNow, Digest, Wrong, Used]
        {
            let key = format!("signature-{}", refusal.name());
            for language in config::Language::ALL {
                assert!(config::texts::find(language, &key, &[]).is_some(), "{language} {key}");
            }
        }
    }

    #[test]
    fn a_signature_by_somebody_else_is_passed_over() {
        let both = format!(r#"proxy=("@method");keyid="proxy", {}"#, B_2_6[0].1);
        let signatures = format!("proxy=:AA==:, {}", B_2_6[1].1);
        let signature = read(&headers(&[("signature-input", &both), ("signature", &signatures)])).unwrap();
        assert_eq!(signature.key_id, "test-key-ed25519");
    }
}
