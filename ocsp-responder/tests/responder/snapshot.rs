//! The index on disk. What only the file can know tells whether it was used: its row and its change are deleted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ca_core::SerialNumber;
use ca_core::revocation::{Reason, Status};
use config::settings::Ocsp;
use tempfile::TempDir;
use x509_ocsp::CertStatus;

use crate::stage::{Stage, settings, within};

const SECOND: Duration = Duration::from_secs(1);

/// Stops a responder that knows of three certificates, the second of them revoked, and deletes the first from the
/// database. Returns the three.
fn stopped(file: &Path) -> (Stage, [SerialNumber; 3]) {
    let mut stage = Stage::with(Ocsp { snapshot_file: Some(file.to_owned()), ..settings() });
    let serials = [stage.issue(), stage.issue(), stage.store(|new| new.issuer = "root".to_owned())];
    let since = stage.clock.now();
    let status = Status::Revoked { since, reason: Reason::Superseded, invalidity_date: None };
    stage.change(serials[1], status);
    within(SECOND, || {
        matches!(stage.statuses(&serials[..2])[..], [CertStatus::Good(_), CertStatus::Revoked(_)])
    });
    stage.follower = None;
    assert!(fs::metadata(file).unwrap().len() > 0);
    stage.without_feed("DELETE FROM status_changes WHERE seq = 1; DELETE FROM certificates WHERE id = 1");
    (stage, serials)
}

fn is_first_known(stage: &Stage, serials: &[SerialNumber]) -> bool {
    match stage.statuses(&serials[..2])[..] {
        [CertStatus::Good(_), CertStatus::Revoked(_)] => true,
        [CertStatus::Unknown(_), CertStatus::Revoked(_)] => false,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_restart_reads_the_file_and_what_has_changed_since() {
    let folder = TempDir::new().unwrap();
    let (mut stage, serials) = stopped(&folder.path().join("index"));
    let later = stage.issue();
    stage.restart();
    assert!(is_first_known(&stage, &serials), "the file was not used");
    assert!(matches!(stage.statuses(&[later])[..], [CertStatus::Good(_)]));
    assert!(!folder.path().join("index.new").exists());
}

#[test]
fn a_file_that_is_damaged_anywhere_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("index");
    let (mut stage, serials) = stopped(&file);
    let whole = fs::read(&file).unwrap();
    for place in [0, 20, 40, 60, 100, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x40;
        fs::write(&file, damaged).unwrap();
        stage.restart();
        assert!(!is_first_known(&stage, &serials), "octet {place}");
    }
    for length in [0, 10, 31, 32, 33, whole.len() / 2, whole.len() - 1] {
        stage.follower = None;
        fs::write(&file, &whole[..length]).unwrap();
        stage.restart();
        assert!(!is_first_known(&stage, &serials), "{length} octets");
    }
}

#[test]
fn a_file_of_another_database_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("index");
    let (mut stage, serials) = stopped(&file);
    stage.without_feed("UPDATE status_changes SET at = at + 1");
    stage.restart();
    assert!(!is_first_known(&stage, &serials));
    // One of other CAs.
    let (_other, _) = stopped(&file);
    stage.restart();
    assert!(!is_first_known(&stage, &serials));
}

#[test]
fn a_file_that_cannot_be_written_stops_nobody() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("no such folder/index");
    let mut stage = Stage::with(Ocsp { snapshot_file: Some(file), ..settings() });
    let serial = stage.issue();
    stage.restart();
    within(SECOND, || matches!(stage.statuses(&[serial])[..], [CertStatus::Good(_)]));
}
