//! What all reports have alike: the style of the page, and how values become words in it.
//!
//! Values are escaped unless a drawing of this crate made them.

use minijinja::{AutoEscape, Environment};
use thiserror::Error;

use super::number::{count, fixed, signed};

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The template does not fit the data: a mistake of this crate.
    #[error("the report's template does not fit its data: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// Templates and filters that every report may use.
pub fn environment() -> Result<Environment<'static>, ReportError> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.add_filter("count", |n: u64| count(n));
    env.add_filter("us", |ns: f64| fixed(ns / 1e3, 1));
    env.add_filter("us_above", |ns: f64| signed(ns / 1e3, 1));
    env.add_filter("kilo", |fps: f64| fixed(fps / 1e3, 1));
    env.add_filter("percent", |share: f64| fixed(share * 100.0, 1));
    env.add_filter("fixed", |x: f64, digits: usize| fixed(x, digits));
    env.add_filter("mib", |octets: u64| fixed(octets as f64 / 1_048_576.0, 0));
    env.add_template("style.html", include_str!("style.html"))?;
    Ok(env)
}
