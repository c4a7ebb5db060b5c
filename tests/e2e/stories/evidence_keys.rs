//! Evidence is sealed with its application's key, the keys move under a new master key, and nothing else is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use openssl::md::Md;
use openssl::pkey::Id;
use openssl::pkey_ctx::PkeyCtx;
use openssl::symm::{Cipher, encrypt_aead};

use crate::applicant::{Application, SubjectType};
use crate::officer::Officer;
use crate::picture;
use crate::stack::{Database, Role, Stack, eventually};
use crate::token::{MODULE, PIN, Token};

on_both_databases!(
    passports_and_pictures_lie_sealed_and_a_rotation_leaves_them_readable,
    a_document_that_was_changed_or_left_behind_is_found,
    a_master_key_on_a_token_takes_over_and_never_leaves_it,
);

const KINDS: [&str; 2] = ["photo", "selfie"];

fn photo_path(id: &str) -> String {
    path(id, "photo")
}

fn path(id: &str, kind: &str) -> String {
    format!("/api/v1/officer/applications/{id}/documents/{kind}")
}

fn object_key(stack: &Stack, id: &str, kind: &str) -> String {
    let rows = stack
        .rows(&format!("SELECT object_key FROM documents WHERE application_id = '{id}' AND kind = '{kind}'"));
    rows.into_iter().next().expect("a document")
}

fn object(stack: &Stack, id: &str) -> PathBuf {
    object_of(stack, id, "photo")
}

fn object_of(stack: &Stack, id: &str, kind: &str) -> PathBuf {
    stack.folder.join("documents").join(object_key(stack, id, kind))
}

/// Makes an application look as it did before applications had keys, with its pictures sealed by OpenSSL.
fn make_former(stack: &Stack, id: &str, passport: &str, pictures: &[Vec<u8>; 2]) {
    let (mut key, nonce, mut tag) = ([0; 32], [5; 12], [0; 16]);
    let mut hkdf = PkeyCtx::new_id(Id::HKDF).expect("HKDF");
    hkdf.derive_init().expect("HKDF");
    hkdf.set_hkdf_md(Md::sha256()).expect("SHA-256");
    hkdf.set_hkdf_salt(&[]).expect("no salt");
    hkdf.set_hkdf_key(&fs::read(stack.folder.join("documents.key")).expect("the service's key"))
        .expect("a key");
    hkdf.add_hkdf_info(b"muhr/sealing/1").expect("a purpose");
    hkdf.derive(Some(&mut key)).expect("a key");
    for (kind, picture) in KINDS.iter().zip(pictures) {
        let context = format!("document/{id}/{kind}");
        let cipher = Cipher::aes_256_gcm();
        let body =
            encrypt_aead(cipher, &key, Some(&nonce), context.as_bytes(), picture, &mut tag).expect("sealed");
        let sealed = [&[1], nonce.as_slice(), &body, &tag].concat();
        fs::write(object_of(stack, id, kind), sealed).expect("our folder");
    }
    stack.rows(&format!("DELETE FROM data_keys WHERE application_id = '{id}'"));
    stack.rows(&format!(
        "UPDATE applications SET subject = replace(subject, '\"surname\"', '\"document\":\"{passport}\",\"surname\"') \
         WHERE id = '{id}'"
    ));
}

fn passports_and_pictures_lie_sealed_and_a_rotation_leaves_them_readable(database: Database) {
    let mut stack = database.start_with(&[]);
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let former = Application::under_review(&stack, SubjectType::NaturalPerson);
    let passport = |application: &Application| application.view()["subject"]["passport"].clone();

    assert_eq!(passport(&application), application.person.passport.as_str());
    let subject = stack.rows(&format!("SELECT subject FROM applications WHERE id = '{}'", application.id));
    assert!(
        subject[0].contains("surname") && !subject[0].contains(&application.person.passport),
        "{subject:?}"
    );
    let sealed = fs::read(object(&stack, &application.id)).expect("an object");
    assert!(!sealed.windows(4).any(|part| part == b"JFIF"), "the picture lies in the clear");

    let reviewer = Officer::reviewer(&stack).client;
    let pictures = KINDS.map(|kind| reviewer.get(&path(&former.id, kind)).is(200).body);
    make_former(&stack, &former.id, &former.person.passport, &pictures);
    let photo = &pictures[0];
    assert_eq!(reviewer.get(&photo_path(&former.id)).is(200).body, *photo, "readable before it is moved");
    assert_eq!(passport(&former), former.person.passport.as_str());

    stack.terminate(Role::All);
    let second = stack.folder.join("second.key");
    stack.muhr(&["evidence", "master-key", &second.display().to_string()]).well();
    assert!(!stack.muhr(&["evidence", "master-key", &second.display().to_string()]).success, "overwritten");
    stack.set("DOCUMENTS__MASTER_KEYS", "master.key,second.key");
    stack.run(Role::All);
    reviewer.get(&photo_path(&application.id)).is(200);
    let said = stack.muhr(&["evidence", "rotate"]).well();
    assert!(
        said.out.contains("1 applications given a key, 2 documents sealed anew, 1 keys now under"),
        "{}",
        said.out
    );
    let said = stack.muhr(&["evidence", "rotate"]).well();
    assert!(
        said.out.contains("0 applications given a key, 0 documents sealed anew, 0 keys now under"),
        "{}",
        said.out
    );
    assert_eq!(reviewer.get(&photo_path(&former.id)).is(200).body, *photo);

    // The first master key is needed no more, and neither is the service's for what was sealed with it.
    stack.terminate(Role::All);
    fs::remove_file(stack.folder.join("master.key")).expect("our folder");
    stack.set("DOCUMENTS__MASTER_KEYS", "second.key");
    stack.run(Role::All);
    for application in [&application, &former] {
        assert_eq!(reviewer.get(&photo_path(&application.id)).is(200).header("content-type"), "image/jpeg");
        assert_eq!(passport(application), application.person.passport.as_str());
        let subject =
            stack.rows(&format!("SELECT subject FROM applications WHERE id = '{}'", application.id));
        assert!(!subject[0].contains(&application.person.passport), "{subject:?}");
    }
    assert_eq!(fs::read(object(&stack, &former.id)).expect("an object")[0], 2, "sealed with its own key");
    let said = stack.muhr(&["evidence", "verify"]).well();
    assert!(said.out.contains("4 documents opened, 4 objects looked at, 0 findings"), "{}", said.out);
}

fn a_document_that_was_changed_or_left_behind_is_found(database: Database) {
    let stack = database.start_with(&[]);
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let other = Application::under_review(&stack, SubjectType::NaturalPerson);
    stack.muhr(&["evidence", "verify"]).well();

    let (own, anothers) = (object(&stack, &application.id), object(&stack, &other.id));
    let kept = fs::read(&own).expect("an object");
    fs::copy(&anothers, &own).expect("our folder");
    let said = stack.muhr(&["evidence", "verify"]);
    assert!(
        !said.success && said.out.contains(&format!("application:{}: photo does not open", application.id)),
        "{}",
        said.all()
    );
    Officer::reviewer(&stack).client.get(&photo_path(&application.id)).problem(500, "internal-error");
    fs::write(&own, kept).expect("our folder");
    stack.muhr(&["evidence", "verify"]).well();

    let left = stack.folder.join("documents/00");
    fs::create_dir_all(&left).expect("our folder");
    leave_behind(&left.join("left"));
    let said = stack.muhr(&["evidence", "verify"]);
    assert!(!said.success && said.out.contains("object:00/left: no document names it"), "{}", said.all());
}

/// A file of yesterday.
fn leave_behind(file: &Path) {
    fs::write(file, picture::photo()).expect("our folder");
    let written = fs::metadata(file).and_then(|data| data.modified()).expect("our file");
    let yesterday = written - Duration::from_secs(86_400);
    fs::File::options()
        .write(true)
        .open(file)
        .and_then(|file| file.set_modified(yesterday))
        .expect("our file");
}

/// The processes of ours that hold master keys for a process.
fn custodians(of: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).expect("a process that runs");
    let children = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<i32> = children
        .flat_map(|line| line.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect();
    let holds = |id: &i32| {
        fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.contains("hold-master-keys"))
    };
    children.into_iter().filter(holds).collect()
}

fn a_master_key_on_a_token_takes_over_and_never_leaves_it(database: Database) {
    let token = Token::new();
    let pin_file = token.pin_file().display().to_string();
    let mut stack = token.stack(
        database,
        &[
            ("KEYS__TOKEN__ROOT_LABEL", "root"),
            ("DOCUMENTS__TOKEN__MODULE", MODULE),
            ("DOCUMENTS__TOKEN__LABEL", "muhr"),
            ("DOCUMENTS__TOKEN__PIN_FILE", &pin_file),
        ],
    );
    stack.run(Role::All);
    let application = Application::under_review(&stack, SubjectType::NaturalPerson);
    let reviewer = Officer::reviewer(&stack).client;
    let photo = reviewer.get(&photo_path(&application.id)).is(200).body;

    stack.terminate(Role::All);
    stack.muhr(&["evidence", "master-key", "token:evidence 2027"]).well();
    stack.muhr(&["evidence", "master-key", "token:evidence 2027"]).refused_with("no key is ever overwritten");
    stack.set("DOCUMENTS__MASTER_KEYS", "master.key,token:evidence 2027");
    let looked = stack.muhr(&["check-config"]).well().out;
    assert!(
        looked.contains("a master key: label \"evidence 2027\" is on token \"muhr\", and wraps"),
        "{looked}"
    );
    let said = stack.muhr(&["evidence", "rotate"]).well();
    assert!(said.out.contains("1 keys now under master key token:evidence 2027"), "{}", said.out);
    // The file is needed no more.
    fs::remove_file(stack.folder.join("master.key")).expect("our folder");
    stack.set("DOCUMENTS__MASTER_KEYS", "token:evidence 2027");
    stack.run(Role::All);
    let newer = Application::under_review(&stack, SubjectType::NaturalPerson);
    assert_eq!(reviewer.get(&photo_path(&application.id)).is(200).body, photo);
    assert_eq!(newer.view()["subject"]["passport"], newer.person.passport.as_str());
    let said = stack.muhr(&["evidence", "verify"]).well();
    assert!(said.out.contains("master key token:evidence 2027: 2 keys"), "{}", said.out);
    assert!(said.out.contains("4 documents opened, 4 objects looked at, 0 findings"), "{}", said.out);

    // The library of the token's maker is loaded in another process; what ends that one ends nothing else.
    let server = stack.process(Role::All);
    let [custodian] = custodians(server)[..] else { panic!("{:?}", custodians(server)) };
    assert!(Command::new("kill").args(["-9", &custodian.to_string()]).status().expect("kill").success());
    reviewer.get(&photo_path(&newer.id)).is(200);
    assert_ne!(custodians(server), [custodian]);

    // A key that was wrapped for another application opens for nobody, and disturbs nobody else.
    stack.tamper(&format!(
        "UPDATE data_keys SET wrapped_key = (SELECT wrapped_key FROM data_keys WHERE application_id = '{}') \
         WHERE application_id = '{}'",
        newer.id, application.id
    ));
    reviewer.get(&photo_path(&application.id)).is(500);
    reviewer.get(&photo_path(&newer.id)).is(200);
    let long = match database {
        Database::Sqlite => "zeroblob(70000)",
        Database::Postgres | Database::PostgresAndToken => "decode(repeat('00', 70000), 'hex')",
    };
    stack.tamper(&format!(
        "UPDATE data_keys SET wrapped_key = {long} WHERE application_id = '{}'",
        application.id
    ));
    reviewer.get(&photo_path(&application.id)).is(500);
    reviewer.get(&photo_path(&newer.id)).is(200);

    // Without the token nothing opens; with it everything does again, and nobody has to start anything.
    token.pull_out();
    eventually("nothing opens", Duration::from_secs(5), || {
        (reviewer.get(&photo_path(&newer.id)).status == 503).then_some(())
    });
    eventually("it says that it is not ready", Duration::from_secs(20), || {
        stack
            .readiness(Role::All)
            .text()
            .contains("the token with the master key cannot be used")
            .then_some(())
    });
    // What needs no key goes on, without the number.
    assert!(newer.view()["subject"]["passport"].is_null());
    let said = stack.muhr(&["evidence", "verify"]);
    assert!(!said.success && said.err.contains("the token with the master keys"), "{}", said.all());
    token.plug_in();
    eventually("it opens again", Duration::from_secs(20), || {
        (reviewer.get(&photo_path(&newer.id)).status == 200).then_some(())
    });
    assert!(!stack.log().contains(PIN));
}
