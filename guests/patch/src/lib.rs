//! The plainest guest: ports are joined in pairs, and every frame of one goes out of the other, unchanged.
//!
//! It is the baseline of all measurements: what it costs is what the node and the runtime cost. It must
//! never look at a frame.

#![no_std]

extern crate alloc;

use alloc::format;
use alloc::string::String;

use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};

/// West to east, and back; with more ports the third to the fourth, and so on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Patch;

impl Function for Patch {
    fn name(&self) -> &'static str {
        "patch"
    }

    fn configure(&mut self, config: &Config) -> Result<(), String> {
        let vifs = config.vifs.len();
        if vifs == 0 || !vifs.is_multiple_of(2) {
            return Err(format!("patch joins ports in pairs; {vifs} are configured"));
        }
        if let Some(key) = config.pi.as_object().and_then(|table| table.keys().next()) {
            return Err(format!(
                "patch has nothing to configure; unknown key '{key}'"
            ));
        }
        Ok(())
    }

    fn reads_frames(&self) -> bool {
        false
    }

    #[inline]
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        let to = VifIndex(from.0 ^ 1);
        while let Some(frame) = frames.next() {
            out.send(to, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(vifs: usize, pi: &str) -> Result<(), String> {
        let vif = r#"{"name":"p","mac":"02:00:00:00:00:01","mtu":1500}"#;
        let line = format!(
            r#"{{"config":{{"function":"patch","vifs":[{}],"vns":[0],"pi":{pi}}}}}"#,
            [vif].repeat(vifs).join(",")
        );
        let Ok(pinode_guest_runtime::ToGuest::Config(config)) =
            pinode_guest_runtime::control::parse(&line)
        else {
            panic!("not a config: {line}");
        };
        Patch.configure(&config)
    }

    #[test]
    fn joins_ports_in_pairs() {
        assert_eq!(configured(2, "{}"), Ok(()));
        assert_eq!(configured(8, "{}"), Ok(()));
        assert_eq!(configured(2, "null"), Ok(()));
        for vifs in [0, 1, 3] {
            let error = configured(vifs, "{}").unwrap_err();
            assert_eq!(
                error,
                format!("patch joins ports in pairs; {vifs} are configured")
            );
        }
    }

    #[test]
    fn names_the_key_it_does_not_know() {
        let error = configured(2, r#"{"route":[]}"#).unwrap_err();
        assert_eq!(error, "patch has nothing to configure; unknown key 'route'");
    }
}
