//! The `pinode` command under test: where it is, and building it when it is not there or is older than its sources.
//!
//! Tests run the command as a user does. The profile is that of the running test, so that one build serves both.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

/// The repository's top folder.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Cargo's target folder, found from the running executable.
///
/// # Errors
/// The running executable is not inside a target folder.
pub fn target_folder() -> Result<PathBuf> {
    let profile = profile_folder()?;
    Ok(profile
        .parent()
        .context("the profile's folder has no parent")?
        .to_owned())
}

/// Folder of the running profile: `target/debug`, `target/release`, ...
fn profile_folder() -> Result<PathBuf> {
    let exe = env::current_exe().context("where this executable is")?;
    let folder = exe.parent().context("this executable has no folder")?;
    let folder = if folder.file_name() == Some(OsStr::new("deps")) {
        folder.parent().context("deps has no parent")?
    } else {
        folder
    };
    Ok(folder.to_owned())
}

/// The `pinode` executable, built first where it is absent or older than a source. `PINODE_BIN` names another one.
///
/// # Errors
/// It cannot be built.
pub fn pinode() -> Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOUND.get_or_init(|| locate().map_err(|e| format!("{e:#}"))) {
        Ok(path) => Ok(path),
        Err(e) => bail!("no pinode to test: {e}"),
    }
}

fn locate() -> Result<PathBuf> {
    if let Some(path) = env::var_os("PINODE_BIN") {
        let path = PathBuf::from(path);
        ensure!(
            path.is_file(),
            "PINODE_BIN names {}, which is no file",
            path.display()
        );
        return Ok(path);
    }
    let folder = profile_folder()?;
    let binary = folder.join("pinode");
    let built = fs::metadata(&binary).and_then(|m| m.modified()).ok();
    if built.is_none_or(|built| newest_source(&repository()) > built) {
        build(&folder)?;
    }
    ensure!(
        binary.is_file(),
        "cargo built pinode but {} is not there",
        binary.display()
    );
    Ok(binary)
}

fn build(profile_folder: &Path) -> Result<()> {
    let profile = match profile_folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = profile_folder
        .parent()
        .context("the profile's folder has no parent")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(repository())
        .args(["build", "-p", "pinode", "--bin", "pinode"]);
    command
        .arg("--profile")
        .arg(profile)
        .arg("--target-dir")
        .arg(target);
    // What cargo sets for a test it runs would steer the build.
    for (key, _) in env::vars_os() {
        let key_text = key.to_string_lossy();
        if key_text.starts_with("CARGO_PKG") || key_text.starts_with("CARGO_MANIFEST") {
            command.env_remove(&key);
        }
    }
    eprintln!("building pinode ({profile} profile) for the end-to-end tests");
    let status = command
        .stdin(Stdio::null())
        .status()
        .context("start cargo")?;
    ensure!(
        status.success(),
        "cargo build -p pinode --profile {profile} failed: {status}"
    );
    Ok(())
}

/// Modification time of the newest source file of the product.
fn newest_source(repository: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if path.is_dir() {
                let skip = name.starts_with('.')
                    || ["target", "tests", "docs", "benches", "fuzz"].contains(&name.as_ref());
                if !skip {
                    folders.push(path);
                }
            } else if [".rs", ".toml", ".ld", ".s", ".S"]
                .iter()
                .any(|end| name.ends_with(end))
                && let Ok(modified) = entry.metadata().and_then(|m| m.modified())
            {
                newest = newest.max(modified);
            }
        }
    }
    newest
}

/// Runs `pinode` with these arguments to its end, input closed.
///
/// # Errors
/// It cannot be started.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Output> {
    Command::new(pinode()?)
        .args(arguments)
        .env_remove("PINODE_SOCKET")
        .stdin(Stdio::null())
        .output()
        .context("start pinode")
}

/// Runs a command of the system to a successful end and gives its standard output.
///
/// # Errors
/// It cannot be started or fails; the message has the command line and what it printed.
pub fn system(program: &str, arguments: &[&str]) -> Result<String> {
    let path =
        crate::need::find_command(program).with_context(|| format!("no command {program}"))?;
    let output = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {program}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{program} {}: {}\n{}{stdout}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}
