//! `[pi.NAME]`: a Parallel Internet and its guest.

use std::path::Path;

use pinode_classifier::{MAX_PIS, PiCode, Policer, Vn, VnSet, default_access_ethertype};
use pinode_guest_runtime::control::LINE_OCTETS;

use super::cpu::{self, CpuShare};
use super::level2::{self, Level2Config};
use super::node::{GuestImage, Isolation, PiConfig, PihMode, Police};
use super::reader::{Item, Section, check_name};
use super::schedule::{Needs, read_demand, read_max_sdu};
use super::signaling;
use super::unit::{BitRate, Octets};
use super::{PiKey, json, read_ethertype};
use crate::dss;
use crate::ipv6;

const MEMORY_DEFAULT: u64 = 32 << 20;
const MEMORY_LEAST: u64 = 8 << 20;
const MEMORY_MOST: u64 = 3 << 30;
const PAGE: u64 = 4096;
const QUEUE_DEFAULT: u16 = 4096;
/// Most octets of `pi.NAME.config` as JSON: what the line to the guest has room for beside the vifs
/// of all ports, which take less than the 4 KiB that are left.
const CONFIG_MOST: usize = LINE_OCTETS - 4096;
/// Built-in guests of PIs that name none, by code.
const DEFAULT_GUESTS: &[(u8, &str)] = &[(1, ipv6::GUEST), (3, dss::GUEST)];
/// The word for a phase of nobody.
pub const NOBODY: &str = "none";

/// All PIs in the order of the file, and what of them ports refer to, even where the rest is wrong.
pub(super) fn read_all(
    mut section: Section<'_, '_>,
    directory: &Path,
    builtins: &[&str],
    isolation: Option<Isolation>,
) -> (Vec<PiKey>, Option<Vec<PiConfig>>) {
    let mut keys: Vec<PiKey> = Vec::new();
    let mut pis: Option<Vec<PiConfig>> = Some(Vec::new());
    for (name, item) in section.entries() {
        if let Err(what) = check_name(name) {
            item.problem(what);
        }
        if name == NOBODY {
            item.problem("\"none\" is not allowed as a name: it stands for a phase of nobody");
        }
        let reader = PiReader {
            directory,
            builtins,
            isolation,
            keys: &mut keys,
        };
        let pi = item
            .section()
            .and_then(|section| reader.read(name, section));
        pis = pis.zip(pi).map(|(mut pis, pi)| {
            pis.push(pi);
            pis
        });
    }
    if keys.is_empty() {
        section.problem("is empty; needed: a table [pi.NAME] for each Parallel Internet");
    }
    if keys.len() > MAX_PIS {
        section.problem(format!(
            "there are {} PIs; allowed: 1 to {MAX_PIS}",
            keys.len()
        ));
    }
    (keys, pis)
}

struct PiReader<'a> {
    directory: &'a Path,
    builtins: &'a [&'a str],
    isolation: Option<Isolation>,
    keys: &'a mut Vec<PiKey>,
}

impl PiReader<'_> {
    fn read(self, name: &str, mut section: Section<'_, '_>) -> Option<PiConfig> {
        let code_item = section.required("code", "1 to 7");
        let code = code_item.as_ref().and_then(code);
        let vns = match section.optional("vns") {
            Some(item) => read_vns(&item),
            None => Some([Vn::DEFAULT].into_iter().collect()),
        };
        if let (Some(item), Some(code), Some(vns)) = (&code_item, code, vns) {
            self.check_networks(item, code, vns);
        }
        let guest = self.guest(&mut section, code);
        let vcpus = section
            .optional("vcpus")
            .map_or(Some(1), |item| item.integer(1..=32));
        let cpu = match section.optional("cpu") {
            Some(item) => item.section().and_then(cpu::read),
            None => Some(CpuShare::default()),
        };
        let memory = section
            .optional("memory")
            .map_or(Some(MEMORY_DEFAULT), |i| read_memory(&i));
        let ethertype = match section.optional("ethertype") {
            Some(item) => read_ethertype(&item).map(Some),
            None => Some(code.and_then(default_access_ethertype)),
        };
        let pih = match section.optional("pih") {
            Some(item) => read_pih(&item, vns, ethertype),
            None => Some(PihMode::Keep),
        };
        let police = match section.optional("police") {
            Some(item) => item.section().and_then(read_police).map(Some),
            None => Some(None),
        };
        let max_sdu = match section.optional("max_sdu") {
            Some(item) => read_max_sdu(&item).map(Some),
            None => Some(None),
        };
        let demand = match section.optional("demand") {
            Some(item) => item.section().and_then(read_demand).map(Some),
            None => Some(None),
        };
        let level2 = match section.optional("level2") {
            Some(item) => item.section().and_then(|table| level2::read(table, vns)),
            None => Some(Level2Config::default()),
        };
        let needs = Needs {
            max_sdu: max_sdu.flatten(),
            demand: demand.flatten(),
            diffserv: level2.as_ref().and_then(Level2Config::diffserv),
        };
        let queue = section
            .optional("queue")
            .map_or(Some(QUEUE_DEFAULT), |i| read_queue(&i));
        let signaling = match section.optional("signaling") {
            Some(item) => item.section().and_then(signaling::read).map(Some),
            None => Some(None),
        };
        let config = section
            .optional("config")
            .map_or_else(empty_object, |i| read_config(&i));
        section.finish();
        self.keys.push(PiKey {
            name: name.to_owned(),
            code,
            vns,
            ethertype: ethertype.flatten(),
            needs,
        });
        Some(PiConfig {
            name: name.to_owned(),
            code: code?,
            guest: guest?,
            vns: vns?,
            vcpus: u8::try_from(vcpus?).ok()?,
            cpu: cpu?,
            memory: memory?,
            pih: pih?,
            ethertype: ethertype?,
            police: police?,
            needs: max_sdu.and(demand).and(Some(needs))?,
            level2: level2?,
            queue: queue?,
            config: config?,
            signaling: signaling?,
        })
    }

    /// What tells two PIs apart is the whole PIH: code and virtual network.
    fn check_networks(&self, item: &Item<'_, '_>, code: PiCode, vns: VnSet) {
        for other in self.keys.iter().filter(|key| key.code == Some(code)) {
            let shared = other
                .vns
                .map_or_else(VnSet::default, |theirs| theirs.common(vns));
            if !shared.is_empty() {
                item.problem(format!(
                    "{code} with virtual network {shared} is pi.{}'s already; allowed: another code, \
                     or virtual networks that no other PI of this code carries",
                    other.name
                ));
            }
        }
    }

    fn guest(&self, section: &mut Section<'_, '_>, code: Option<PiCode>) -> Option<GuestImage> {
        let default = code.and_then(|code| self.default_guest(code));
        let guest = match default {
            Some(_) => section.optional("guest"),
            None => section.required("guest", "\"builtin:NAME\" or the path of an ELF or bzImage"),
        };
        let initrd = section.optional("initrd");
        let cmdline = section.optional("cmdline");
        let Some(guest) = guest else {
            self.no_file(&[initrd, cmdline]);
            return default.map(|name| GuestImage::Builtin(name.to_owned()));
        };
        let text = guest.str()?;
        let Some(name) = text.strip_prefix("builtin:") else {
            if text.is_empty() {
                guest.problem("\"\" is no path; needed: \"builtin:NAME\" or a path");
                return None;
            }
            if self.isolation == Some(Isolation::Thread) {
                guest.problem(format!(
                    "{text:?} cannot run as a thread; with isolation = \"thread\" allowed: {}",
                    self.builtin_list()
                ));
                return None;
            }
            let initrd = match initrd {
                Some(item) => Some(self.directory.join(item.str()?)),
                None => None,
            };
            let cmdline = match cmdline {
                Some(item) => item.str()?.to_owned(),
                None => String::new(),
            };
            return Some(GuestImage::File {
                kernel: self.directory.join(text),
                initrd,
                cmdline,
            });
        };
        self.no_file(&[initrd, cmdline]);
        if !self.builtins.contains(&name) {
            guest.problem(format!(
                "{text:?} is not allowed; allowed: {} or the path of an ELF or bzImage",
                self.builtin_list()
            ));
            return None;
        }
        Some(GuestImage::Builtin(name.to_owned()))
    }

    fn no_file(&self, items: &[Option<Item<'_, '_>>]) {
        for item in items.iter().flatten() {
            item.problem("is not allowed with a built-in guest; allowed: with guest = \"PATH\"");
        }
    }

    /// The guest of a PI that names none: the built-in one of its code.
    fn default_guest(&self, code: PiCode) -> Option<&'static str> {
        let (_, name) = DEFAULT_GUESTS.iter().find(|(of, _)| *of == code.get())?;
        self.builtins.contains(name).then_some(*name)
    }

    fn builtin_list(&self) -> String {
        let names: Vec<String> = self
            .builtins
            .iter()
            .map(|b| format!("\"builtin:{b}\""))
            .collect();
        names.join(", ")
    }
}

fn code(item: &Item<'_, '_>) -> Option<PiCode> {
    PiCode::new(u8::try_from(item.integer(1..=7)?).ok()?).ok()
}

/// `ethertype`: the PI's, as far as it could be read.
fn read_pih(
    item: &Item<'_, '_>,
    vns: Option<VnSet>,
    ethertype: Option<Option<u16>>,
) -> Option<PihMode> {
    if !item.one_of(&[("keep", false), ("strip", true)])? {
        return Some(PihMode::Keep);
    }
    let several = vns.map(VnSet::len).filter(|&len| len != 1);
    if let Some(len) = several {
        item.problem(format!(
            "\"strip\" is not allowed with {len} virtual networks, which only the PIH tells apart; \
             allowed: one VN in vns, or \"keep\""
        ));
    }
    match ethertype? {
        Some(ethertype) => Some(PihMode::Strip { ethertype }),
        None => {
            item.problem(
                "\"strip\" needs the key ethertype: only codes 1, 2 and 3 have one by default",
            );
            None
        }
    }
}

fn empty_object() -> Option<serde_json::Value> {
    Some(serde_json::Value::Object(serde_json::Map::new()))
}

fn read_vns(item: &Item<'_, '_>) -> Option<VnSet> {
    let elements = item.elements()?;
    if elements.is_empty() {
        item.problem("is empty; needed: one virtual network at least, 0 to 31");
    }
    let mut numbers = Vec::new();
    for element in elements {
        let vn = read_vn(&element)?;
        if numbers.contains(&vn) {
            element.problem(format!("virtual network {vn} is named twice"));
        }
        numbers.push(vn);
    }
    (!numbers.is_empty()).then(|| numbers.into_iter().collect())
}

pub(super) fn read_vn(item: &Item<'_, '_>) -> Option<Vn> {
    Vn::new(u8::try_from(item.integer(0..=31)?).ok()?).ok()
}

fn read_memory(item: &Item<'_, '_>) -> Option<u64> {
    let Octets(memory) = item.parsed()?;
    if (MEMORY_LEAST..=MEMORY_MOST).contains(&memory) && memory.is_multiple_of(PAGE) {
        return Some(memory);
    }
    item.problem(format!(
        "{} is not allowed; allowed: {} to {}, in whole pages of {}",
        Octets(memory),
        Octets(MEMORY_LEAST),
        Octets(MEMORY_MOST),
        Octets(PAGE)
    ));
    None
}

fn read_police(mut section: Section<'_, '_>) -> Option<Police> {
    let rate = section.required("rate", "a rate, such as \"400Mbps\"");
    let rate = rate.and_then(|item| {
        let rate: BitRate = item.parsed()?;
        if let Err(error) = Policer::new(rate.0, 1) {
            item.problem(error.to_string());
        }
        Some(rate)
    });
    let burst = section.required("burst", "an amount, such as \"64KiB\"");
    let burst = burst.and_then(|item| {
        let burst = item.parsed::<Octets>()?;
        // A whole largest frame is compared with when the ports are known.
        if burst.0 == 0 || burst.0 > u64::from(u32::MAX) {
            item.problem(format!(
                "{burst} is not allowed; allowed: 1B to {}B",
                u32::MAX
            ));
            return None;
        }
        Some(burst)
    });
    section.finish();
    Some(Police {
        rate_bps: rate?.0,
        burst: burst?.0,
    })
}

fn read_queue(item: &Item<'_, '_>) -> Option<u16> {
    let size = item.integer(64..=4096)?;
    if !size.is_power_of_two() {
        item.problem(format!(
            "{size} is not allowed; allowed: a power of two from 64 to 4096"
        ));
        return None;
    }
    u16::try_from(size).ok()
}

fn read_config(item: &Item<'_, '_>) -> Option<serde_json::Value> {
    item.section()?;
    match json::from_toml(item.raw()) {
        Ok(value) => {
            let octets = value.to_string().len();
            if octets > CONFIG_MOST {
                item.problem(format!(
                    "takes {octets} octets as JSON; allowed: at most {CONFIG_MOST}, which the line \
                     to the guest has room for"
                ));
            }
            Some(value)
        }
        Err(what) => {
            item.problem(what);
            None
        }
    }
}
