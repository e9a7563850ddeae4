//! The built-in guest images, built with the node and embedded in it.
//!
//! `build.rs` makes them; another built-in guest is one more entry there. Each is an ELF file with a PVH and a
//! Linux 64-bit entry, to be booted by `pinode-vmm` or any KVM machine monitor that knows one of them.
//! Must never be asked for an image by anything but its name.

include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// Names of the built-in guests, as in `guest = "builtin:NAME"`.
pub const BUILTIN_NAMES: &[&str] = BUILTIN_LIST;

/// The image of the built-in guest `name`; `None` if there is none of that name.
pub fn builtin(name: &str) -> Option<&'static [u8]> {
    find(BUILTIN, name)
}

/// A guest that misbehaves, for tests: `fault`, `hang`, `garbage` and `panics` do so on their 1,000th frame,
/// `silent` never answers at all.
#[cfg(feature = "hostile")]
pub fn hostile(name: &str) -> Option<&'static [u8]> {
    find(HOSTILE, name)
}

/// The guest that benchmarks hold others against: the least that one can do that looks into frames.
#[cfg(feature = "floor")]
pub fn floor() -> Option<&'static [u8]> {
    FLOOR_LIST.first().and_then(|name| find(FLOOR, name))
}

/// Names of the guests that misbehave.
#[cfg(feature = "hostile")]
pub const HOSTILE_NAMES: &[&str] = HOSTILE_LIST;

fn find(images: &[(&str, &'static [u8])], name: &str) -> Option<&'static [u8]> {
    images
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, image)| *image)
}
