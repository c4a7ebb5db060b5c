//! Requests are made by the openssl command, weak keys from their published descriptions; x509-parser reads along.

use std::fs;
use std::process::Command;

use base64::Engine;
use der::Encode;
use der::asn1::ObjectIdentifier;
use num_bigint::BigUint;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use proptest::prelude::*;
use tempfile::TempDir;
use x509_parser::prelude::{FromDer, X509CertificationRequest};

use super::*;

/// A folder to run openssl in.
struct Openssl(TempDir);

impl Openssl {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Runs `openssl` with arguments separated by spaces; `+` in an argument stands for a space.
    fn run(&self, arguments: &str) -> Vec<u8> {
        let arguments = arguments.split_whitespace().map(|argument| argument.replace('+', " "));
        let output = Command::new("openssl").args(arguments).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// A fresh key in `key.pem`; the DER of its SubjectPublicKeyInfo.
    fn key(&self, options: &str) -> Vec<u8> {
        self.run(&format!("genpkey -quiet -out key.pem {options}"));
        self.run("pkey -in key.pem -pubout -outform DER")
    }

    /// A request for the key in `key.pem`.
    fn request(&self, options: &str) -> Vec<u8> {
        self.run(&format!(
            "req -new -key key.pem -subj /CN=Somebody -outform DER -out request.der {options}"
        ));
        self.file("request.der")
    }

    /// A request whose attributes and extensions come from a configuration file.
    fn request_configured(&self, configuration: &str) -> Vec<u8> {
        fs::write(self.0.path().join("request.cnf"), configuration).unwrap();
        self.run("req -new -key key.pem -config request.cnf -outform DER -out request.der");
        self.file("request.der")
    }
}

fn refused(request: &[u8]) -> &'static str {
    CertificationRequest::parse(request).unwrap_err().name()
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut encoding = vec![tag];
    match content.len() {
        length @ 0..0x80 => encoding.push(length as u8),
        length @ 0x80..0x100 => encoding.extend([0x81, length as u8]),
        length => encoding.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    encoding.extend(content);
    encoding
}

fn oid(text: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(text).to_der().unwrap()
}

fn integer(number: &BigUint) -> Vec<u8> {
    let mut content = number.to_bytes_be();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    tlv(INTEGER, &[&content])
}

/// A request put together field by field and signed with SHA-256, so that it fails for no other reason.
struct Handmade {
    version: Vec<u8>,
    subject: Vec<u8>,
    spki: Vec<u8>,
    attributes: Vec<u8>,
    algorithm: Vec<u8>,
    key: PKey<Private>,
}

impl Handmade {
    fn p256() -> Self {
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.10045.4.3.2")]);
        Self::of(key, algorithm)
    }

    fn of(key: PKey<Private>, algorithm: Vec<u8>) -> Self {
        Self {
            version: vec![INTEGER, 1, 0],
            subject: vec![SEQUENCE, 0],
            spki: key.public_key_to_der().unwrap(),
            attributes: vec![CONTEXT_0, 0],
            algorithm,
            key,
        }
    }

    fn info(&self) -> Vec<u8> {
        tlv(SEQUENCE, &[&self.version, &self.subject, &self.spki, &self.attributes])
    }

    fn sign(&self, info: &[u8]) -> Vec<u8> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
        let signature = signer.sign_oneshot_to_vec(info).unwrap();
        tlv(SEQUENCE, &[info, &self.algorithm, &tlv(BIT_STRING, &[&[0], &signature])])
    }

    fn build(&self) -> Vec<u8> {
        self.sign(&self.info())
    }
}

#[test]
fn every_allowed_key_and_signature_made_by_openssl_is_accepted() {
    let openssl = Openssl::new();
    let rsa = ["-sha256", "-sha384", "-sha512"].iter().flat_map(|digest| {
        let pss = format!("{digest} -sigopt rsa_padding_mode:pss");
        let short = format!("{pss} -sigopt rsa_pss_saltlen:digest");
        let none = format!("{pss} -sigopt rsa_pss_saltlen:0");
        [digest.to_string(), pss, short, none]
    });
    let rsa: Vec<String> = rsa.collect();
    let ecdsa: Vec<String> = ["", "-sha256", "-sha384", "-sha512"].map(String::from).to_vec();
    let matrix = [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", &rsa, KeyKind::Rsa { bits: 2048 }),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:3072", &rsa, KeyKind::Rsa { bits: 3072 }),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:4096", &rsa, KeyKind::Rsa { bits: 4096 }),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", &ecdsa, KeyKind::P256),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", &ecdsa, KeyKind::P384),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", &ecdsa, KeyKind::P521),
        ("-algorithm ED25519", &vec![String::new()], KeyKind::Ed25519),
    ];
    for (key, signatures, kind) in matrix {
        let spki = openssl.key(key);
        for signature in signatures {
            let der = openssl.request(signature);
            let request =
                CertificationRequest::parse(&der).unwrap_or_else(|why| panic!("{key} {signature}: {why}"));
            assert_eq!(request.der(), der);
            assert_eq!(request.public_key().kind(), kind);
            assert_eq!(request.public_key().spki_der(), spki, "the key is embedded byte for byte");
            assert_eq!(SubjectPublicKey::from_spki_der(&spki).as_ref(), Ok(request.public_key()));
            let (rest, second_reader) = X509CertificationRequest::from_der(&der).unwrap();
            assert!(rest.is_empty());
            assert_eq!(second_reader.certification_request_info.subject_pki.raw, spki);
            let pem = openssl.run("req -in request.der -inform DER");
            assert_eq!(CertificationRequest::parse(&pem), Ok(request));
        }
    }
}

#[test]
fn the_key_identifier_is_the_one_openssl_writes() {
    let openssl = Openssl::new();
    for key in ["-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "-algorithm RSA", "-algorithm ED25519"] {
        let spki = openssl.key(key);
        let certificate = openssl.run("req -x509 -new -key key.pem -subj /CN=x -outform DER");
        let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let theirs = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
            _ => None,
        });
        let ours = SubjectPublicKey::from_spki_der(&spki).unwrap();
        assert_eq!(theirs, Some(ours.subject_key_identifier().as_slice()));
        assert_eq!(
            ours.sha256().as_slice(),
            openssl::hash::hash(MessageDigest::sha256(), &spki).unwrap().as_ref()
        );
    }
}

#[test]
fn other_keys_and_weak_signatures_are_refused_by_name() {
    let openssl = Openssl::new();
    for (key, signature, name) in [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "", "modulus-too-small"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2041", "", "modulus-too-small"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2050", "", "modulus-size"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:4104", "", "modulus-too-large"),
        ("-algorithm RSA -pkeyopt rsa_keygen_pubexp:3", "", "exponent-too-small"),
        ("-algorithm RSA -pkeyopt rsa_keygen_pubexp:65535", "", "exponent-too-small"),
        ("-algorithm RSA -pkeyopt rsa_keygen_pubexp:4294967311", "", "exponent-too-large"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha1", "weak-digest"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-md5", "weak-digest"),
        ("-algorithm RSA", "-sha1 -sigopt rsa_padding_mode:pss", "weak-digest"),
        ("-algorithm RSA", "-sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:sha1", "weak-digest"),
        (
            "-algorithm RSA",
            "-sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:sha512",
            "unsupported-signature",
        ),
        ("-algorithm RSA", "-sha224", "unsupported-signature"),
        ("-algorithm RSA", "-sha3-256", "unsupported-signature"),
        ("-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "", "rsassa-pss-key"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-sha1", "weak-digest"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-sha3-256", "unsupported-signature"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-224", "", "unsupported-curve"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "", "unsupported-curve"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", "", "unsupported-curve"),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "",
            "curve-not-named",
        ),
        ("-algorithm ED448", "", "unsupported-key"),
    ] {
        openssl.key(key);
        assert_eq!(refused(&openssl.request(signature)), name, "{key} {signature}");
    }
}

#[test]
fn a_compressed_point_is_embedded_uncompressed() {
    let openssl = Openssl::new();
    for curve in ["P-256", "P-384", "P-521"] {
        let uncompressed = openssl.key(&format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}"));
        openssl.run("ec -in key.pem -conv_form compressed -out compressed.pem");
        let compressed = openssl.run("pkey -in compressed.pem -pubout -ec_conv_form compressed -outform DER");
        assert!(compressed.len() < uncompressed.len());
        let mut handmade = Handmade::of(
            PKey::private_key_from_pem(&openssl.file("key.pem")).unwrap(),
            tlv(SEQUENCE, &[&oid("1.2.840.10045.4.3.2")]),
        );
        handmade.spki = compressed.clone();
        let request = CertificationRequest::parse(&handmade.build()).unwrap();
        assert_eq!(request.public_key().spki_der(), uncompressed);
        let straight = SubjectPublicKey::from_spki_der(&uncompressed).unwrap();
        assert_eq!(request.public_key(), &straight);
        assert_eq!(request.public_key().subject_key_identifier(), straight.subject_key_identifier());
    }
}

#[test]
fn subject_attributes_and_extensions_are_ignored_however_odd() {
    let openssl = Openssl::new();
    openssl.key("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let windows = openssl.request_configured(
        "[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\nreq_extensions=ext\n\
         [dn]\nC=UZ\nO=Example\n+CN=One\nOU=first\n1.2.860.3.16.1.2=30101900000011\n\
         [at]\nchallengePassword=abcdef\n1.3.6.1.4.1.311.13.2.3=10.0.19045.2\nunstructuredName=x\n\
         [ext]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n\
         extendedKeyUsage=1.3.6.1.4.1.311.20.2.2,1.2.3.4\nsubjectAltName=dirName:dn\n\
         1.2.3.4.5=critical,ASN1:UTF8:odd\n",
    );
    assert!(CertificationRequest::parse(&windows).is_ok());

    // pkijs puts the whole subject into one RDN and does not sort it.
    let pkijs = base64::engine::general_purpose::STANDARD.decode(PKIJS).unwrap();
    assert!(CertificationRequest::parse(&pkijs).is_ok());

    let mut handmade = Handmade::p256();
    let name = |kind: &str, value: &[u8]| tlv(SET, &[&tlv(SEQUENCE, &[&oid(kind), value])]);
    for value in [&b"\x0c\x00"[..], b"\x02\x01\x05", b"\x0c\x08A\r\n\x1b[31m", b"\x1e\x02\x04\x41"] {
        handmade.subject = tlv(SEQUENCE, &[&name("2.5.4.3", value), &name("2.5.4.6", b"\x13\x03UZB")]);
        assert!(CertificationRequest::parse(&handmade.build()).is_ok(), "{value:02x?}");
    }
}

/// Made by pkijs 3 with WebCrypto.
const PKIJS: &str = "\
    MIHsMIGTAgEAMDExLzAYBgNVBAMMEVNPTUVPTkUgTE9ORyBOQU1FMAkGA1UEBgwCVVowCAYDVQQEDAFYMFkwEwYHKoZIzj0CAQYI\
    KoZIzj0DAQcDQgAERFUty0CvelEkmedt0/qZmAzGDJQdEgdcq8Qxutfbohzcxbr7WLJgVePUPvWCNBOEw6ygQnOVE6/5eWhMQHp0\
    GKAAMAoGCCqGSM49BAMCA0gAMEUCIFGidSMOXEAfNR+mukIpAsUSt7zfQuMmFYXgWZUdzqJtAiEA1DdO/Xjwr8+gQJ6KA0Of8r7y\
    yE+nxfcKtqHoNSNFRd8=";

#[test]
fn the_structure_is_that_of_rfc_2986() {
    let good = Handmade::p256();
    assert!(CertificationRequest::parse(&good.build()).is_ok());
    let with = |change: &dyn Fn(&mut Handmade)| {
        let mut handmade = Handmade::p256();
        change(&mut handmade);
        handmade.build()
    };
    let info = |parts: &[&[u8]]| good.sign(&tlv(SEQUENCE, parts));
    let attribute = |kind: &str, values: &[&[u8]]| tlv(SEQUENCE, &[&oid(kind), &tlv(SET, values)]);
    let attributes = |parts: &[&[u8]]| with(&|request| request.attributes = tlv(CONTEXT_0, parts));
    let extension = |kind: &str, rest: &[&[u8]]| tlv(SEQUENCE, &[&oid(kind), &rest.concat()]);
    let requested = |extensions: &[&[u8]]| {
        attributes(&[&attribute("1.2.840.113549.1.9.14", &[&tlv(SEQUENCE, extensions)])])
    };
    let subject = |content: &[u8]| with(&|request| request.subject = tlv(SEQUENCE, &[content]));
    let text = b"\x0c\x01x";
    let usage = extension("2.5.29.15", &[&tlv(OCTET_STRING, &[b"\x03\x02\x06\xc0"])]);
    let cases = [
        (with(&|request| request.version = vec![INTEGER, 1, 1]), "version"),
        (with(&|request| request.version = vec![INTEGER, 1, 0xff]), "version"),
        (with(&|request| request.version = vec![INTEGER, 2, 0, 0]), "not-der"),
        (with(&|request| request.version = vec![]), "not-a-certification-request"),
        (with(&|request| request.attributes = vec![]), "not-a-certification-request"),
        (info(&[&good.version, &good.spki, &good.subject, &good.attributes]), "not-a-certification-request"),
        (
            info(&[&good.version, &good.subject, &good.spki, &good.attributes, b"\x05\x00"]),
            "not-a-certification-request",
        ),
        (tlv(SEQUENCE, &[&good.info(), &good.algorithm]), "not-a-certification-request"),
        (vec![SEQUENCE, 0], "not-a-certification-request"),
        (subject(&[SET, 0]), "not-a-certification-request"),
        (subject(&tlv(SET, &[&tlv(SEQUENCE, &[&oid("2.5.4.3")])])), "not-a-certification-request"),
        (subject(&tlv(SET, &[&tlv(SEQUENCE, &[&oid("2.5.4.3"), b"\x0c\x02\xc1\x81"])])), "not-der"),
        (subject(&tlv(0x04, &[&[0; 5000]])), "oversized-part"),
        (attributes(&[&attribute("1.2.3", &[&tlv(0x04, &[&[0; 17_000]])])]), "oversized-part"),
        (attributes(&[&attribute("1.2.3", &[text]), &attribute("1.2.3", &[text])]), "duplicate-attribute"),
        (attributes(&[&attribute("1.2.3", &[])]), "empty-attribute"),
        (attributes(&[&tlv(SEQUENCE, &[&oid("1.2.3")])]), "not-a-certification-request"),
        (attributes(&[&attribute("1.2.840.113549.1.9.14", &[text])]), "not-a-certification-request"),
        (
            attributes(&[&attribute("1.2.840.113549.1.9.14", &[b"\x30\x00", b"\x30\x00"])]),
            "not-a-certification-request",
        ),
        (requested(&[&usage, &usage]), "duplicate-attribute"),
        (requested(&[&extension("2.5.29.15", &[])]), "not-a-certification-request"),
        (requested(&[&extension("2.5.29.15", &[b"\x01\x01\x00", b"\x04\x02\x05\x00"])]), "not-der"),
        (requested(&[&extension("2.5.29.15", &[b"\x04\x03\x03\x02\x07"])]), "not-der"),
        (requested(&[&extension("2.5.29.15", &[b"\x04\x04\x05\x00\x05\x00"])]), "not-der"),
    ];
    for (number, (request, name)) in cases.iter().enumerate() {
        assert_eq!(refused(request), *name, "case {number}");
    }
    assert!(CertificationRequest::parse(&requested(&[&usage])).is_ok());

    let der = good.build();
    assert_eq!(refused(&[&der[..], &[0]].concat()), "trailing-bytes");
    assert_eq!(refused(&[&der[..], &der[..]].concat()), "trailing-bytes");
    assert_eq!(refused(&vec![b'\n'; MAX_SIZE + 1]), "too-large");
    // Another outer tag, which the signature does not cover, is none the better in PEM; OpenSSL refuses it too.
    let mut other_tag = der.clone();
    other_tag[0] = 0x4c;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&other_tag);
    let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{encoded}\n-----END CERTIFICATE REQUEST-----\n");
    assert_eq!(refused(pem.as_bytes()), "not-a-certification-request");
    assert_eq!(refused(b""), "not-pem-or-der");
    assert_eq!(refused(base64::engine::general_purpose::STANDARD.encode(&der).as_bytes()), "not-pem-or-der");
}

#[test]
fn the_general_parser_is_no_substitute_for_the_strict_one() {
    let with_attribute = |kind: &str, values: &[&[u8]]| {
        let mut handmade = Handmade::p256();
        handmade.attributes = tlv(CONTEXT_0, &[&tlv(SEQUENCE, &[&oid(kind), &tlv(SET, values)])]);
        let request = handmade.build();
        (X509CertificationRequest::from_der(&request).is_ok(), CertificationRequest::parse(&request).is_ok())
    };
    assert_eq!(with_attribute("1.2.3", &[]), (true, false), "an attribute without a value");
    assert_eq!(with_attribute("1.2.3", &[b"\x0c\x02\xc1\x81"]), (true, false), "an overlong UTF-8 form");
    assert_eq!(
        with_attribute("1.2.840.113549.1.9.7", &[b"\x16\x01x"]),
        (false, true),
        "an odd challengePassword"
    );
}

#[test]
fn possession_is_proved_over_the_received_bytes_by_a_fitting_algorithm() {
    let (mine, other) = (Handmade::p256(), Handmade::p256());
    let mut stolen = Handmade::p256();
    stolen.spki = other.spki.clone();
    assert_eq!(refused(&stolen.build()), "wrong-proof-of-possession");

    let algorithm = |oid_text: &str, parameters: &[u8]| {
        let mut request = Handmade::of(mine.key.clone(), tlv(SEQUENCE, &[&oid(oid_text), parameters]));
        request.subject = vec![SEQUENCE, 0];
        refused(&request.build())
    };
    assert_eq!(algorithm("1.2.840.113549.1.1.11", b"\x05\x00"), "key-signature-mismatch");
    assert_eq!(algorithm("1.3.101.112", b""), "key-signature-mismatch");
    assert_eq!(algorithm("1.2.840.10045.4.3.3", b""), "wrong-proof-of-possession");
    assert_eq!(algorithm("1.2.840.10045.4.3.2", b"\x05\x00"), "unsupported-signature");
    assert_eq!(algorithm("1.2.840.113549.1.1.10", b""), "unsupported-signature");
    assert_eq!(algorithm("1.2.840.113549.1.1.10", b"\x30\x00"), "weak-digest");
    assert_eq!(algorithm("1.3.6.1.4.1.55555.4", b""), "unsupported-signature");

    let info = mine.info();
    let signed = |bits: &[u8]| refused(&tlv(SEQUENCE, &[&info, &mine.algorithm, &tlv(BIT_STRING, &[bits])]));
    assert_eq!(signed(&[0]), "wrong-proof-of-possession");
    assert_eq!(signed(&[0, 0x30, 0x06, 2, 1, 0, 2, 1, 0]), "wrong-proof-of-possession");
    assert_eq!(signed(&[1, 0x30, 0x00]), "not-a-certification-request");
}

#[test]
fn no_changed_bit_and_no_cut_passes() {
    let openssl = Openssl::new();
    for key in ["-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-algorithm RSA", "-algorithm ED25519"] {
        openssl.key(key);
        let good = openssl.request("");
        for at in 0..good.len() {
            let changes = (0..8).map(|bit| good[at] ^ (1 << bit)).chain([0x00, 0xff, 0x80, 0x30]);
            for value in changes.filter(|&value| value != good[at]) {
                let mut changed = good.clone();
                changed[at] = value;
                assert!(CertificationRequest::parse(&changed).is_err(), "{key}: octet {at} made {value:02x}");
            }
            assert!(CertificationRequest::parse(&good[..at]).is_err(), "{key}: cut at {at}");
            let longer = [&good[..at], &[0], &good[at..]].concat();
            assert!(CertificationRequest::parse(&longer).is_err(), "{key}: inserted at {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_input_makes_the_reader_panic(mut input in proptest::collection::vec(any::<u8>(), 0..300), der: bool) {
        if der && !input.is_empty() {
            input[0] = SEQUENCE;
        }
        prop_assert!(CertificationRequest::parse(&input).is_err());
        prop_assert!(SubjectPublicKey::from_spki_der(&input).is_err());
    }
}

fn ec_spki(curve: &str, point: &[u8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.10045.2.1"), &oid(curve)]);
    tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], point])])
}

#[test]
fn a_point_is_on_its_curve_and_in_an_accepted_form() {
    let spki = Handmade::p256().spki;
    let point = spki[spki.len() - 65..].to_vec();
    let p256 = |point: &[u8]| {
        SubjectPublicKey::from_spki_der(&ec_spki("1.2.840.10045.3.1.7", point))
            .map_err(Refusal::name)
            .map(|_| ())
    };
    assert_eq!(p256(&point), Ok(()));
    let mut off_curve = point.clone();
    off_curve[64] ^= 1;
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    for (bad, name) in [
        (&off_curve[..], "point-not-on-curve"),
        (&[&[4][..], &[0; 64]].concat(), "point-not-on-curve"),
        (&[&[4][..], &[0xff; 64]].concat(), "point-not-on-curve"),
        (&[&[2][..], &[0xff; 32]].concat(), "point-not-on-curve"),
        (&[0], "point-at-infinity"),
        (&[], "malformed-key"),
        (&hybrid, "malformed-key"),
        (&point[..64], "malformed-key"),
        (&[&point[..], &[0]].concat(), "malformed-key"),
        (&[&[5], &point[1..]].concat(), "malformed-key"),
    ] {
        assert_eq!(p256(bad), Err(name), "{bad:02x?}");
    }
    let named = |spki: Vec<u8>| SubjectPublicKey::from_spki_der(&spki).unwrap_err().name();
    assert_eq!(named(ec_spki("1.3.132.0.34", &point)), "malformed-key");
    assert_eq!(named(ec_spki("1.3.6.1.4.1.55555.5", &point)), "unsupported-curve");
    let parameters = |parameters: &[u8]| {
        let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.10045.2.1"), parameters]);
        tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], &point])])
    };
    assert_eq!(named(parameters(b"")), "curve-not-named");
    assert_eq!(named(parameters(b"\x05\x00")), "curve-not-named");
    assert_eq!(named([&spki[..], &[0]].concat()), "trailing-bytes");
}

#[test]
fn an_ed25519_key_that_anybody_can_sign_for_is_refused() {
    let algorithm = tlv(SEQUENCE, &[&oid("1.3.101.112")]);
    let mut identity = [0; 32];
    identity[0] = 1;
    let spki = tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], &identity])]);
    // R = the neutral element and S = 0 satisfy the verification equation for every message.
    let info = tlv(SEQUENCE, &[&[INTEGER, 1, 0], &[SEQUENCE, 0], &spki, &[CONTEXT_0, 0]]);
    let signature = tlv(BIT_STRING, &[&[0], &identity, &[0; 32]]);
    assert_eq!(refused(&tlv(SEQUENCE, &[&info, &algorithm, &signature])), "small-order-point");
}

/// A prime of this many bits, the two highest set.
fn prime(bits: i32) -> BigUint {
    let mut prime = BigNum::new().unwrap();
    prime.generate_prime(bits, false, None, None).unwrap();
    BigUint::from_bytes_be(&prime.to_vec())
}

fn is_prime(number: &BigUint) -> bool {
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    BigNum::from_slice(&number.to_bytes_be()).unwrap().is_prime_fasttest(20, &mut context, true).unwrap()
}

fn next_prime(number: BigUint) -> BigUint {
    let mut candidate = number | BigUint::from(1u8);
    while !is_prime(&candidate) {
        candidate += 2u8;
    }
    candidate
}

/// A prime of the Infineon library: k M + (65537^a mod M), M the product of the first 126 primes (Nemec et al. 2017).
fn roca_prime() -> BigUint {
    let first_primes = (2..702u32).filter(|&number| (2..number).all(|divisor| number % divisor != 0));
    let m: BigUint = first_primes.map(BigUint::from).product();
    let power = prime(62);
    let residue = BigUint::from(65537u32).modpow(&power, &m);
    let mut k = (BigUint::from(3u8) << 1022u32) / &m + prime(40);
    loop {
        let candidate = &k * &m + &residue;
        if is_prime(&candidate) {
            assert_eq!(candidate.bits(), 1024);
            return candidate;
        }
        k += 1u8;
    }
}

fn rsa_spki(modulus: &BigUint, exponent: &BigUint) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.113549.1.1.1"), b"\x05\x00"]);
    let key = tlv(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    tlv(SEQUENCE, &[&algorithm, &tlv(BIT_STRING, &[&[0], &key])])
}

/// The request of an applicant who does hold the key with these primes.
fn rsa_request(p: &BigUint, q: &BigUint) -> Vec<u8> {
    let number = |number: &BigUint| BigNum::from_slice(&number.to_bytes_be()).unwrap();
    let one = BigUint::from(1u8);
    let e = BigUint::from(65537u32);
    let d = e.modinv(&((p - &one) * (q - &one))).unwrap();
    let key = Rsa::from_private_components(
        number(&(p * q)),
        number(&e),
        number(&d),
        number(p),
        number(q),
        number(&(&d % (p - &one))),
        number(&(&d % (q - &one))),
        number(&q.modinv(p).unwrap()),
    );
    let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.113549.1.1.11"), b"\x05\x00"]);
    Handmade::of(PKey::from_rsa(key.unwrap()).unwrap(), algorithm).build()
}

#[test]
fn weak_rsa_keys_are_refused_even_with_a_proof_of_possession() {
    let (p, q) = (prime(1024), prime(1024));
    assert!(CertificationRequest::parse(&rsa_request(&p, &q)).is_ok());
    assert_eq!(refused(&rsa_request(&roca_prime(), &roca_prime())), "roca");
    assert_eq!(refused(&rsa_request(&p, &next_prime(&p + prime(60)))), "close-primes");
    let large = next_prime((BigUint::from(1u8) << 2047u32) / 60_013u32 + prime(1000));
    assert_eq!(refused(&rsa_request(&large, &BigUint::from(60_013u32))), "small-factor");
}

#[test]
fn fermat_runs_a_hundred_rounds() {
    // n = (a - b)(a + b) falls in the round in which Fermat's method reaches a; a lies b²/(2a) above the root of n.
    let needs = |rounds: u32| {
        let a = (BigUint::from(3u8) << 1022u32) + prime(100);
        let b = ((&a * 2u8) * rounds).sqrt() - 1u8;
        (a, b)
    };
    for (rounds, close) in [(2, true), (60, true), (99, true), (130, false), (5000, false)] {
        let (a, b) = needs(rounds);
        let modulus = (&a - &b) * (&a + &b);
        let found = weak_key::has_close_factors(&modulus, modulus.sqrt());
        assert_eq!(found, close, "{rounds} rounds");
    }
}

#[test]
fn moduli_and_exponents_without_sense_are_refused() {
    let (p, q) = (prime(1024), prime(1024));
    let (n, e) = (&p * &q, BigUint::from(65537u32));
    let named = |n: &BigUint, e: &BigUint| match SubjectPublicKey::from_spki_der(&rsa_spki(n, e)) {
        Ok(key) => key.kind().to_string(),
        Err(refusal) => refusal.name().to_string(),
    };
    assert_eq!(named(&n, &e), "RSA-2048");
    assert_eq!(named(&(&n - 1u8), &e), "even-modulus");
    assert_eq!(named(&n, &BigUint::from(65536u32)), "even-exponent");
    assert_eq!(named(&n, &BigUint::ZERO), "even-exponent");
    assert_eq!(named(&n, &BigUint::from(1u8)), "exponent-too-small");
    assert_eq!(named(&n, &BigUint::from(65535u32)), "exponent-too-small");
    assert_eq!(named(&n, &BigUint::from(u32::MAX)), "RSA-2048");
    assert_eq!(named(&n, &((BigUint::from(1u8) << 256u32) + 1u8)), "exponent-too-large");
    assert_eq!(named(&(&p * &p), &e), "square-modulus");
    assert_eq!(named(&prime(2048), &e), "prime-modulus");
    assert_eq!(named(&((BigUint::from(1u8) << 2047u32) + 1u8), &e), "small-factor");
    assert_eq!(named(&BigUint::ZERO, &e), "modulus-too-small");
    assert_eq!(named(&((BigUint::from(1u8) << 32_767u32) + 12345u32), &e), "modulus-too-large");

    let spki = rsa_spki(&n, &e);
    let algorithm = tlv(SEQUENCE, &[&oid("1.2.840.113549.1.1.1"), b"\x05\x00"]);
    let key = tlv(SEQUENCE, &[&integer(&n), &integer(&e)]);
    let negative = tlv(SEQUENCE, &[&tlv(INTEGER, &[&n.to_bytes_be()]), &integer(&e)]);
    let built = |algorithm: &[u8], bits: &[u8]| {
        let spki = tlv(SEQUENCE, &[algorithm, &tlv(BIT_STRING, &[bits])]);
        SubjectPublicKey::from_spki_der(&spki).map_err(Refusal::name)
    };
    assert_eq!(built(&algorithm, &[&[0], &key[..]].concat()).unwrap().spki_der(), spki);
    for bad in [
        built(&algorithm, &[&[0], &key[..], &[0, 0]].concat()),
        built(&algorithm, &[&[0], &negative[..]].concat()),
        built(&algorithm, &[0, 0x30, 0]),
        built(&algorithm, &[0]),
        built(&tlv(SEQUENCE, &[&oid("1.2.840.113549.1.1.1")]), &[&[0], &key[..]].concat()),
        built(&tlv(SEQUENCE, &[&oid("1.2.840.113549.1.1.1"), b"\x04\x00"]), &[&[0], &key[..]].concat()),
    ] {
        assert_eq!(bad, Err("malformed-key"));
    }
}

#[test]
fn one_key_belongs_to_one_person_and_a_compromised_key_to_nobody() {
    let used =
        |holder: &str, revoked_for_compromise| KeyUse { holder: holder.into(), revoked_for_compromise };
    let (mine, theirs) = ("30101900000011", "41505850000022");
    assert_eq!(check_history(&[], mine), Ok(()));
    assert_eq!(check_history(&[used(mine, false), used(mine, false)], mine), Ok(()));
    assert_eq!(
        check_history(&[used(mine, false), used(theirs, false)], mine),
        Err(Refusal::KeyOfAnotherPerson)
    );
    assert_eq!(check_history(&[used(mine, true)], mine), Err(Refusal::CompromisedKey));
    assert_eq!(check_history(&[used(theirs, false), used(theirs, true)], mine), Err(Refusal::CompromisedKey));
}
