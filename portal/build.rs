//! Names every asset after its content, so that a browser may keep it for ever (RFC 8246) and check it (SRI).
//!
//! The style sheet and pictures are files of this folder. The scripts are built from `web/` by `cargo xtask portal` into
//! `dist/`; without them the program builds all the same, and its pages work as far as pages without scripts do.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Constant, file, extension, media type.
const ASSETS: &[(&str, &str, &str, &str)] = &[
    ("STYLE", "style/portal.css", "css", "text/css; charset=utf-8"),
    ("OFFICE_STYLE", "style/office.css", "css", "text/css; charset=utf-8"),
    ("ICON", "style/seal.svg", "svg", "image/svg+xml"),
    ("SCRIPT", "dist/portal.js", "js", "text/javascript; charset=utf-8"),
    ("KEYS_SCRIPT", "dist/keys.js", "js", "text/javascript; charset=utf-8"),
];

fn main() {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the folder"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    let mut code = String::new();
    for (name, path, extension, media_type) in ASSETS {
        let file = folder.join(path);
        println!("cargo::rerun-if-changed={}", file.display());
        asset(&mut code, &out, name, &file, extension, media_type);
    }
    fs::write(out.join("assets.rs"), code).expect("the build folder is writable");
}

fn asset(code: &mut String, out: &Path, name: &str, file: &Path, extension: &str, media_type: &str) {
    let value = match fs::read(file) {
        Ok(content) => {
            let hash = digest(&SHA384, &content);
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let short = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..9]);
            let integrity = STANDARD.encode(hash.as_ref());
            let packed = out.join(format!("{name}.gz"));
            fs::write(&packed, gzip(&content)).expect("the build folder is writable");
            format!(
                "Some(Asset {{ path: \"/assets/{stem}-{short}.{extension}\", integrity: \"sha384-{integrity}\", \
                 media_type: {media_type:?}, content: include_bytes!({:?}), packed: include_bytes!({:?}) }})",
                file.display(),
                packed.display()
            )
        }
        Err(_) => {
            println!(
                "cargo::warning={} is missing: pages have no script until `cargo xtask portal` has built it",
                file.display()
            );
            "None".to_owned()
        }
    };
    writeln!(
        code,
        "/// `{}`\npub(crate) static {name}: Option<Asset> = {value};",
        file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    )
    .expect("a text can grow");
}

/// Once and as small as it gets, instead of at every request.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(content).expect("memory takes it");
    packer.finish().expect("memory takes it")
}
