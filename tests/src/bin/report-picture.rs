//! A picture of a report, as a browser shows it: `report-picture report.html picture.png [light|dark|paper] [FROM TO]`.
//! FROM and TO are CSS pixels from the top of the page; `paper` makes a PDF. Needs chromium.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use pinode_tests::browser::Browser;

const USAGE: &str = "report-picture REPORT.html PICTURE.png [light|dark|paper] [FROM TO]";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (report, picture, more) = match arguments.as_slice() {
        [report, picture, more @ ..] => (Path::new(report), Path::new(picture), more),
        _ => bail!("usage: {USAGE}"),
    };
    let look = more.first().map_or("light", String::as_str);
    let place = |i: usize| {
        more.get(i)
            .map(|text| text.parse::<f64>())
            .transpose()
            .context(USAGE)
    };
    let (from, to) = (place(1)?.unwrap_or(0.0), place(2)?);
    let mut browser = Browser::start()?;
    browser.open(report)?;
    let content = match look {
        "paper" => browser.paper()?,
        "light" | "dark" => {
            browser.show_as("screen", look, 1200)?;
            browser.picture(from, to.map(|to| to - from))?
        }
        other => bail!("{other:?}: allowed are light, dark, paper; usage: {USAGE}"),
    };
    let complaints = browser.complaints()?;
    ensure!(
        complaints.is_empty(),
        "the page's console is not empty:\n{}",
        complaints.join("\n")
    );
    fs::write(picture, content).with_context(|| picture.display().to_string())
}
