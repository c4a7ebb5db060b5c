use std::fs;
use std::process::Command;

use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "Uzun-Parol-2026";

fn openssl(folder: &TempDir, arguments: &str) -> (bool, String) {
    let said = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    (said.status.success(), String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned())
}

fn well(folder: &TempDir, arguments: &str) -> String {
    let (success, said) = openssl(folder, arguments);
    assert!(success, "openssl {arguments}\n{said}");
    said
}

/// A key, its certificate and a root, all by openssl: `key.pem`, `leaf.der`, `root.der`.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    well(&folder, &format!("req -x509 {curve} -keyout root.key -out root.pem -subj /CN=Root"));
    well(&folder, &format!("req {curve} -keyout key.pem -out leaf.csr -subj /CN=Leaf"));
    well(&folder, "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -out leaf.pem -set_serial 7");
    for name in ["leaf", "root"] {
        well(&folder, &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
    }
    well(&folder, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
    folder
}

fn content(folder: &TempDir) -> KeyFile {
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let alias = Some("cn=leaf,o=не указано,1.2.860.3.16.1.2=30101901112227".to_owned());
    KeyFile {
        alias,
        pkcs8: Zeroizing::new(read("key.der")),
        certificates: vec![read("leaf.der"), read("root.der")],
    }
}

#[test]
fn what_is_written_is_read_and_its_alias_needs_no_password() {
    let folder = folder();
    let content = content(&folder);
    let file = write(&content, PASSWORD).unwrap();
    let listing = list(&file).unwrap();
    assert_eq!(listing.aliases, content.alias.iter().cloned().collect::<Vec<_>>());
    assert_eq!(listing.certificates.len(), 2);
    let opened = open(&file, PASSWORD).unwrap();
    assert_eq!(opened.alias, content.alias);
    assert_eq!(opened.pkcs8, content.pkcs8);
    assert_eq!(opened.certificates, content.certificates);
}

#[test]
fn openssl_opens_every_kind_of_key() {
    let folder = folder();
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
        let key = FileKey::generate(algorithm).unwrap();
        let pkcs8 = key.to_pkcs8_der().unwrap();
        let file =
            write(&KeyFile { alias: Some("x".into()), pkcs8, certificates: Vec::new() }, PASSWORD).unwrap();
        fs::write(folder.path().join("made.pfx"), file).unwrap();
        well(&folder, &format!("pkcs12 -in made.pfx -passin pass:{PASSWORD} -nodes -out made.pem"));
        well(&folder, "pkey -in made.pem -pubout -outform DER -out made.pub");
        assert_eq!(fs::read(folder.path().join("made.pub")).unwrap(), key.public_key());
    }
}

#[test]
fn files_by_openssl_are_opened_with_their_chain_in_order() {
    let folder = folder();
    let export =
        format!("pkcs12 -export -inkey key.pem -in leaf.pem -certfile root.pem -passout pass:{PASSWORD}");
    let content = content(&folder);
    for options in [
        "",
        " -keypbe AES-128-CBC -certpbe NONE",
        " -macalg sha512 -iter 5000",
        " -certpbe AES-192-CBC",
        " -macalg sha1 -iter 100",
    ] {
        well(&folder, &format!("{export} -out theirs.pfx{options}"));
        let file = fs::read(folder.path().join("theirs.pfx")).unwrap();
        let opened = open(&file, PASSWORD).unwrap_or_else(|fault| panic!("{options}: {fault}"));
        assert_eq!(opened.certificates, content.certificates, "{options}");
        let public = |pkcs8: &[u8]| FileKey::from_pkcs8_der(pkcs8).unwrap().public_key().to_vec();
        assert_eq!(public(&opened.pkcs8), public(&content.pkcs8));
        assert_eq!(open(&file, "Boshqa-Parol-1").map(|_| ()), Err(Fault::WrongPassword), "{options}");
    }
}

#[test]
fn a_wrong_password_is_told_from_damage() {
    let folder = folder();
    let file = write(&content(&folder), PASSWORD).unwrap();
    let opened = |file: &[u8], password: &str| open(file, password).map(|_| ());
    assert_eq!(opened(&file, "Boshqa-Parol-1"), Err(Fault::WrongPassword));
    assert_eq!(opened(&file, ""), Err(Fault::WrongPassword));
    let alias = file.windows(4).position(|part| part == [0, b'c', 0, b'n']).unwrap();
    let mut renamed = file.clone();
    renamed[alias + 1] = b'd';
    assert_eq!(opened(&renamed, PASSWORD), Err(Fault::Damaged));
    for length in [0, 1, 100, file.len() - 1] {
        assert_eq!(opened(&file[..length], PASSWORD), Err(Fault::NotPfx), "{length}");
    }
    assert_eq!(opened(&vec![0; MAX_SIZE + 1], PASSWORD), Err(Fault::TooLarge));
}

#[test]
fn a_file_that_asks_for_endless_hashing_is_refused_at_once() {
    let folder = folder();
    let mut file = write(&content(&folder), PASSWORD).unwrap();
    // INTEGER 100 000, of the key and of the MAC, becomes 8 388 607.
    let iterations = [2, 3, 1, 0x86, 0xa0];
    let places: Vec<usize> = (0..=file.len() - 5).filter(|&at| file[at..at + 5] == iterations).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        file[at + 2..at + 5].copy_from_slice(&[0x7f, 0xff, 0xff]);
        assert_eq!(open(&file, PASSWORD).map(|_| ()), Err(Fault::TooMuchWork));
        file[at + 2..at + 5].copy_from_slice(&[1, 0x86, 0xa0]);
    }
}

#[test]
fn old_encryption_is_refused_by_name() {
    let folder = folder();
    let export = format!("pkcs12 -export -inkey key.pem -in leaf.pem -passout pass:{PASSWORD} -out old.pfx");
    well(&folder, &format!("{export} -keypbe PBE-SHA1-3DES"));
    let file = fs::read(folder.path().join("old.pfx")).unwrap();
    assert_eq!(open(&file, PASSWORD).map(|_| ()), Err(Fault::Unsupported));
}

#[test]
fn no_changed_octet_makes_the_reader_panic() {
    let folder = folder();
    let file = write(&content(&folder), PASSWORD).unwrap();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 0x55;
        let _ = list(&changed);
    }
}

/// GnuTLS writes PBKDF2's function without NULL, Java its own way of localKeyId and chain, NSS writes BER.
#[test]
fn files_by_gnutls_java_and_nss_are_opened() {
    let folder = folder();
    let run = |program: &str, arguments: &str| {
        let said = Command::new(program).current_dir(&folder).args(arguments.split(' ')).output().unwrap();
        assert!(said.status.success(), "{program} {arguments}\n{}", String::from_utf8_lossy(&said.stderr));
    };
    let files = "--load-privkey key.pem --load-certificate leaf.pem --load-ca-certificate root.pem";
    let gnutls = format!("--to-p12 {files} --p12-name gnutls --password {PASSWORD}");
    run("certtool", &format!("{gnutls} --pkcs-cipher aes-256 --outder --outfile theirs.pfx"));
    let java = "-genkeypair -keyalg EC -groupname secp384r1 -alias java -dname CN=Java -storetype PKCS12";
    run("keytool", &format!("{java} -keystore java.pfx -storepass {PASSWORD}"));
    fs::write(folder.path().join("password"), PASSWORD).unwrap();
    well(
        &folder,
        &format!("pkcs12 -export -inkey key.pem -in leaf.pem -name nss -passout pass:{PASSWORD} -out in.pfx"),
    );
    fs::create_dir(folder.path().join("db")).unwrap();
    run("certutil", "-N -d sql:db --empty-password");
    run("pk12util", "-i in.pfx -d sql:db -w password");
    run("pk12util", "-o nss.pfx -n nss -d sql:db -w password");
    for (file, alias) in [("theirs.pfx", "gnutls"), ("java.pfx", "java"), ("nss.pfx", "nss")] {
        let file = fs::read(folder.path().join(file)).unwrap();
        let opened = open(&file, PASSWORD).unwrap_or_else(|fault| panic!("{alias}: {fault}"));
        assert_eq!(opened.alias.as_deref(), Some(alias));
        assert!(!opened.certificates.is_empty());
        let key = FileKey::from_pkcs8_der(&opened.pkcs8).unwrap();
        assert_eq!(crate::key::public_key(&opened.certificates[0]).unwrap(), key.public_key());
        assert_eq!(open(&file, "Boshqa-Parol-1").map(|_| ()), Err(Fault::WrongPassword), "{alias}");
    }
}
