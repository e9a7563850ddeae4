//! A stock Debian (or Ubuntu) kernel: the bzImage and its modules, unpacked beside the build by
//! `tests/install-packages` or installed on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cpio::Cpio;
use crate::program::{system, target_folder};

/// See the module.
#[derive(Clone, Debug)]
pub struct StockKernel {
    bzimage: PathBuf,
    modules: BTreeMap<String, PathBuf>,
}

impl StockKernel {
    /// Looks in `target/stock-kernel`, then on the machine itself.
    ///
    /// # Errors
    /// There is none, or it is not readable.
    pub fn find() -> Result<Self> {
        let beside_build = target_folder()?.join("stock-kernel");
        for root in [beside_build.as_path(), Path::new("/")] {
            let mut kernels: Vec<PathBuf> = fs::read_dir(root.join("boot"))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    name.starts_with("vmlinuz-") && fs::File::open(path).is_ok()
                })
                .collect();
            kernels.sort();
            for bzimage in kernels.into_iter().rev() {
                let name = bzimage
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let release = name.trim_start_matches("vmlinuz-");
                let modules = modules_below(&root.join("lib/modules").join(release));
                if modules.contains_key("kvm") {
                    return Ok(Self { bzimage, modules });
                }
            }
        }
        bail!(
            "none in {} nor in /boot with its modules",
            beside_build.display()
        )
    }

    /// The kernel image.
    #[must_use]
    pub fn bzimage(&self) -> &Path {
        &self.bzimage
    }

    /// Puts modules and what they depend on into an archive; gives the shell lines that load them in order.
    ///
    /// # Errors
    /// The kernel has no such module.
    pub fn load(&self, archive: &mut Cpio, names: &[&str]) -> Result<String> {
        let mut order = Vec::new();
        for name in names {
            self.resolve(name, &mut order)?;
        }
        let mut lines = String::new();
        for name in order {
            let content = read_module(&self.modules[&name])?;
            archive.program(&format!("/modules/{name}.ko"), &content);
            lines.push_str(&format!("insmod /modules/{name}.ko\n"));
        }
        Ok(lines)
    }

    fn resolve(&self, name: &str, order: &mut Vec<String>) -> Result<()> {
        if order.iter().any(|n| n == name) {
            return Ok(());
        }
        let path = self
            .modules
            .get(name)
            .with_context(|| format!("no module {name}"))?;
        for needed in depends(&read_module(path)?) {
            self.resolve(&needed, order)?;
        }
        order.push(name.to_owned());
        Ok(())
    }
}

/// Module files by name (with `-` read as `_`, as the kernel does).
fn modules_below(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if let Some((stem, _)) = name.split_once(".ko") {
                found.insert(stem.replace('-', "_"), path);
            }
        }
    }
    found
}

fn read_module(path: &Path) -> Result<Vec<u8>> {
    let content = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let unpack = match path.extension().and_then(|e| e.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return Ok(content),
    };
    let unpacked = tempfile::NamedTempFile::new()?;
    let (from, to) = (path.to_string_lossy(), unpacked.path().to_string_lossy());
    system(
        "sh",
        &[
            "-c",
            "exec \"$0\" -dc -- \"$1\" > \"$2\"",
            unpack,
            &from,
            &to,
        ],
    )?;
    Ok(fs::read(unpacked.path())?)
}

/// The names after `depends=` in a module's .modinfo.
fn depends(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let Some(at) = module.windows(key.len()).position(|window| window == key) else {
        return Vec::new();
    };
    let rest = &module[at + key.len()..];
    let end = rest
        .iter()
        .position(|&octet| octet == 0)
        .unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end])
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}
