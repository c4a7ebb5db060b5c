//! The catalogue is read by a macro, which cargo does not know to look for new files: it is told here.

fn main() {
    println!("cargo::rerun-if-changed=locales");
}
