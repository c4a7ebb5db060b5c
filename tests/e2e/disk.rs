//! A disk that is soon full.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::command::run;
use crate::janitor;
use crate::postgres::is_root;
use crate::stack::fresh_folder;

/// A file system of so many megabytes, in memory.
pub(crate) struct SmallDisk {
    pub(crate) folder: PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(megabytes: u32) -> Self {
        let folder = fresh_folder();
        let user = run("id", ["-u"]).well().out;
        let options = format!("size={megabytes}m,mode=0700,uid={}", user.trim());
        let target = folder.display().to_string();
        let mount = ["mount", "-t", "tmpfs", "-o", &options, "muhr-small-disk", &target];
        let said = if is_root() {
            run(mount[0], &mount[1..])
        } else {
            run("sudo", ["-n"].iter().chain(&mount).copied().collect::<Vec<_>>())
        };
        assert!(said.success, "a small disk needs root, or sudo without a password: {}", said.all());
        janitor::will_unmount(&folder);
        Self { folder }
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.folder.join("ballast");
        let mut file = File::create(&path).expect("one more file");
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let target = self.folder.display().to_string();
        let unmount = |program: &str, arguments: &[&str]| run(program, arguments).success;
        let _ = unmount("umount", &["-l", &target]) || unmount("sudo", &["-n", "umount", "-l", &target]);
        let _ = fs::remove_dir(Path::new(&self.folder));
    }
}
