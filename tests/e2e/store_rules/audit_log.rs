//! Whoever writes into the sealed log behind the store's back is found out, and where; each on both databases.

use std::sync::Arc;
use std::time::Duration;

use ca_core::Timestamp;
use ca_core::audit::{AuditKeys, Entry, Head, MAX_BATCH, Report, SignedHead};
use ca_core::signer::{FileKey, KeyAlgorithm, Signer};
use ca_signer::{HeadSigner, Keyring, SealError, audit_log, ceremony};
use config::Settings;
use serde_json::json;
use store::{StoreError, audit, audit_heads, verification};

use super::stage::{Ground, at_once, settings};
use crate::stack::Database;

on_both_databases!(
    a_sealed_log_has_no_fault,
    an_entry_that_was_changed_is_named,
    an_entry_that_was_deleted_is_named,
    an_entry_that_was_added_among_older_ones_is_named,
    entries_that_are_committed_late_are_sealed,
    an_entry_that_nobody_seals_is_named,
    leaves_that_changed_places_are_named,
    a_leaf_that_fits_a_changed_entry_does_not_fit_its_head,
    leaves_that_were_taken_out_are_named,
    a_head_that_was_changed_is_named,
    a_head_that_was_taken_out_is_named,
    a_head_that_somebody_else_signed_is_named,
    an_end_that_was_cut_off_is_known_from_what_was_seen_before,
    a_log_that_was_emptied_is_found_out,
    the_database_itself_refuses_to_change_the_log,
    many_entries_get_heads_of_ten_thousand,
    signers_at_one_time_make_one_log,
    an_audit_key_is_made_once,
);

const LATER: Duration = Duration::from_secs(20 * 60);

/// Three heads over 3, 4 and 3 entries, numbered 1 to 10 in both ways.
struct Sealed {
    ground: Ground,
    settings: Arc<Settings>,
    signer: HeadSigner,
    keys: AuditKeys,
}

impl Sealed {
    fn empty(kind: Database) -> Self {
        let ground = Ground::empty(kind);
        store::migrations::up(&ground.store).expect("migrations run");
        let settings = Arc::new(settings(&[]));
        let keyring = Keyring::with_passphrase(&settings, b"a passphrase");
        assert!(HeadSigner::open(ground.store.clone(), &settings, &keyring).expect("no key yet").is_none());
        let mut key = keyring.make_audit().expect("a key");
        key.keep().expect("a folder");
        let pem = AuditKeys::pem(key.signer().public_key()).expect("P-256");
        let signer =
            HeadSigner::open(ground.store.clone(), &settings, &keyring).expect("a key").expect("made");
        drop(keyring);
        let keys = AuditKeys::from_pem(pem.as_bytes()).expect("a key");
        Self { ground, settings, signer, keys }
    }

    fn new(kind: Database) -> Self {
        let sealed = Self::empty(kind);
        for count in [3, 4, 3] {
            sealed.record(count);
            assert_eq!(sealed.seal(), [count]);
        }
        sealed
    }

    fn now(&self) -> Timestamp {
        self.settings.clock().now()
    }

    fn record(&self, count: i64) {
        let entry = audit::Entry {
            at: self.now(),
            actor: "officer:reviewer".to_owned(),
            action: "application.approve".to_owned(),
            object: "application:1".to_owned(),
            details: json!({ "state": "approved" }),
        };
        let entries = vec![entry; usize::try_from(count).expect("a count")];
        self.ground.write(|c| audit::record(c, &entries));
    }

    /// The counts of the heads.
    fn seal(&self) -> Vec<i64> {
        self.signer.seal().expect("a head").iter().map(|head| head.count).collect()
    }

    fn heads(&self) -> Vec<SignedHead> {
        self.ground.read(|c| audit_heads::after(c, 0, 1000)).into_iter().map(|stored| stored.signed).collect()
    }

    fn remembered(&self) -> SignedHead {
        let memory = self.settings.keys.directory.join("audit.head");
        audit_log::remembered(&memory).expect("readable").expect("something was sealed")
    }

    fn look(&self, evidence: &[SignedHead], now: Timestamp) -> (Report, u64) {
        let evidence = evidence.iter().map(|head| ("outside".to_owned(), head.clone())).collect();
        let found = self.ground.read(|c| verification::verify_log(c, &self.keys, evidence, None, now));
        (found.log, found.waiting)
    }

    fn faults_at(&self, evidence: &[SignedHead], now: Timestamp) -> Vec<String> {
        self.look(evidence, now).0.faults.iter().map(ToString::to_string).collect()
    }

    fn faults(&self) -> Vec<String> {
        self.faults_at(&[], self.now())
    }

    fn insert(&self, id: i64) {
        let overriding = if self.ground.is_postgres() { "OVERRIDING SYSTEM VALUE" } else { "" };
        let at = self.now().unix_millis();
        self.ground.rows(&format!(
            "INSERT INTO audit_entries (id, at, actor, action, object, details) {overriding} \
             VALUES ({id}, {at}, 'officer:reviewer', 'application.approve', 'application:2', '{{}}')"
        ));
    }

    /// Octets as an SQL literal.
    fn octets(&self, octets: &[u8]) -> String {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        if self.ground.is_postgres() { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") }
    }
}

#[track_caller]
fn assert_starts(faults: &[String], expected: &[&str]) {
    assert!(
        faults.len() == expected.len()
            && faults.iter().zip(expected).all(|(fault, start)| fault.starts_with(start)),
        "{faults:#?}"
    );
}

fn a_sealed_log_has_no_fault(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.record(2);
    let (report, waiting) = sealed.look(&[sealed.remembered()], sealed.now());
    assert_eq!((report.faults, report.entries, report.heads, waiting), (vec![], 10, 3, 2));
    assert_eq!(report.newest.map(|head| (head.number, head.first, head.count)), Some((3, 8, 3)));
    assert_eq!(sealed.ground.read(audit_heads::waiting), 2);
    assert_eq!(sealed.seal(), [2]);
    assert_eq!(sealed.seal(), [0], "nothing is new, and a head says so");
    let (report, waiting) = sealed.look(&sealed.heads(), sealed.now().plus(LATER));
    assert_eq!((report.faults, report.entries, report.heads, waiting), (vec![], 12, 5, 0));
}

fn an_entry_that_was_changed_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    let columns =
        ["at = at + 1", "actor = 'officer:other'", "action = 'x'", "object = ''", "details = '{ }'"];
    for (id, column) in (2..).zip(columns) {
        sealed.ground.tamper(&format!("UPDATE audit_entries SET {column} WHERE id = {id}"));
    }
    let expected: Vec<String> =
        (2..7).map(|id| format!("audit entry {id}, sequence {id}: a sealed entry is what")).collect();
    assert_starts(&sealed.faults(), &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

fn an_entry_that_was_deleted_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.ground.tamper("DELETE FROM audit_entries WHERE id IN (5, 10)");
    let rule = "the row of a sealed entry is there";
    assert_eq!(
        sealed.faults(),
        [format!("audit entry 5, sequence 5: {rule}"), format!("audit entry 10, sequence 10: {rule}")]
    );
}

fn an_entry_that_was_added_among_older_ones_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.insert(100);
    sealed.seal();
    sealed.insert(60);
    sealed.insert(-3);
    sealed.seal();
    let rule = "no entry is added among those that were sealed long ago";
    assert_eq!(sealed.faults(), [format!("audit entry -3: {rule}")], "60 came late and was sealed");
    sealed.insert(70);
    let later = sealed.now().plus(LATER);
    assert_eq!(
        sealed.faults_at(&[], later),
        [format!("audit entry -3: {rule}"), format!("audit entry 70: {rule}")]
    );
}

/// PostgreSQL gives numbers when rows are written, not when they are committed.
fn entries_that_are_committed_late_are_sealed(kind: Database) {
    let sealed = Sealed::new(kind);
    if sealed.ground.is_postgres() {
        let (first, slow) = (&sealed, sealed.ground.store.clone());
        slow.write(|c| {
            let entry = audit::Entry {
                at: first.now(),
                actor: "clock".to_owned(),
                action: "slow".to_owned(),
                object: "transaction".to_owned(),
                details: json!({}),
            };
            audit::record(c, &[entry])?;
            first.record(2);
            assert_eq!(first.seal(), [2], "the slow one cannot be seen yet");
            Ok::<_, StoreError>(())
        })
        .expect("committed");
    } else {
        sealed.insert(13);
        assert_eq!(sealed.seal(), [1]);
        sealed.insert(11);
    }
    assert_eq!(sealed.seal(), [1]);
    assert_eq!(sealed.faults_at(&sealed.heads(), sealed.now().plus(LATER)), [""; 0]);
    let leaf = sealed.ground.read(|c| audit_heads::leaf_of(c, 11)).expect("sealed");
    let head = sealed.ground.read(|c| audit_heads::head_of(c, leaf.sequence)).expect("a head");
    assert_eq!(head.number, 5);
}

fn an_entry_that_nobody_seals_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.record(1);
    assert_eq!(sealed.faults(), [""; 0]);
    let later = sealed.now().plus(LATER);
    assert_eq!(sealed.faults_at(&[], later), ["audit entry 11: an entry is sealed within minutes"]);
}

fn leaves_that_changed_places_are_named(kind: Database) {
    let sealed = Sealed::new(kind);
    for (from, to) in [(5, 1_000_000), (6, 5), (1_000_000, 6)] {
        sealed.ground.tamper(&format!("UPDATE audit_leaves SET sequence = {to} WHERE sequence = {from}"));
    }
    assert_starts(
        &sealed.faults(),
        &[
            "audit entry 6, sequence 5: a sealed entry is what it was when it was sealed, in its place",
            "audit entry 5, sequence 6: a sealed entry is what",
            "audit head 2, sequences 4 to 7: a head is about the entries that are there",
        ],
    );
}

fn a_leaf_that_fits_a_changed_entry_does_not_fit_its_head(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.ground.tamper("UPDATE audit_entries SET actor = 'officer:other' WHERE id = 9");
    let entry: Entry = sealed.ground.read(|c| audit_heads::entry(c, 9)).expect("there");
    let hash = sealed.octets(&entry.leaf(9));
    sealed.ground.tamper(&format!("UPDATE audit_leaves SET hash = {hash} WHERE sequence = 9"));
    assert_eq!(
        sealed.faults(),
        ["audit head 3, sequences 8 to 10: a head is about the entries that are there"]
    );
}

fn leaves_that_were_taken_out_are_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.ground.tamper("DELETE FROM audit_leaves WHERE sequence IN (2, 9, 10)");
    sealed.ground.tamper("DELETE FROM audit_entries WHERE id IN (2, 9, 10)");
    assert_starts(
        &sealed.faults(),
        &[
            "audit sequence 2: sequence numbers have no gap",
            "audit head 1, sequences 1 to 3: ",
            "audit sequences 9 to 10: sequence numbers have no gap",
            "audit head 3, sequences 8 to 10: ",
        ],
    );
}

fn a_head_that_was_changed_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed
        .ground
        .tamper("UPDATE audit_heads SET text = replace(text, 'count: 4', 'count: 3') WHERE number = 2");
    assert_starts(
        &sealed.faults(),
        &[
            "audit head 2: a head is signed by the audit key",
            "audit head 3: a head names the one before it",
            "audit sequences 4 to 7: every sequence number has its head",
        ],
    );
    let sealed = Sealed::new(kind);
    sealed
        .ground
        .tamper("UPDATE audit_heads SET sealed_at = sealed_at + 1, first_sequence = 7 WHERE number = 3");
    assert_eq!(sealed.faults(), ["audit head 3: the row of a head says what its text says"]);
    let sealed = Sealed::new(kind);
    let other = sealed.octets(b"no signature");
    sealed.ground.tamper(&format!("UPDATE audit_heads SET signature = {other} WHERE number = 3"));
    assert_starts(
        &sealed.faults(),
        &["audit head 3: a head is signed by the audit key", "audit sequences 8 to 10: every sequence"],
    );
}

fn a_head_that_was_taken_out_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    sealed.ground.tamper("DELETE FROM audit_heads WHERE number = 2");
    assert_eq!(
        sealed.faults(),
        ["audit head 2: heads have no gap", "audit sequences 4 to 7: every sequence number has its head"]
    );
}

fn a_head_that_somebody_else_signed_is_named(kind: Database) {
    let sealed = Sealed::new(kind);
    let stranger = FileKey::generate(KeyAlgorithm::P256).expect("a key");
    // A whole history without entry 9, signed by another key under the name of ours.
    sealed.ground.tamper("DELETE FROM audit_entries WHERE id > 8");
    sealed.ground.tamper("DELETE FROM audit_leaves WHERE sequence > 8");
    let leaf = sealed.ground.read(|c| audit_heads::leaf_of(c, 8)).expect("there");
    let head = Head::parse(&sealed.heads()[2].text).expect("a head");
    let text = Head { count: 1, root: leaf.hash, ..head }.text();
    let signature = sealed.octets(&stranger.sign(text.as_bytes()).expect("signed"));
    sealed
        .ground
        .tamper(&format!("UPDATE audit_heads SET text = '{text}', signature = {signature} WHERE number = 3"));
    assert_eq!(
        sealed.faults(),
        [
            "audit head 3: a head is signed by the audit key",
            "audit sequence 8: every sequence number has its head"
        ]
    );
}

fn an_end_that_was_cut_off_is_known_from_what_was_seen_before(kind: Database) {
    let sealed = Sealed::new(kind);
    let published = sealed.heads();
    for sql in [
        "DELETE FROM audit_heads WHERE number = 3",
        "DELETE FROM audit_leaves WHERE sequence > 7",
        "DELETE FROM audit_entries WHERE id > 7",
    ] {
        sealed.ground.tamper(sql);
    }
    assert_eq!(sealed.faults(), [""; 0], "the database alone does not know");
    let lost = "audit head 3 of outside: a head that was seen is in the log";
    assert_eq!(sealed.faults_at(&[sealed.remembered()], sealed.now()), [lost]);
    assert_eq!(sealed.faults_at(&published, sealed.now()), [lost]);

    // The signer makes no second history by itself.
    sealed.record(2);
    assert!(matches!(sealed.signer.seal(), Err(SealError::Lost(3))));
    assert_eq!(sealed.ground.count("audit_heads"), 2);
    let heads = sealed.signer.accept_loss().expect("an operator said so");
    assert_eq!(heads.iter().map(|head| (head.number, head.count)).collect::<Vec<_>>(), [(3, 3)]);
    let told = sealed.ground.rows("SELECT actor, object FROM audit_entries WHERE action = 'audit.loss'");
    assert_eq!(told, ["operator|audit-head:3"]);
    assert_eq!(sealed.faults_at(&[sealed.remembered()], sealed.now()), [""; 0]);
    let forked = "audit head 3 of outside: a head that was seen is the one in the log";
    assert_eq!(sealed.faults_at(&published, sealed.now()), [forked], "what outsiders hold stays true");
}

fn a_log_that_was_emptied_is_found_out(kind: Database) {
    let sealed = Sealed::new(kind);
    for table in ["audit_heads", "audit_leaves"] {
        sealed.ground.tamper(&format!("DELETE FROM {table}"));
    }
    let later = sealed.now().plus(LATER);
    let faults = sealed.faults_at(&[sealed.remembered()], later);
    assert_eq!(faults.len(), 11, "ten entries without a head, and the head that was seen: {faults:?}");
    sealed.ground.tamper("DELETE FROM audit_entries");
    assert_starts(&sealed.faults_at(&[sealed.remembered()], later), &["audit head 3 of outside: "]);
}

fn the_database_itself_refuses_to_change_the_log(kind: Database) {
    let sealed = Sealed::new(kind);
    for sql in [
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "UPDATE audit_leaves SET sequence = sequence + 100",
        "DELETE FROM audit_leaves",
        "UPDATE audit_heads SET text = ''",
        "DELETE FROM audit_heads",
    ] {
        crate::sql::try_rows(&sealed.ground.address, sql).refused_with("the audit log is append-only");
    }
    assert_eq!(sealed.faults(), [""; 0]);
}

fn many_entries_get_heads_of_ten_thousand(kind: Database) {
    let sealed = Sealed::empty(kind);
    sealed.record(MAX_BATCH as i64 + 1);
    assert_eq!(sealed.seal(), [MAX_BATCH as i64, 1]);
    let (report, waiting) = sealed.look(&[], sealed.now());
    assert_eq!((report.faults, report.entries, report.heads, waiting), (vec![], 10_001, 2, 0));
    // More than can be told one by one.
    sealed.ground.tamper("UPDATE audit_entries SET actor = 'nobody'");
    let (report, _) = sealed.look(&[], sealed.now());
    assert_eq!((report.faults.len() as u64 + report.untold, report.faults.len()), (10_001, 1000));
}

fn signers_at_one_time_make_one_log(kind: Database) {
    let sealed = Sealed::new(kind);
    at_once(4, |_| {
        for _ in 0..5 {
            sealed.record(3);
            sealed.signer.seal().expect("one of them is first");
        }
    });
    sealed.seal();
    let (report, waiting) = sealed.look(&[sealed.remembered()], sealed.now().plus(LATER));
    assert_eq!((report.faults, report.entries, waiting), (vec![], 70, 0));
}

fn an_audit_key_is_made_once(kind: Database) {
    let sealed = Sealed::empty(kind);
    let keyring = Keyring::with_passphrase(&sealed.settings, b"a passphrase");
    let again = ceremony::init_audit(&sealed.ground.store, &sealed.settings, &keyring, sealed.now());
    assert!(matches!(again, Err(ceremony::CeremonyError::AuditKeyExists)));
    // A key that is lost is followed by another; what it signed is still verified.
    sealed.record(1);
    sealed.seal();
    let pem = sealed.settings.audit_key_file();
    std::fs::write(&pem, AuditKeys::pem(keyring.audit().expect("there").public_key()).expect("P-256"))
        .expect("written");
    std::fs::remove_file(sealed.settings.keys.directory.join("audit.key")).expect("lost");
    ceremony::init_audit(&sealed.ground.store, &sealed.settings, &keyring, sealed.now()).expect("a new key");
    let next = HeadSigner::open(sealed.ground.store.clone(), &sealed.settings, &keyring)
        .expect("a key")
        .expect("made");
    assert_eq!(next.seal().expect("a head")[0].count, 1, "its making is in the log");
    let both = AuditKeys::from_pem(&std::fs::read(pem).expect("readable")).expect("two keys");
    let report =
        sealed.ground.read(|c| verification::verify_log(c, &both, Vec::new(), None, sealed.now())).log;
    assert_eq!((report.faults, report.heads), (vec![], 2));
    assert_eq!(sealed.faults()[0], "audit head 2: a head names an audit key", "the first key alone");
}
