//! The report of a measurement: what was measured on what, what was found, and the seed's figures and table with
//! what was measured here.

mod order;

use minijinja::context;
use minijinja::value::Serde;

use super::page::{self, ReportError};
use crate::results::Results;

/// The report as one HTML document, UTF-8. Needs no network and no script; shows what `results` has and says what
/// is partial or refused.
///
/// # Errors
///
/// [`ReportError`]: a mistake of this crate.
pub fn render(results: &Results) -> Result<String, ReportError> {
    let mut env = page::environment()?;
    env.add_template("measured.html", include_str!("measured.html"))?;
    let html = env.get_template("measured.html")?.render(context! {
        r => minijinja::Value::from(Serde(results)),
    })?;
    Ok(html + "\n")
}
