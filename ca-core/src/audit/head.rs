//! Tree heads: what the audit key signs.

use std::fmt::Write;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::pem::LineEnding;
use x509_parser::pem::Pem;

use super::Hash;
use crate::Timestamp;
use crate::csr::{KeyKind, SubjectPublicKey};
use crate::digest::sha256;

const TITLE: &str = "muhr-audit-head/1\n";
const SIGNATURE: &str = "signature: ";
const PEM_LABEL: &str = "PUBLIC KEY";

/// What the log was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// From 1, without a gap.
    pub number: i64,
    /// The sequence number of its first entry; of the first to come, if it has none.
    pub first: i64,
    /// Entries.
    pub count: i64,
    /// Merkle Tree Hash of their leaves.
    pub root: Hash,
    /// SHA-256 of the text of the head before it; zeros in the first.
    pub previous: Hash,
    /// SHA-256 of the audit key's SubjectPublicKeyInfo.
    pub key: Hash,
    /// When it was signed.
    pub sealed_at: Timestamp,
}

impl Head {
    /// The sequence number after its last entry's.
    pub fn end(&self) -> i64 {
        self.first.saturating_add(self.count)
    }

    /// The octets to sign: the version, then one `name: value` line for each field, every line ended by LF.
    pub fn text(&self) -> String {
        let mut text = String::from(TITLE);
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}: {value}");
        };
        line("number", &self.number);
        line("first", &self.first);
        line("count", &self.count);
        line("root", &hex::encode(self.root));
        line("previous", &hex::encode(self.previous));
        line("key-sha256", &hex::encode(self.key));
        line("sealed-at", &self.sealed_at);
        text
    }

    /// Reads a text; `None` unless it is exactly what [`Head::text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(TITLE)?.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        let head = Self {
            number: number(value("number")?)?,
            first: number(value("first")?)?,
            count: number(value("count")?)?,
            root: hash(value("root")?)?,
            previous: hash(value("previous")?)?,
            key: hash(value("key-sha256")?)?,
            sealed_at: value("sealed-at")?.parse().ok()?,
        };
        (head.text() == text).then_some(head)
    }
}

fn hash(text: &str) -> Option<Hash> {
    hex::decode(text).ok()?.try_into().ok()
}

/// The text of a head and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// [`Head::text`].
    pub text: String,
    /// ECDSA with SHA-256, DER (RFC 3279 section 2.2.3).
    pub signature: Vec<u8>,
}

impl SignedHead {
    /// The number it says it has, for messages about it.
    pub fn number(&self) -> Option<i64> {
        Head::parse(&self.text).map(|head| head.number)
    }

    /// SHA-256 of the text: what the next head calls it.
    pub fn hash(&self) -> Hash {
        sha256(self.text.as_bytes())
    }

    /// As it is published: the text, a line with the signature in base64, and an empty line.
    pub fn block(&self) -> String {
        format!("{}{SIGNATURE}{}\n\n", self.text, STANDARD.encode(&self.signature))
    }

    /// Reads published heads, in their order; `None` if they are cut off or anything else is among them.
    pub fn read_blocks(text: &str) -> Option<Vec<Self>> {
        let blocks = text.strip_suffix("\n\n");
        let Some(blocks) = blocks else { return text.is_empty().then(Vec::new) };
        blocks
            .split("\n\n")
            .map(|block| {
                let (text, signature) = block.split_once(SIGNATURE)?;
                Some(Self { text: text.to_owned(), signature: STANDARD.decode(signature).ok()? })
            })
            .collect()
    }
}

/// Why a signed head proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeadRefusal {
    /// The text is none that a head has.
    #[error("it is not written as heads are")]
    Unreadable,
    /// None of the audit keys has this hash.
    #[error("it names a key that is not an audit key")]
    OtherKey,
    /// Somebody else signed it, or it was changed afterwards.
    #[error("the audit key has not signed it")]
    Signature,
}

/// Why a text gives no audit keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysRefusal {
    /// There is nothing else in such a file.
    #[error("a file of audit keys is one or more PEM blocks PUBLIC KEY")]
    NotPem,
    /// No such key is made here.
    #[error("an audit key is one on P-256")]
    NotP256,
}

/// The public audit keys: usually one, and those before it.
#[derive(Debug)]
pub struct AuditKeys(Vec<(Hash, ParsedPublicKey)>);

impl AuditKeys {
    /// From PEM blocks `PUBLIC KEY` (RFC 7468 section 13).
    ///
    /// # Errors
    /// [`KeysRefusal`].
    pub fn from_pem(text: &[u8]) -> Result<Self, KeysRefusal> {
        let keys = Pem::iter_from_buffer(text)
            .map(|block| {
                let block = block.ok().filter(|block| block.label == PEM_LABEL).ok_or(KeysRefusal::NotPem)?;
                Self::key(&block.contents)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeysRefusal::NotPem) } else { Ok(Self(keys)) }
    }

    fn key(spki: &[u8]) -> Result<(Hash, ParsedPublicKey), KeysRefusal> {
        let key = SubjectPublicKey::from_spki_der(spki).map_err(|_| KeysRefusal::NotP256)?;
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.key_bytes());
        match (key.kind(), parsed) {
            (KeyKind::P256, Ok(parsed)) => Ok((key.sha256(), parsed)),
            _ => Err(KeysRefusal::NotP256),
        }
    }

    /// One public key as such a block.
    ///
    /// # Errors
    /// [`KeysRefusal::NotP256`].
    pub fn pem(spki: &[u8]) -> Result<String, KeysRefusal> {
        Self::key(spki)?;
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, spki).map_err(|_| KeysRefusal::NotPem)
    }

    /// What a head says, if one of these keys has signed it.
    ///
    /// # Errors
    /// [`HeadRefusal`].
    pub fn open(&self, signed: &SignedHead) -> Result<Head, HeadRefusal> {
        let head = Head::parse(&signed.text).ok_or(HeadRefusal::Unreadable)?;
        let (_, key) = self.0.iter().find(|(hash, _)| *hash == head.key).ok_or(HeadRefusal::OtherKey)?;
        match key.verify_sig(signed.text.as_bytes(), &signed.signature) {
            Ok(()) => Ok(head),
            Err(_) => Err(HeadRefusal::Signature),
        }
    }
}
