//! Files of applicants are decoded in a process that can do nothing else: what happens to it happens to the file alone.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::applicant::{Applicant, Application, SubjectType};
use crate::command;
use crate::picture;
use crate::stack::{Database, Role, Stack};

on_both_databases!(a_decoder_is_confined_and_its_death_is_a_refusal);

fn draft(stack: &Stack) -> Application {
    Applicant::with_confirmed_phone(stack).apply(SubjectType::NaturalPerson)
}

/// 39 megapixels that take a while, in a small file.
fn slow_picture() -> Vec<u8> {
    let (width, height) = (6_500, 6_000);
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&vec![7; width * height * 4], width as u32, height as u32, ExtendedColorType::Rgba8)
        .expect("a picture");
    file
}

/// The decoding process of a server, once it has confined itself.
fn confined_child(server: u32) -> u32 {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        for entry in fs::read_dir("/proc").expect("proc").flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            let ours = read("status").lines().any(|line| line == format!("PPid:\t{server}"));
            let confined = || {
                read("limits").lines().any(|line| {
                    line.starts_with("Max open files") && line.split_whitespace().nth(3) == Some("0")
                })
            };
            if ours && read("cmdline").contains("decode-picture") && confined() {
                command::run("kill", ["-STOP", &id.to_string()]).well();
                return id;
            }
        }
    }
    panic!("no decoder of {server} was seen");
}

fn limit(id: u32, name: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{id}/limits")).expect("a process");
    let line = limits.lines().find(|line| line.starts_with(name)).expect("a limit").to_owned();
    line[name.len()..].split_whitespace().next().expect("a value").to_owned()
}

fn a_decoder_is_confined_and_its_death_is_a_refusal(database: Database) {
    let stack = database.start_with(&[]);
    let server = stack.process(Role::All);
    assert_eq!(limit(server, "Max core file size"), "0");
    let application = draft(&stack);
    let slow = slow_picture();
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| application.put_document("photo", "image/png", &slow));
        let child = confined_child(server);
        for (name, most) in [
            ("Max open files", "0"),
            ("Max file size", "0"),
            ("Max processes", "0"),
            ("Max core file size", "0"),
            ("Max cpu time", "20"),
            ("Max address space", "1073741824"),
        ] {
            assert_eq!(limit(child, name), most, "{name}");
        }
        let environment = fs::read(format!("/proc/{child}/environ")).expect("its environment");
        assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment));
        let mut open: Vec<(String, PathBuf)> = fs::read_dir(format!("/proc/{child}/fd"))
            .expect("its descriptors")
            .flatten()
            .map(|entry| {
                let target = fs::read_link(entry.path()).unwrap_or_default();
                (entry.file_name().to_string_lossy().into_owned(), target)
            })
            .collect();
        open.sort();
        let numbers: Vec<&str> = open.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers, ["0", "1", "2"], "{open:?}");
        command::run("kill", ["-KILL", &child.to_string()]).well();
        let refused = upload.join().expect("an answer");
        refused.problem(422, "document-refused");
    });
    application.put_document("photo", "image/png", &slow).json();

    // Files that are nearly pictures: each is taken or refused, and the server has noticed nothing.
    let (photo, png) = (picture::photo(), picture::png());
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for n in 0..40 {
        let (media_type, whole) =
            if n % 2 == 0 { ("image/jpeg", photo) } else { ("image/png", png.as_slice()) };
        let mut bad = whole.to_vec();
        for _ in 0..=n {
            let place = 4 + (next() as usize) % (bad.len() - 4);
            bad[place] = next() as u8;
        }
        let answer = application.put_document("selfie", media_type, &bad);
        assert!([200, 422].contains(&answer.status), "{}", answer.text());
    }
    assert_eq!(stack.process(Role::All), server);
    application.put_document("selfie", "image/jpeg", photo).json();
}
