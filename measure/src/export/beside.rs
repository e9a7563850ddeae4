//! Several files of a folder, all or none: each is written beside its place, and renamed when all are whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ExportError;

/// A file's name and what writes it.
pub(super) type Part<'a> = (
    &'static str,
    &'a dyn Fn(&mut BufWriter<File>) -> io::Result<()>,
);

/// Writes the files into `dir` and gives their paths.
pub(super) fn write(dir: &Path, parts: &[Part<'_>]) -> Result<Vec<PathBuf>, ExportError> {
    let failed = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::File {
            action,
            path,
            source,
        }
    };
    fs::create_dir_all(dir).map_err(failed("make the folder", dir))?;
    let mut written = Unfinished(Vec::new());
    for (name, fill) in parts {
        let beside = dir.join(format!(".{name}.{}.part", std::process::id()));
        let file = File::create(&beside).map_err(failed("create", &beside))?;
        written.0.push(beside.clone());
        let mut out = BufWriter::new(file);
        fill(&mut out)
            .and_then(|()| out.flush())
            .and_then(|()| out.get_ref().sync_all())
            .map_err(failed("write", &beside))?;
    }
    let mut paths = Vec::new();
    for ((name, _), beside) in parts.iter().zip(&written.0) {
        let path = dir.join(name);
        fs::rename(beside, &path).map_err(failed("rename a file to", &path))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Files that go where they were not renamed.
struct Unfinished(Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            // Renamed, or never made: nothing to take away.
            let _ = fs::remove_file(path);
        }
    }
}
