//! Requests and pictures that are not what they should be.

use crate::applicant::{Applicant, Application, SubjectType};
use crate::key::Key;
use crate::officer::Officer;
use crate::picture;
use crate::stack::{Database, Stack};

on_both_databases!(
    a_request_that_is_not_one_is_refused,
    a_request_with_a_weak_key_or_hash_is_refused,
    a_request_without_proof_of_possession_is_refused,
    a_key_certified_for_one_person_is_refused_for_another,
    a_key_revoked_for_compromise_is_refused_for_everybody,
    a_picture_that_is_not_one_is_refused,
    a_picture_is_stored_without_its_metadata,
    a_file_too_large_or_of_another_kind_is_refused,
    nothing_refused_is_kept,
);

fn draft(stack: &Stack) -> Application {
    Applicant::with_confirmed_phone(stack).apply(SubjectType::NaturalPerson)
}

fn a_request_that_is_not_one_is_refused(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let request = application.key.csr();
    let trailing = [request.as_slice(), b"\0"].concat();
    let cut = &request[..request.len() - 1];
    let certificate = b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
    for bad in
        [&b""[..], b"nonsense", &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], cut, &trailing, certificate]
    {
        application.put_csr(bad).problem(422, "csr-refused");
    }
    let pem = application.client.put(&application.path("/csr"), "application/x-pem-file", &certificate[..]);
    pem.problem(422, "csr-refused");
    let answer = application.client.put(
        &application.path("/csr"),
        "application/x-pem-file",
        application.key.csr_pem(),
    );
    answer.json_or_empty();
}

fn a_request_with_a_weak_key_or_hash_is_refused(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let der = ["-outform", "DER"];
    let rsa = Key::rsa(2048);
    for bad in [
        Key::rsa(1024).csr(),
        rsa.csr_with(&[&der[..], &["-sha1"]].concat()),
        rsa.csr_with(&[&der[..], &["-md5"]].concat()),
        application.key.csr_with(&[&der[..], &["-sha1"]].concat()),
        Key::generate(&[
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-pkeyopt",
            "rsa_keygen_pubexp:3",
        ])
        .csr(),
        Key::generate(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]).csr(),
        Key::generate(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"]).csr(),
        Key::generate(&["-algorithm", "ED448"]).csr_with(&der),
    ] {
        application.put_csr(&bad).problem(422, "csr-refused");
    }
}

fn a_request_without_proof_of_possession_is_refused(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let mut forged = application.key.csr();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    application.put_csr(&forged).problem(422, "csr-refused");

    // Another key in the request than the one that signed it.
    let (mut ours, theirs) = (application.key.csr(), Key::p256().csr());
    let point = |der: &[u8]| {
        der.windows(4).position(|bytes| bytes == [0x03, 0x42, 0x00, 0x04]).expect("a P-256 point") + 4
    };
    let (to, from) = (point(&ours), point(&theirs));
    ours[to..to + 64].copy_from_slice(&theirs[from..from + 64]);
    application.put_csr(&ours).problem(422, "csr-refused");

    // A point that is not on the curve.
    let mut off_curve = application.key.csr();
    let at = point(&off_curve);
    off_curve[at + 63] ^= 1;
    application.put_csr(&off_curve).problem(422, "csr-refused");
}

fn a_key_certified_for_one_person_is_refused_for_another(database: Database) {
    let stack = database.shared();
    let holder = Application::issued(&stack, SubjectType::NaturalPerson);
    let answer = draft(&stack).put_csr(&holder.key.csr());
    let problem = answer.problem(409, "key-already-used");
    assert!(
        !problem.to_string().contains(&holder.person.pinfl),
        "whose it is, is nobody's business: {problem}"
    );
}

fn a_key_revoked_for_compromise_is_refused_for_everybody(database: Database) {
    let stack = database.shared();
    let holder = Application::issued(&stack, SubjectType::NaturalPerson);
    Officer::revocation(&stack).revoke(&holder.serial(), "keyCompromise").json_or_empty();
    draft(&stack).put_csr(&holder.key.csr()).problem(409, "key-already-used");
}

fn a_picture_that_is_not_one_is_refused(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let cut = &picture::photo()[..picture::photo().len() / 3];
    let bomb = picture::decompression_bomb();
    for (media_type, bad) in [
        ("image/jpeg", &b""[..]),
        ("image/jpeg", b"GIF89a not a picture"),
        ("image/jpeg", b"<html></html>"),
        ("image/jpeg", cut),
        ("image/png", &bomb),
    ] {
        application.put_document("photo", media_type, bad).problem(422, "document-refused");
    }
    application.put_document("portrait", "image/jpeg", picture::photo()).problem(404, "not-found");
}

fn a_picture_is_stored_without_its_metadata(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    application.put_document("photo", "image/jpeg", &picture::photo_with_metadata()).json_or_empty();
    for selfie in [picture::selfie().to_vec(), picture::png()] {
        let media_type = if selfie.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
        application.put_document("selfie", media_type, &selfie).json_or_empty();
    }
    for file in files_below(&stack.folder) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!has(b"GPS 41.311081"), "{} says where the photo was taken", file.display());
        assert!(!bytes.starts_with(b"\xff\xd8\xff"), "{} is a readable picture of a person", file.display());
    }
}

fn a_file_too_large_or_of_another_kind_is_refused(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let large = vec![0x30; 6 * 1024 * 1024];
    application.put_document("photo", "image/jpeg", &large).problem(413, "payload-too-large");
    application.put_csr(&large[..200_000]).problem(413, "payload-too-large");
    application.put_document("photo", "image/gif", picture::photo()).problem(415, "unsupported-media-type");
    application
        .put_document("photo", "application/pdf", &picture::pdf())
        .problem(415, "unsupported-media-type");
    let text = application.client.put(&application.path("/csr"), "text/plain", application.key.csr());
    text.problem(415, "unsupported-media-type");
}

fn nothing_refused_is_kept(database: Database) {
    let stack = database.shared();
    let application = draft(&stack);
    let before = application.view()["missing"].clone();
    application.put_csr(b"nonsense").problem(422, "csr-refused");
    application.put_document("photo", "image/jpeg", b"nonsense").problem(422, "document-refused");
    assert_eq!(application.view()["missing"], before);
    let problem = application.submit().problem(409, "submission-incomplete");
    assert!(!problem["detail"].as_str().unwrap_or_default().is_empty(), "{problem}");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
