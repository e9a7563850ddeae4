//! `frame-check FROM TO SMALLEST STEP CODE...`: numbered frames of these PI codes, from SMALLEST to 1514 octets in steps
//! of STEP, sent on interface FROM must come out of interface TO octet for octet. Prints one line; exit code 0 or 1.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pinode_tests::PacketSocket;
use pinode_tests::sweep::sweep;

fn main() -> ExitCode {
    match check() {
        Ok(frames) => {
            println!("frame-check: {frames} frames came out unchanged");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("frame-check: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<usize> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    ensure!(
        arguments.len() >= 5,
        "usage: frame-check FROM TO SMALLEST STEP CODE..."
    );
    let number = |index: usize| {
        arguments[index]
            .parse::<usize>()
            .with_context(|| format!("no number: {}", arguments[index]))
    };
    let (smallest, step) = (number(2)?, number(3)?);
    ensure!(
        (60..=1514).contains(&smallest) && step > 0,
        "SMALLEST is 60 to 1514, STEP at least 1"
    );
    let codes: Vec<u8> = arguments[4..]
        .iter()
        .map(|code| code.parse().with_context(|| format!("no PI code: {code}")))
        .collect::<Result<_>>()?;
    let from = PacketSocket::open(&arguments[0])?;
    let to = PacketSocket::open(&arguments[1])?;
    sweep(&from, &to, &codes, (smallest..=1514).step_by(step))
}
