//! A disk without a byte to spare under SQLite.

use std::fs;

use crate::applicant::{Applicant, Application, SubjectType};
use crate::disk::SmallDisk;
use crate::http::Answer;
use crate::officer::Officer;
use crate::picture;
use crate::stack::{Role, Stack, eventually};

#[test]
fn a_full_disk_is_a_clear_error_and_nothing_is_half_written() {
    let disk = SmallDisk::mount(24);
    let stack =
        Stack::prepare(disk.folder.clone(), None, &[("LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE", "100000")]);
    stack.run(Role::All);
    let reviewer = Officer::reviewer(&stack);
    let waiting = Application::under_review(&stack, SubjectType::NaturalPerson);
    let applicant = Applicant::with_confirmed_phone(&stack);
    let draft = applicant.apply(SubjectType::NaturalPerson);
    draft.put_document("photo", "image/jpeg", picture::photo()).json_or_empty();

    let ballast = disk.fill();
    // Space that the database had already taken may serve for a while.
    let selfie = || draft.put_document("selfie", "image/jpeg", picture::selfie());
    let csr = draft.key.csr();
    let request = || draft.put_csr(&csr);
    is_refused_in_the_end(selfie);
    is_refused_in_the_end(request);
    assert_eq!(waiting.view()["state"], "under_review", "what is there can be read");
    waiting.client.get("/api/v1/regions").is(200);

    fs::remove_file(ballast).expect("our file");
    eventually("there is room again", std::time::Duration::from_secs(10), || {
        (selfie().status < 300).then_some(())
    });
    request().json_or_empty();
    draft.pay();
    draft.submit().json();
    for application in [&draft, &waiting] {
        reviewer.approve(&application.id).json();
        application.wait_until("issued");
    }
    assert_eq!(stack.rows("PRAGMA integrity_check"), ["ok"]);
    stack.muhr(&["audit", "verify"]).well();
    stack.terminate(Role::All);
}

fn is_refused_in_the_end(attempt: impl Fn() -> Answer) {
    let refused = (0..1_000).map(|_| attempt()).find(|answer| answer.status >= 300);
    refused.expect("an end to the disk").problem(507, "storage-full");
}
