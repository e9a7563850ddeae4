//! SPIN and the verifiers that it makes.
//!
//! A test that lacks SPIN or a C compiler says `skipped: NAME: why and how to get it` on stderr and passes, but fails
//! where CI=true or PINODE_REQUIRE=all.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// A model with its definitions, and a folder for what SPIN writes.
pub struct Model {
    /// File name of the model.
    pub name: String,
    file: PathBuf,
    defines: Vec<String>,
    folder: PathBuf,
}

/// What a verifier found.
pub struct Found {
    pub errors: usize,
    pub states: u64,
    /// Whether all states were visited.
    pub complete: bool,
    /// Process and statement of each state that was not reached.
    pub unreached: Vec<String>,
    pub text: String,
}

fn required() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("PINODE_REQUIRE", "all")
}

/// Reports a missing prerequisite, past the capture of the test harness.
fn skip(test: &str, why: &str) {
    assert!(!required(), "{test} is required here: {why}");
    if let Ok(mut stderr) = fs::OpenOptions::new().write(true).open("/dev/stderr") {
        let line = format!("skipped: {test}: {why}\n");
        stderr
            .write_all(line.as_bytes())
            .expect("stderr takes a line");
    }
}

fn has(test: &str, name: &str, package: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !found {
        let why = format!(
            "command {name} (Debian package {package}) is not installed; run tests/install-packages"
        );
        skip(test, &why);
    }
    found
}

impl Model {
    /// The model of this file; none, and said so: it cannot be run here.
    pub fn new(test: &str, name: &str, defines: &[&str]) -> Option<Self> {
        if !has(test, "spin", "spin") || !has(test, "cc", "gcc") {
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("model-{test}-{name}"));
        // Trails of runs before would be taken for this one's.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the verifier");
        Some(Self {
            name: name.to_owned(),
            file: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("model")
                .join(name),
            defines: defines.iter().map(|d| (*d).to_owned()).collect(),
            folder,
        })
    }

    fn spin(&self, options: &[&str]) -> String {
        let mut command = Command::new("spin");
        command.args(options).args(&self.defines).arg(&self.file);
        text(command.current_dir(&self.folder).output())
    }

    /// Visits all states, up to the first error.
    pub fn verify(&self) -> Found {
        let said = self.spin(&["-a"]);
        let pan = self.folder.join("pan");
        let mut compiler = Command::new("cc");
        compiler.args(["-w", "-O1", "-DSAFETY", "-DVECTORSZ=512"]);
        compiler.args(["-o", "pan", "pan.c"]);
        let compiled = text(compiler.current_dir(&self.folder).output());
        assert!(pan.is_file(), "no verifier: {said}{compiled}");
        let mut verifier = Command::new(&pan);
        let text = text(
            verifier
                .args(["-m200000", "-w22"])
                .current_dir(&self.folder)
                .output(),
        );
        let number = |before: &str, behind: &str| -> Option<u64> {
            let line = text
                .lines()
                .find(|line| line.contains(before) && line.contains(behind))?;
            let from = line.find(behind)? + behind.len();
            let words = if behind.is_empty() {
                line
            } else {
                line.get(from..)?
            };
            words.split_whitespace().next()?.parse().ok()
        };
        let errors = number("State-vector", "errors:").expect("pan counts errors");
        Found {
            errors: usize::try_from(errors).expect("few errors"),
            states: number("states, stored", "").expect("pan counts states"),
            complete: !text.contains("Search not completed") && !text.contains("too small"),
            unreached: unreached(&text),
            text,
        }
    }

    /// The lines of a random run.
    pub fn run(&self, seed: u32) -> Vec<String> {
        lines(&self.spin(&["-T", &format!("-n{seed}"), "-u100000"]))
    }

    /// The lines of the run that leads to the error that was found.
    pub fn trail(&self) -> Vec<String> {
        let trail = self.folder.join(format!("{}.trail", self.name));
        let trail = trail.to_str().expect("a path of letters");
        lines(&self.spin(&["-T", "-k", trail]))
    }
}

fn text(output: std::io::Result<Output>) -> String {
    let output = output.expect("the command runs");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("isp "))
        .map(str::to_owned)
        .collect()
}

/// Lines as `PATH:LINE, state N, "statement"` below `unreached in proctype NAME`.
fn unreached(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut process = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("unreached in ") {
            process = Some(name.trim_start_matches("proctype ").to_owned());
        } else if let (Some(process), true) = (&process, line.contains(", state ")) {
            let statement = line.split('"').nth(1).unwrap_or("(none)");
            all.push(format!("{process}: {statement}"));
        }
    }
    all
}
