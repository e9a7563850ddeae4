//! Reports in a real browser: nothing in its console, nothing asked of a network, every plot drawn, no words over
//! others, in the light, in the dark and on paper.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pinode_measure::results::sample;
use pinode_tests::browser::{Browser, CHROMIUM};
use pinode_tests::need::Need;
use pinode_tests::program;
use serde_json::Value;

use crate::Case;

pub fn cases() -> Vec<Case> {
    let browser = [Need::Command(CHROMIUM.0, CHROMIUM.1)];
    vec![
        Case::new(
            "report::what_is_wrong_with_a_page_is_seen",
            &browser,
            wrong_pages,
        ),
        Case::new(
            "report::full_results_are_shown_without_a_fault",
            &browser,
            full,
        ),
        Case::new(
            "report::partial_and_empty_results_are_shown",
            &browser,
            little,
        ),
        Case::new("report::the_demo_of_this_machine_is_shown", &browser, demo),
        Case::new(
            "report::a_measurement_of_this_machine_is_shown",
            &browser,
            measured,
        ),
    ]
}

/// What a reader would stumble over, found in the page itself: plots of no size, words over words or outside of their
/// drawing, a page or a table wider than the medium.
const FAULTS: &str = r#"(() => {
  const faults = [];
  const box = e => e.getBoundingClientRect();
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth + 1) faults.push(`page: ${page.scrollWidth} wide, seen ${page.clientWidth}`);
  for (const svg of document.querySelectorAll('svg')) {
    const name = svg.querySelector('title')?.textContent ?? '?';
    const frame = box(svg);
    if (frame.width < 100 || frame.height < 20) { faults.push(`${name}: not drawn`); continue; }
    const lines = svg.querySelectorAll('polyline, rect.bar, path.mark, rect.fill, path.arrow');
    if (![...lines].some(l => { const b = box(l); return b.width > 0 || b.height > 0; })) faults.push(`${name}: empty`);
    const words = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
    words.forEach((a, i) => {
      const p = box(a);
      if (p.left < frame.left - 2 || p.right > frame.right + 2 || p.top < frame.top - 2 || p.bottom > frame.bottom + 2)
        faults.push(`${name}: "${a.textContent}" leaves the drawing`);
      for (const b of words.slice(i + 1)) {
        const q = box(b);
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 1 && high > 3) faults.push(`${name}: "${a.textContent}" over "${b.textContent}"`);
      }
    });
  }
  for (const table of document.querySelectorAll('table')) {
    const frame = table.closest('.scroll') ?? page;
    if (frame.clientWidth > 0 && table.scrollWidth > frame.clientWidth + 1)
      faults.push(`table "${table.caption?.textContent.slice(0, 30)}": ${table.scrollWidth} wide, seen ${frame.clientWidth}`);
  }
  return faults;
})()"#;

/// Contrast of words with what is behind them (WCAG 2, 1.4.3), the least of the page and of all drawings.
const CONTRAST: &str = r#"(() => {
  const channels = colour => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
  const light = colour => {
    const [r, g, b] = channels(colour).map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const against = colour => {
    const [a, b] = [light(colour), paper].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const words = [...document.querySelectorAll('h1, p, dt, dd, th, td, caption, figcaption, a, summary')].map(e => getComputedStyle(e).color);
  const drawn = [...document.querySelectorAll('svg text')].map(e => getComputedStyle(e).fill);
  const lines = [...document.querySelectorAll('svg .line, svg .mark')].map(e => getComputedStyle(e).stroke);
  const least = colours => Math.min(21, ...colours.map(against));
  return { paper, words: least(words), drawn: least(drawn), lines: least(lines) };
})()"#;

fn faults(browser: &mut Browser) -> Result<Vec<String>> {
    let found = browser.evaluate(FAULTS)?;
    let found = found.as_array().context("a list of faults")?;
    Ok(found
        .iter()
        .map(|f| f.as_str().unwrap_or("?").to_owned())
        .collect())
}

/// Opens a report and goes through all that it must be.
fn inspect(browser: &mut Browser, report: &Path) -> Result<()> {
    let drawings = fs::read_to_string(report)?.matches("<svg ").count();
    browser.show_as("screen", "light", 1200)?;
    browser.open(report)?;
    let drawn = browser.evaluate("document.querySelectorAll('svg').length")?;
    ensure!(
        drawn == drawings,
        "{drawings} drawings in the file, {drawn} on the page"
    );
    // A4 with the margins of the style is 273 mm wide: 1032 CSS pixels of a 96th of an inch.
    for (medium, scheme, width) in [
        ("screen", "light", 1200),
        ("screen", "dark", 1200),
        ("print", "light", 1032),
    ] {
        browser.show_as(medium, scheme, width)?;
        let faults = faults(browser)?;
        ensure!(
            faults.is_empty(),
            "{medium}, {scheme}:\n{}",
            faults.join("\n")
        );
        let contrast: HashMap<String, f64> = serde_json::from_value(browser.evaluate(CONTRAST)?)?;
        let of = |what: &str| contrast.get(what).copied().unwrap_or(f64::INFINITY);
        ensure!(
            (of("paper") < 0.2) == (scheme == "dark"),
            "{medium}, {scheme}: {contrast:?}"
        );
        // WCAG 2: 4.5 for words, 3 for what must be told apart in drawings (1.4.11).
        ensure!(
            of("words") >= 4.5 && of("drawn") >= 4.5,
            "{medium}, {scheme}: {contrast:?}"
        );
        ensure!(of("lines") >= 3.0, "{medium}, {scheme}: {contrast:?}");
    }
    let paper = browser.paper()?;
    ensure!(
        paper.starts_with(b"%PDF-"),
        "no PDF: {:?}",
        &paper[..paper.len().min(16)]
    );
    let complaints = browser.complaints()?;
    ensure!(
        complaints.is_empty(),
        "in the console:\n{}",
        complaints.join("\n")
    );
    let requests = browser.requests();
    ensure!(
        requests.len() == 1,
        "asked for more than itself: {requests:?}"
    );
    Ok(())
}

fn shown(results: &pinode_measure::results::Results) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = pinode_measure::deliver::deliver(folder.path(), results)?;
    inspect(&mut Browser::start()?, &files.html)
}

fn full() -> Result<()> {
    shown(&sample::full())
}

fn little() -> Result<()> {
    shown(&sample::empty())?;
    let mut results = sample::full();
    results.partial = true;
    results.tester = None;
    results.trials.truncate(3);
    results.throughput.truncate(1);
    results.cpu.truncate(5);
    results.cpu_fit.truncate(1);
    results.back_to_back.clear();
    shown(&results)
}

fn demo() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    let arguments = [
        "demo",
        "--seconds",
        "4",
        "--json",
        "--isolation",
        "thread",
        "--out",
        &out,
    ];
    let ended = program::run(&arguments)?;
    ensure!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    inspect(&mut Browser::start()?, &folder.path().join("report.html"))
}

/// The seed's experiments, two sizes of frames: every plot of rates, latency, CPU use and lines has data.
fn measured() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().display().to_string();
    let arguments = [
        "measure",
        "--profile",
        "seed",
        "--quick",
        "--isolation",
        "thread",
        "--sizes",
        "256,random:79-1518",
        "--json",
        "--out",
        &out,
    ];
    let ended = program::run(&arguments)?;
    ensure!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    inspect(&mut Browser::start()?, &folder.path().join("report.html"))
}

/// The instrument itself: each kind of fault is found in a page that has it.
fn wrong_pages() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut browser = Browser::start()?;
    let mut page = |body: &str| -> Result<(Vec<String>, Vec<String>)> {
        let file = folder.path().join("page.html");
        fs::write(
            &file,
            format!("<!DOCTYPE html><html><body>{body}</body></html>"),
        )?;
        browser.open(&file)?;
        let requests = browser.requests();
        let mut told = browser.complaints()?;
        told.extend(requests.into_iter().skip(1));
        Ok((told, faults(&mut browser)?))
    };
    ensure!(
        page("<p>good</p>")? == (vec![], vec![]),
        "a good page has no fault"
    );
    for (body, sign) in [
        ("<script>console.warn('so')</script>", "console.warning"),
        ("<script>null.x</script>", "thrown"),
        ("<img src='lacking.png'>", "browser"),
        ("<img src='http://127.0.0.1:9/x'>", "http://127.0.0.1:9/x"),
    ] {
        let (told, _) = page(body)?;
        ensure!(told.iter().any(|t| t.contains(sign)), "{body}: {told:?}");
    }
    for (body, sign) in [
        (
            "<svg width='0' height='0'><title>t</title></svg>",
            "t: not drawn",
        ),
        (
            "<svg width='300' height='90'><title>t</title></svg>",
            "t: empty",
        ),
        (
            "<svg width='300' height='90'><title>t</title><text x='9' y='50'>one</text><text x='12' y='50'>two</text></svg>",
            "\"one\" over \"two\"",
        ),
        (
            "<svg width='300' height='90'><title>t</title><text x='290' y='50'>outside</text></svg>",
            "\"outside\" leaves",
        ),
        ("<div style='width: 3000px'>wide</div>", "page: 3"),
        (
            "<div class='scroll' style='width: 50px; overflow: auto'><table><tr><td>aaaaaaaaaaaaaaaaaaaaaaa</td></tr></table></div>",
            "wide, seen 50",
        ),
    ] {
        let (_, found) = page(body)?;
        ensure!(found.iter().any(|f| f.contains(sign)), "{body}: {found:?}");
    }
    let contrast: Value = browser.evaluate(
        "document.body.innerHTML = '<p style=\"color: #999\">pale</p>'; document.body.style.background = '#fff'; 1",
    )?;
    ensure!(contrast == 1);
    let words = browser.evaluate(CONTRAST)?["words"]
        .as_f64()
        .context("contrast")?;
    ensure!(
        (2.8..2.9).contains(&words),
        "#999 on white is 2.85:1, not {words}"
    );
    Ok(())
}
