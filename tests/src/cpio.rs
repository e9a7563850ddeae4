//! Initial RAM file systems: cpio archives in the `newc` format that Linux unpacks (initramfs buffer format).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::program::system;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;

/// An archive being written.
#[derive(Debug, Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
    names: BTreeSet<PathBuf>,
}

impl Cpio {
    /// An archive with the folders that every Linux expects.
    #[must_use]
    pub fn new() -> Self {
        let mut archive = Self::default();
        for folder in ["dev", "proc", "sys", "run", "tmp", "bin", "modules"] {
            archive.folders(&Path::new(folder).join("x"));
        }
        archive
    }

    /// Adds an executable file.
    pub fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(Path::new(path.trim_start_matches('/')), PROGRAM, content);
    }

    /// Adds a file of this machine under `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        self.program(path, &content);
        Ok(())
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.entry(
            Path::new(path.trim_start_matches('/')),
            SYMLINK,
            to.as_bytes(),
        );
    }

    /// Adds an executable of this machine, without debug data, and the shared libraries that ldd names.
    ///
    /// # Errors
    /// It cannot be read, or a library is not found.
    pub fn program_with_libraries(&mut self, path: &str, from: &Path) -> Result<()> {
        let stripped = tempfile::NamedTempFile::new()?;
        let (source, output) = (from.to_string_lossy(), stripped.path().to_string_lossy());
        // Without binutils the archive is larger, not wrong.
        let small = system("strip", &["-o", &output, &source]).is_ok();
        self.copy(path, if small { stripped.path() } else { from })?;
        for line in system("ldd", &[&source])?.lines() {
            ensure!(!line.contains("not found"), "{source}: {}", line.trim());
            if let Some(library) = line.split_whitespace().find(|word| word.starts_with('/')) {
                self.copy(library, &fs::canonicalize(library)?)?;
            }
        }
        Ok(())
    }

    /// The finished archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.record("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn folders(&mut self, path: &Path) {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.reverse();
        for parent in parents {
            if !parent.as_os_str().is_empty() && self.names.insert(parent.to_owned()) {
                self.record(&parent.to_string_lossy(), FOLDER, &[]);
            }
        }
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) {
        self.folders(path);
        if self.names.insert(path.to_owned()) {
            self.record(&path.to_string_lossy(), mode, content);
        }
    }

    fn record(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let fields = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            0,
            0,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        let length = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(length, 0);
    }
}
