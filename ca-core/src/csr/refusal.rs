//! Why a certification request, or a public key, is refused.

/// Each refusal by the rule it keeps. [`Refusal::name`] is the stable word that logs, problem documents and
/// translations use; the message is for the reader of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// More than 64 KiB.
    #[error("a certification request has at most 65536 octets")]
    TooLarge,
    /// Neither DER nor exactly one PEM block with the right label and nothing around it.
    #[error("a certification request is DER, or one PEM block labelled CERTIFICATE REQUEST")]
    NotPemOrDer,
    /// Something follows the request.
    #[error("nothing follows a certification request")]
    TrailingBytes,
    /// X.690 section 10: the encoding is not the distinguished one.
    #[error("a certification request is strict DER: {0}")]
    NotDer(&'static str),
    /// Strict DER, but not the CertificationRequest of RFC 2986.
    #[error("a certification request has the structure of RFC 2986: {0}")]
    NotARequest(&'static str),
    /// RFC 2986 section 4.1: the only version is 0.
    #[error("the version of a certification request is 0")]
    Version,
    /// An attribute, or a requested extension, occurs twice.
    #[error("an attribute or a requested extension occurs once")]
    DuplicateAttribute,
    /// An attribute has no value.
    #[error("an attribute has a value")]
    EmptyAttribute,
    /// The subject or the attributes, which are ignored, are larger than anything useful.
    #[error("the subject has at most 4096 octets and the attributes at most 16384")]
    OversizedPart,

    /// The algorithm of the key is not RSA, EC or Ed25519.
    #[error("the key is RSA, EC or Ed25519")]
    UnsupportedKey,
    /// The key says id-RSASSA-PSS (RFC 4055 section 1.2), which much relying software cannot read in a certificate.
    #[error("an RSA key is identified by rsaEncryption, also when it signs with PSS")]
    PssOnlyKey,
    /// The SubjectPublicKeyInfo does not have the form its algorithm prescribes.
    #[error("the public key has the form its algorithm prescribes: {0}")]
    MalformedKey(&'static str),
    /// RFC 5480 section 2.1.1: a curve is named by its OID; explicit parameters and implicitCurve are forbidden.
    #[error("a curve is named by its object identifier, without parameters of its own")]
    CurveNotNamed,
    /// The curve is not P-256, P-384 or P-521.
    #[error("the curve is P-256, P-384 or P-521")]
    UnsupportedCurve,
    /// The point is the neutral element of the curve.
    #[error("the public point is not the point at infinity")]
    PointAtInfinity,
    /// The point does not satisfy the equation of its curve, or a coordinate is not reduced.
    #[error("the public point is on its curve")]
    PointNotOnCurve,
    /// An Ed25519 point of order 1, 2, 4 or 8: signatures under it can be made by anybody.
    #[error("the public point is not one of the points of small order")]
    SmallOrderPoint,

    /// The RSA modulus is shorter than 2048 bits.
    #[error("an RSA modulus has at least 2048 bits")]
    ModulusTooSmall,
    /// The RSA modulus is longer than 4096 bits.
    #[error("an RSA modulus has at most 4096 bits")]
    ModulusTooLarge,
    /// CA/B Baseline Requirements section 6.1.5: the size in bits is divisible by 8.
    #[error("the size of an RSA modulus in bits is divisible by 8")]
    ModulusSize,
    /// The RSA modulus is even.
    #[error("an RSA modulus is odd")]
    EvenModulus,
    /// The RSA exponent is even.
    #[error("an RSA public exponent is odd")]
    EvenExponent,
    /// The RSA exponent is below 65537.
    #[error("an RSA public exponent is at least 65537")]
    ExponentTooSmall,
    /// The RSA exponent has more than 32 bits, which Windows CryptoAPI, Go and BoringSSL refuse to verify with.
    #[error("an RSA public exponent has at most 32 bits")]
    ExponentTooLarge,
    /// The RSA modulus has a prime factor below 65536.
    #[error("an RSA modulus has no factor below 65536")]
    SmallFactor,
    /// The RSA modulus is a prime.
    #[error("an RSA modulus is the product of two primes, not a prime")]
    PrimeModulus,
    /// The RSA modulus is a square.
    #[error("an RSA modulus is the product of two different primes, not a square")]
    SquareModulus,
    /// Fermat's method finds the factors of the RSA modulus within 100 rounds.
    #[error("the primes of an RSA modulus are far apart")]
    ClosePrimes,
    /// The RSA modulus has the fingerprint of CVE-2017-15361 (ROCA).
    #[error("an RSA key was not made by the library of CVE-2017-15361 (ROCA)")]
    Roca,

    /// The signature algorithm is not one of the allowed ones.
    #[error(
        "the signature algorithm is RSA PKCS#1 v1.5, RSA-PSS or ECDSA with SHA-256, -384 or -512, or Ed25519"
    )]
    UnsupportedSignature,
    /// The signature is made over MD2, MD4, MD5 or SHA-1.
    #[error("the signature is not made with MD5 or SHA-1")]
    WeakDigest,
    /// The signature algorithm belongs to another kind of key.
    #[error("the signature algorithm is one of the key's kind")]
    KeySignatureMismatch,
    /// The signature does not verify under the key in the request: no proof of possession of the private key.
    #[error("the request is signed by the key it contains")]
    WrongProofOfPossession,

    /// A certificate of this key has been revoked because the private key is no longer its holder's alone.
    #[error("a key once revoked for compromise is never certified again")]
    CompromisedKey,
    /// One key, one person.
    #[error("a key certified for one person is not certified for another")]
    KeyOfAnotherPerson,
}

impl Refusal {
    /// The stable name, in kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NotPemOrDer => "not-pem-or-der",
            Self::TrailingBytes => "trailing-bytes",
            Self::NotDer(_) => "not-der",
            Self::NotARequest(_) => "not-a-certification-request",
            Self::Version => "version",
            Self::DuplicateAttribute => "duplicate-attribute",
            Self::EmptyAttribute => "empty-attribute",
            Self::OversizedPart => "oversized-part",
            Self::UnsupportedKey => "unsupported-key",
            Self::PssOnlyKey => "rsassa-pss-key",
            Self::MalformedKey(_) => "malformed-key",
            Self::CurveNotNamed => "curve-not-named",
            Self::UnsupportedCurve => "unsupported-curve",
            Self::PointAtInfinity => "point-at-infinity",
            Self::PointNotOnCurve => "point-not-on-curve",
            Self::SmallOrderPoint => "small-order-point",
            Self::ModulusTooSmall => "modulus-too-small",
            Self::ModulusTooLarge => "modulus-too-large",
            Self::ModulusSize => "modulus-size",
            Self::EvenModulus => "even-modulus",
            Self::EvenExponent => "even-exponent",
            Self::ExponentTooSmall => "exponent-too-small",
            Self::ExponentTooLarge => "exponent-too-large",
            Self::SmallFactor => "small-factor",
            Self::PrimeModulus => "prime-modulus",
            Self::SquareModulus => "square-modulus",
            Self::ClosePrimes => "close-primes",
            Self::Roca => "roca",
            Self::UnsupportedSignature => "unsupported-signature",
            Self::WeakDigest => "weak-digest",
            Self::KeySignatureMismatch => "key-signature-mismatch",
            Self::WrongProofOfPossession => "wrong-proof-of-possession",
            Self::CompromisedKey => "compromised-key",
            Self::KeyOfAnotherPerson => "key-of-another-person",
        }
    }
}
