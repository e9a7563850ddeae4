//! The sums that hold in every `status --json`, at any time and load:
//! rx_frames = port drops + sum of classified; classified = to_guest + drops; from_guest = sent + queued + tx_drops.

use serde_json::Value;

/// Checks all sums of one status document.
///
/// # Errors
/// Names the first sum that does not hold, or the key that is missing, with the numbers.
pub fn check(status: &Value) -> Result<(), String> {
    let ports = status["ports"]
        .as_array()
        .ok_or("status has no array `ports`")?;
    for port in ports {
        let name = port["name"].as_str().ok_or("a port has no name")?;
        let rx_frames = number(port, name, "rx_frames")?;
        let mut classified_sum = sum(port, name, "drops")?;
        let pis = port["pi"]
            .as_object()
            .ok_or_else(|| format!("port {name} has no object `pi`"))?;
        for (pi, account) in pis {
            let at = format!("{name}/{pi}");
            let classified = number(account, &at, "classified")?;
            classified_sum += classified;
            let to_guest = number(account, &at, "to_guest")?;
            let drops = sum(account, &at, "drops")?;
            if classified != to_guest + drops {
                return Err(format!(
                    "{at}: classified {classified} is not to_guest {to_guest} + drops {drops}"
                ));
            }
            let from_guest = number(account, &at, "from_guest")?;
            let sent = number(account, &at, "sent")?;
            let queued = number(account, &at, "queued")?;
            let tx_drops = sum(account, &at, "tx_drops")?;
            if from_guest != sent + queued + tx_drops {
                return Err(format!(
                    "{at}: from_guest {from_guest} is not sent {sent} + queued {queued} + tx_drops {tx_drops}"
                ));
            }
        }
        if rx_frames != classified_sum {
            return Err(format!(
                "{name}: rx_frames {rx_frames} is not drops + classified = {classified_sum}"
            ));
        }
    }
    Ok(())
}

fn number(object: &Value, at: &str, key: &str) -> Result<u64, String> {
    object[key]
        .as_u64()
        .ok_or_else(|| format!("{at} has no whole number `{key}`: {}", object[key]))
}

fn sum(object: &Value, at: &str, key: &str) -> Result<u64, String> {
    let drops = object[key]
        .as_object()
        .ok_or_else(|| format!("{at} has no object `{key}`"))?;
    drops.iter().try_fold(0, |total, (cause, value)| {
        let count = value
            .as_u64()
            .ok_or_else(|| format!("{at} {key}.{cause} is not a whole number: {value}"))?;
        Ok(total + count)
    })
}
