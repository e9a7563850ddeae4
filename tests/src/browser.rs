//! A real browser, headless, driven by the DevTools protocol over its pipe: opens a page, says everything that the
//! page had to complain of, measures what is drawn, and takes pictures of it.
//!
//! The protocol and not the browser's log, because only there a script's error, a failed request and a warning of
//! the browser itself are told apart from the browser's own troubles with a machine without a screen.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::need::find_command;

/// The command, and the Debian package it comes in.
pub const CHROMIUM: (&str, &str) = ("chromium", "chromium");

/// Far above what any step takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with an empty page of 1200 by 900.
    ///
    /// # Errors
    /// There is no chromium, or it does not start.
    pub fn start() -> Result<Self> {
        let program = find_command(CHROMIUM.0).context("no command chromium")?;
        let profile = tempfile::tempdir()?;
        // It reads from 3 and writes to 4; a shell can hand it these without unsafe code here.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
                "sh",
            ])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args([
                "--no-first-run",
                "--disable-dev-shm-usage",
                "--window-size=1200,900",
            ])
            .args(["--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start chromium")?;
        let to = child.stdin.take().context("its input")?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?);
        let (send, from) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            // Messages end with a zero.
            while output.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else {
                    return;
                };
                if send.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            session: None,
            last_id: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut octets = serde_json::to_vec(&message)?;
        octets.push(0);
        self.to.write_all(&octets).context("write to chromium")?;
        let id = self.last_id;
        let answer = self.wait(method, |message| message["id"] == id)?;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }

    /// The next message that is looked for; events before it are kept.
    fn wait(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(message) = self.from.recv_timeout(left) else {
                bail!("chromium did not answer {what} within {DEADLINE:?}");
            };
            let found = is(&message);
            if message["method"].is_string() {
                self.events.push(message.clone());
            }
            if found {
                return Ok(message);
            }
        }
    }

    /// Opens a file and waits until it is loaded. What was complained of before is forgotten.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self, file: &Path) -> Result<()> {
        self.events.clear();
        let file = file
            .canonicalize()
            .with_context(|| file.display().to_string())?;
        let url = format!("file://{}", file.display());
        let answer = self.call("Page.navigate", json!({ "url": url }))?;
        ensure!(
            answer["errorText"].is_null(),
            "{url}: {}",
            answer["errorText"]
        );
        let loaded = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.events.iter().any(loaded) {
            self.wait("the page's load event", loaded)?;
        }
        Ok(())
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// It throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let answer = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }),
        )?;
        let thrown = &answer["exceptionDetails"];
        ensure!(thrown.is_null(), "{expression}: {thrown}");
        Ok(answer["result"]["value"].clone())
    }

    /// Everything in the console of the page since it was opened: what scripts wrote, errors that nobody caught,
    /// and what the browser itself said of it.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // Events come in order: behind this answer are none of the loading.
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")?;
        let told = self.events.iter().filter_map(|event| {
            let of = &event["params"];
            match event["method"].as_str()? {
                "Runtime.consoleAPICalled" => {
                    Some(format!("console.{}: {}", of["type"].as_str()?, of["args"]))
                }
                "Runtime.exceptionThrown" => Some(format!("thrown: {}", of["exceptionDetails"])),
                "Log.entryAdded" => Some(format!("browser: {}", of["entry"])),
                _ => None,
            }
        });
        Ok(told.collect())
    }

    /// Addresses that the page asked for, its own first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let sent = self
            .events
            .iter()
            .filter(|e| e["method"] == "Network.requestWillBeSent");
        sent.filter_map(|e| e["params"]["request"]["url"].as_str().map(str::to_owned))
            .collect()
    }

    /// Shows the page as `screen` or `print`, `light` or `dark`, this many CSS pixels wide.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn show_as(&mut self, medium: &str, scheme: &str, width: u32) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "media": medium, "features": features }),
        )?;
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        Ok(())
    }

    /// A picture (PNG) of the page from `top` on, in CSS pixels; `height` none: to its end.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn picture(&mut self, top: f64, height: Option<f64>) -> Result<Vec<u8>> {
        let size = "[document.documentElement.clientWidth, document.documentElement.scrollHeight]";
        let size = self.evaluate(size)?;
        let number = |i: usize| size[i].as_f64().context("size of the page");
        let clip = json!({ "x": 0, "y": top, "width": number(0)?,
            "height": height.unwrap_or(number(1)? - top), "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.call("Page.captureScreenshot", asked)?;
        octets(&answer)
    }

    /// The page on paper (PDF), as its style asks for.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn paper(&mut self) -> Result<Vec<u8>> {
        let asked = json!({ "preferCSSPageSize": true, "printBackground": true });
        let answer = self.call("Page.printToPDF", asked)?;
        octets(&answer)
    }
}

fn octets(answer: &Value) -> Result<Vec<u8>> {
    let text = answer["data"].as_str().context("data in base64")?;
    Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
