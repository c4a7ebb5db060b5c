//! The README's transcript of the main job works as it is printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;
use crate::stack::{Database, fresh_folder};

on_both_databases!(the_readmes_transcript_of_the_main_job_works);

/// The block reads `MUHR_URL` (default `http://127.0.0.1:8080`) and `MUHR_DATA` (default `./var`), so that a
/// reader runs it as it is and we run it against a stack of our own.
fn the_readmes_transcript_of_the_main_job_works(database: Database) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&readme).unwrap_or_else(|error| panic!("{}: {error}", readme.display()));
    let block = block(&readme, "main-job").expect("README.md has a block that begins with ```sh main-job");
    let stack = database.start();
    let folder = fresh_folder();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail"]).current_dir(&folder);
    shell.env("MUHR_URL", &stack.base).env("MUHR_DATA", &stack.folder).env("TMPDIR", &folder);
    let said = command::finish(&mut shell, block.as_bytes()).well();
    eprintln!("{}", said.all());
    for promised in [": OK", "good", "revoked"] {
        assert!(said.all().contains(promised), "the transcript never says {promised:?}:\n{}", said.all());
    }
}

/// The fenced block with that name behind its language.
fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.find(&format!("```sh {name}\n"))?;
    let body = text[start..].split_once('\n')?.1;
    Some(&body[..body.find("\n```")? + 1])
}

#[test]
fn a_block_is_what_stands_between_its_fences() {
    let text = "a\n```sh\nno\n```\n```sh main-job\none\ntwo\n```\nrest\n";
    assert_eq!(block(text, "main-job"), Some("one\ntwo\n"));
    assert_eq!(block(text, "other"), None);
}
