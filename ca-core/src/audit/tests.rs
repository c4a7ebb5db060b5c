use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::digest::sha256;
use crate::signer::{FileKey, KeyAlgorithm, Signer};

/// The leaves and roots that implementations of RFC 6962 are tested with (certificate-transparency, merkletree tests).
const INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves() -> Vec<Hash> {
    INPUTS.iter().map(|input| leaf_hash(&hex::decode(input).unwrap())).collect()
}

#[test]
fn roots_are_those_of_rfc_6962() {
    let mut tree = Tree::default();
    assert_eq!(hex::encode(tree.root()), ROOTS[0]);
    for (leaf, root) in leaves().into_iter().zip(&ROOTS[1..]) {
        tree.push(leaf);
        assert_eq!(hex::encode(tree.root()), *root);
    }
}

#[test]
fn paths_are_those_of_rfc_6962() {
    let path: Vec<String> = path(&leaves(), 0).unwrap().iter().map(hex::encode).collect();
    assert_eq!(
        path,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
}

proptest! {
    #[test]
    fn a_path_leads_to_the_root_and_no_other_leaf_or_place_does(size in 1_usize..70, index in 0_usize..70, other in 0_usize..70) {
        let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tree = Tree::default();
        tree.extend(leaves.iter().copied());
        prop_assert_eq!(path(&leaves, index).is_some(), index < size);
        prop_assume!(index < size);
        let path = path(&leaves, index).unwrap();
        let root = |leaf: &Hash, at: usize| root_by_path(leaf, at as u64, size as u64, &path);
        prop_assert_eq!(root(&leaves[index], index), Some(tree.root()));
        if other < size && other != index {
            prop_assert_ne!(root(&leaves[other], index), Some(tree.root()));
            prop_assert_ne!(root(&leaves[index], other), Some(tree.root()));
        }
    }
}

fn entry(id: i64) -> Entry {
    let [actor, action, object] = ["officer:a", "application.approve", "application:1"].map(str::to_owned);
    Entry { id, at: 1_790_000_000_000 + id, actor, action, object, details: "{}".to_owned() }
}

#[test]
fn a_leaf_is_over_every_field_and_none_can_run_into_the_next() {
    // sha256sum of the octets written out by hand.
    let mut data = vec![0];
    data.extend([0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 1, 0xa0, 0xc4, 0x50, 0x6c, 5]);
    for text in ["officer:a", "application.approve", "application:1", "{}"] {
        data.extend([0, 0, 0, text.len() as u8]);
        data.extend(text.bytes());
    }
    assert_eq!(1_790_000_000_005_i64.to_be_bytes(), data[17..25]);
    assert_eq!(entry(5).leaf(7), sha256(&data));

    let changes: [fn(&mut Entry); 7] = [
        |entry| entry.id += 1,
        |entry| entry.at += 1,
        |entry| entry.actor.push('b'),
        |entry| entry.action.push('b'),
        |entry| entry.object.push('b'),
        |entry| entry.details.push(' '),
        |entry| {
            entry.action = format!("{}{}", entry.actor.pop().unwrap(), entry.action);
        },
    ];
    for change in changes {
        let mut other = entry(5);
        change(&mut other);
        assert_ne!(other.leaf(7), entry(5).leaf(7), "{other:?}");
    }
    assert_ne!(entry(5).leaf(8), entry(5).leaf(7));
}

/// A log of three heads with 4, 0 and 3 entries.
struct Sealed {
    keys: AuditKeys,
    signer: FileKey,
    leaves: Vec<(Leaf, Option<Entry>)>,
    heads: Vec<SignedHead>,
}

impl Sealed {
    fn new() -> Self {
        let signer = FileKey::generate(KeyAlgorithm::P256).unwrap();
        let keys = AuditKeys::from_pem(AuditKeys::pem(signer.public_key()).unwrap().as_bytes()).unwrap();
        let mut sealed = Self { keys, signer, leaves: Vec::new(), heads: Vec::new() };
        for count in [4, 0, 3] {
            sealed.seal(count);
        }
        sealed
    }

    fn seal(&mut self, count: i64) {
        let first = self.leaves.len() as i64 + 1;
        let mut tree = Tree::default();
        for sequence in first..first + count {
            let entry = entry(sequence + 100);
            let leaf = Leaf { sequence, entry: entry.id, hash: entry.leaf(sequence) };
            tree.push(leaf.hash);
            self.leaves.push((leaf, Some(entry)));
        }
        let number = self.heads.len() as i64 + 1;
        let previous = self.heads.last().map_or([0; 32], SignedHead::hash);
        let sealed_at = Timestamp::from_unix_seconds(1_790_000_000 + number);
        let key = sha256(self.signer.public_key());
        let head = Head { number, first, count, root: tree.root(), previous, key, sealed_at };
        self.heads.push(self.sign(&head));
    }

    fn sign(&self, head: &Head) -> SignedHead {
        let text = head.text();
        SignedHead { signature: self.signer.sign(text.as_bytes()).unwrap(), text }
    }

    /// As a reader of the database goes through it; a head's row has the number that its text had.
    fn read(&self, rows: &[i64], evidence: &[SignedHead]) -> Vec<String> {
        let mut log = Log::new(&self.keys);
        evidence.iter().for_each(|head| log.expect(head.clone(), "outside"));
        let mut leaves = self.leaves.iter().peekable();
        for (number, signed) in rows.iter().zip(&self.heads) {
            let opened = log.open(signed);
            if let Ok(head) = opened {
                while let Some((leaf, entry)) = leaves.next_if(|(leaf, _)| leaf.sequence < head.end()) {
                    log.leaf(*leaf, entry.as_ref());
                }
            }
            log.head(*number, signed, opened);
        }
        leaves.for_each(|(leaf, entry)| log.leaf(*leaf, entry.as_ref()));
        log.finish().faults.iter().map(ToString::to_string).collect()
    }

    fn faults(&self) -> Vec<String> {
        let rows: Vec<i64> = (1..=self.heads.len() as i64).collect();
        self.read(&rows, &[])
    }
}

#[test]
fn an_honest_log_has_no_fault_and_its_heads_are_evidence() {
    let sealed = Sealed::new();
    assert_eq!(sealed.faults(), [""; 0]);
    let published: String = sealed.heads.iter().map(SignedHead::block).collect();
    let evidence = SignedHead::read_blocks(&published).unwrap();
    assert_eq!(evidence, sealed.heads);
    assert_eq!(sealed.read(&[1, 2, 3], &evidence), [""; 0]);
    assert!(SignedHead::read_blocks(&published[..published.len() - 1]).is_none(), "cut off");
    assert_eq!(SignedHead::read_blocks(""), Some(Vec::new()));
}

#[test]
fn a_changed_a_missing_and_a_moved_entry_are_named() {
    let mut sealed = Sealed::new();
    sealed.leaves[1].1.as_mut().unwrap().actor = "officer:b".to_owned();
    sealed.leaves[5].1 = None;
    assert_eq!(
        sealed.faults(),
        [
            "audit entry 102, sequence 2: a sealed entry is what it was when it was sealed, in its place",
            "audit entry 106, sequence 6: the row of a sealed entry is there",
        ]
    );
    let mut sealed = Sealed::new();
    let (one, other) = (sealed.leaves[0].0, sealed.leaves[1].0);
    sealed.leaves[0].0 = Leaf { sequence: 1, ..other };
    sealed.leaves[1].0 = Leaf { sequence: 2, ..one };
    sealed.leaves.swap(0, 1);
    sealed.leaves.sort_by_key(|(leaf, _)| leaf.sequence);
    let faults = sealed.faults();
    assert!(faults.iter().any(|fault| fault.starts_with("audit entry 102, sequence 1: ")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with("audit entry 101, sequence 2: ")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.starts_with("audit head 1, sequences 1 to 4: ")), "{faults:?}");
}

#[test]
fn whoever_makes_a_fitting_leaf_for_a_changed_entry_is_betrayed_by_the_root() {
    let mut sealed = Sealed::new();
    let mut forged = entry(106);
    forged.actor = "officer:b".to_owned();
    sealed.leaves[5] = (Leaf { sequence: 6, entry: 106, hash: forged.leaf(6) }, Some(forged));
    assert_eq!(
        sealed.faults(),
        ["audit head 3, sequences 5 to 7: a head is about the entries that are there"]
    );
}

#[test]
fn missing_leaves_are_counted_out() {
    let mut sealed = Sealed::new();
    sealed.leaves.drain(1..3);
    assert_eq!(
        sealed.faults(),
        [
            "audit sequences 2 to 3: sequence numbers have no gap",
            "audit head 1, sequences 1 to 4: a head is about the entries that are there",
        ]
    );
    let mut sealed = Sealed::new();
    sealed.leaves.truncate(6);
    assert_eq!(
        sealed.faults(),
        [
            "audit sequence 7: sequence numbers have no gap",
            "audit head 3, sequences 5 to 7: a head is about the entries that are there",
        ]
    );
}

#[test]
fn heads_that_are_changed_taken_out_or_signed_by_another_are_named() {
    let mut sealed = Sealed::new();
    sealed.heads[0].text = sealed.heads[0].text.replace("count: 4", "count: 3");
    let faults = sealed.faults();
    assert_eq!(faults[0], "audit head 1: a head is signed by the audit key");
    assert!(faults.contains(&"audit head 2: a head names the one before it".to_owned()), "{faults:?}");

    let mut sealed = Sealed::new();
    sealed.heads.remove(1);
    assert_eq!(sealed.read(&[1, 3], &[]), ["audit head 2: heads have no gap"]);

    let mut sealed = Sealed::new();
    sealed.heads.remove(0);
    assert_eq!(
        sealed.read(&[2, 3], &[]),
        ["audit head 1: heads have no gap", "audit sequences 1 to 4: every sequence number has its head"]
    );

    let mut sealed = Sealed::new();
    let other = Sealed::new();
    sealed.heads[1] = other.heads[1].clone();
    assert!(sealed.faults().contains(&"audit head 2: a head names an audit key".to_owned()));
    // Under the true key's name.
    let mut forged = Head::parse(&sealed.heads[2].text).unwrap();
    forged.count = 2;
    sealed.heads[2] = other.sign(&forged);
    assert!(sealed.faults().contains(&"audit head 3: a head is signed by the audit key".to_owned()));

    let mut sealed = Sealed::new();
    sealed.heads[2].text = "muhr-audit-head/1\n".to_owned();
    assert!(sealed.faults().contains(&"audit head 3: a head is written as heads are".to_owned()));
    assert!(
        sealed.faults().contains(&"audit sequences 5 to 7: every sequence number has its head".to_owned())
    );
}

#[test]
fn heads_that_the_key_signed_in_another_order_do_not_fit() {
    let mut sealed = Sealed::new();
    sealed.heads.swap(1, 2);
    assert_eq!(
        sealed.read(&[1, 3, 2], &[])[..2],
        ["audit head 2: heads have no gap", "audit head 2: heads follow each other"]
    );
    assert!(sealed.faults().contains(&"audit head 2: the row of a head says what its text says".to_owned()));
    let mut late = Sealed::new();
    let mut head = Head::parse(&late.heads[2].text).unwrap();
    head.sealed_at = Timestamp::from_unix_seconds(1_790_000_000);
    head.first = 6;
    late.heads[2] = late.sign(&head);
    let faults = late.faults();
    assert!(faults.contains(&"audit head 3: a head is no older than the one before it".to_owned()));
    assert!(faults.contains(&"audit head 3: a head begins where the one before it ended".to_owned()));
}

#[test]
fn an_end_that_was_cut_off_is_found_by_evidence_only() {
    let mut sealed = Sealed::new();
    let evidence = sealed.heads.clone();
    sealed.heads.truncate(2);
    sealed.leaves.truncate(4);
    assert_eq!(sealed.faults(), [""; 0]);
    assert_eq!(
        sealed.read(&[1, 2], &evidence),
        ["audit head 3 of outside: a head that was seen is in the log"]
    );
    // And written anew by the same key: another history.
    sealed.seal(2);
    assert_eq!(sealed.faults(), [""; 0]);
    assert_eq!(
        sealed.read(&[1, 2, 3], &evidence),
        ["audit head 3 of outside: a head that was seen is the one in the log"]
    );
    let strange = Sealed::new().heads[2].clone();
    assert_eq!(sealed.read(&[1, 2, 3], &[strange]), ["audit head 3 of outside: a head names an audit key"]);
}

#[test]
fn only_the_exact_text_is_a_head() {
    let text = Sealed::new().heads[0].text.clone();
    assert!(Head::parse(&text).is_some());
    for (from, to) in [
        ("count: 4", "count: +4"),
        ("count: 4", "count: 04"),
        ("head/1", "head/2"),
        ("Z\n", "Z\n\n"),
        ("Z\n", "Z"),
        ("first: 1", "first: -1"),
    ] {
        let other = text.replace(from, to);
        assert_ne!(other, text);
        assert!(Head::parse(&other).is_none(), "{other}");
    }
}

#[test]
fn audit_keys_are_on_p_256() {
    let other = FileKey::generate(KeyAlgorithm::P384).unwrap();
    assert_eq!(AuditKeys::pem(other.public_key()), Err(KeysRefusal::NotP256));
    for text in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "hello"] {
        assert!(AuditKeys::from_pem(text.as_bytes()).is_err(), "{text}");
    }
}
