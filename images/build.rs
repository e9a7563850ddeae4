//! Builds the guest images with a cargo of its own and lists them for `src/lib.rs`.
//!
//! An image is an ordinary program for the host's target, linked static by the runtime's linker script: no
//! extra target is needed, only the toolchain at hand. The nested cargo has its own target directory (the
//! outer one is locked) and the outer build's dependencies, so it works offline where the outer did.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image: the package and program that make it, and the name it is asked for by.
struct Image {
    name: &'static str,
    package: &'static str,
    program: &'static str,
}

/// The built-in guests.
const BUILTIN: &[Image] = &[
    Image {
        name: "dss",
        package: "pinode-guest-dss",
        program: "dss",
    },
    Image {
        name: "ipv6qos",
        package: "pinode-guest-ipv6qos",
        program: "ipv6qos",
    },
    Image {
        name: "patch",
        package: "pinode-guest-patch",
        program: "patch",
    },
];

/// Guests that misbehave, for tests.
const HOSTILE: &[Image] = &[
    Image {
        name: "fault",
        package: "pinode-guest-hostile",
        program: "fault",
    },
    Image {
        name: "garbage",
        package: "pinode-guest-hostile",
        program: "garbage",
    },
    Image {
        name: "hang",
        package: "pinode-guest-hostile",
        program: "hang",
    },
    Image {
        name: "panics",
        package: "pinode-guest-hostile",
        program: "panics",
    },
    Image {
        name: "silent",
        package: "pinode-guest-hostile",
        program: "silent",
    },
];

/// What benchmarks hold guests against.
const FLOOR: &[Image] = &[Image {
    name: "floor",
    package: "pinode-guest-floor",
    program: "floor",
}];

/// Sources that images are made of, from the workspace's root.
const SOURCES: &[&str] = &["guests", "virtqueue", "Cargo.toml", "Cargo.lock"];

/// Only this target has boot code.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = here
        .parent()
        .expect("images/ lies in the workspace")
        .to_path_buf();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let target = variable("TARGET");
    assert!(
        target == TARGET,
        "guest images are built on {TARGET} only, not for {target}"
    );
    let out = PathBuf::from(variable("OUT_DIR"));
    let hostile = env::var_os("CARGO_FEATURE_HOSTILE").is_some();
    let floor = env::var_os("CARGO_FEATURE_FLOOR").is_some();
    let wanted: Vec<&Image> = BUILTIN
        .iter()
        .chain(HOSTILE.iter().filter(|_| hostile))
        .chain(FLOOR.iter().filter(|_| floor))
        .collect();
    build(&root, &out.join("guests"), &wanted);
    let mut list = table("BUILTIN", BUILTIN, &out);
    if hostile {
        list += &table("HOSTILE", HOSTILE, &out);
    }
    if floor {
        list += &table("FLOOR", FLOOR, &out);
    }
    fs::write(out.join("images.rs"), list).expect("OUT_DIR can be written");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Builds all images at once.
fn build(root: &Path, target_dir: &Path, images: &[&Image]) {
    let script = root.join("guests/runtime/image.ld");
    let mut flags = String::from("-Crelocation-model=static\u{1f}-Cforce-unwind-tables=no");
    // The node's own minimum of instructions, but for those that need more than the registers a guest keeps (AVX).
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    let has = |feature: &str| features.split(',').any(|known| known == feature);
    let general = [
        "bmi1", "bmi2", "lzcnt", "movbe", "popcnt", "sse4.2", "ssse3",
    ];
    // Asks for a line to be written; where it is not known it does nothing.
    flags.push_str("\u{1f}-Ctarget-feature=+prfchw");
    for feature in general.into_iter().filter(|feature| has(feature)) {
        let _ = write!(flags, "\u{1f}-Ctarget-feature=+{feature}");
    }
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
    ] {
        let _ = write!(flags, "\u{1f}-Clink-arg={argument}");
    }
    let _ = write!(flags, "\u{1f}-Clink-arg=-T{}", script.display());
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(root)
        .args(["build", "--profile", "guest", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .args(["--features", "image"]);
    let mut packages: Vec<&str> = images.iter().map(|image| image.package).collect();
    packages.dedup();
    packages.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    images.iter().for_each(|image| {
        cargo.args(["--bin", image.program]);
    });
    // The outer build's settings are for the host's programs.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let outer = [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
        ];
        if outer.contains(&&*text) || text.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(&name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
    // Nobody but this build reads the directory, and images are small: no need of debug or incremental files.
    cargo.env("CARGO_INCREMENTAL", "0");
    let status = cargo.status().expect("cargo starts");
    assert!(
        status.success(),
        "building the guest images failed ({status}); its errors are above"
    );
}

/// A table of names and contents as Rust source.
fn table(name: &str, images: &[Image], out: &Path) -> String {
    let mut text = format!("const {name}: &[(&str, &[u8])] = &[\n");
    for image in images {
        let file = out
            .join("guests")
            .join(TARGET)
            .join("guest")
            .join(image.program);
        let _ = writeln!(text, "    ({:?}, include_bytes!({file:?})),", image.name);
    }
    let names: Vec<&str> = images.iter().map(|image| image.name).collect();
    text + "];\n" + &format!("const {name}_LIST: &[&str] = &{names:?};\n")
}
