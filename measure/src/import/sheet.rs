//! A CSV file (RFC 4180) as rows of text, whole or not at all.
//!
//! Values are separated by the comma, semicolon or tab that the header has most of.

use super::Fault;

/// A header and its lines.
pub(super) struct Sheet {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// The last line ends as the others do.
    pub(super) has_last_line_end: bool,
}

/// A line of values, as many as there are columns.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) values: Vec<String>,
}

impl Sheet {
    pub(super) fn read(octets: &[u8]) -> Result<Self, Fault> {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        let octets = octets.strip_prefix(BOM).unwrap_or(octets);
        let text = std::str::from_utf8(octets).map_err(|e| Fault::Encoding {
            line: line_at(octets, e.valid_up_to()),
        })?;
        let delimiter = delimiter(text);
        unended_quote(octets, delimiter)?;
        let has_last_line_end = octets.ends_with(b"\n") || octets.ends_with(b"\r");
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(octets);
        let mut records = reader.records();
        let mut next = || -> Option<Row> {
            // Text is UTF-8 and rows may differ: reading from memory has no other error.
            let record = records.next()?.ok()?;
            Some(Row {
                line: record.position().map_or(0, csv::Position::line),
                values: record.iter().map(|value| value.trim().to_owned()).collect(),
            })
        };
        let header = next().ok_or(Fault::Empty)?.values;
        let mut rows = Vec::new();
        while let Some(row) = next() {
            // Spreadsheets leave lines of commas below a table.
            if row.values.iter().any(|value| !value.is_empty()) {
                rows.push(row);
            }
        }
        let expected = header.len();
        let last_line = rows.last().map_or(0, |row| row.line);
        if let Some(row) = rows.iter().find(|row| row.values.len() != expected) {
            return Err(Fault::Width {
                line: row.line,
                found: row.values.len(),
                expected,
                last: row.line == last_line && !has_last_line_end,
            });
        }
        if rows.is_empty() {
            return Err(Fault::NoLine);
        }
        Ok(Self {
            header,
            rows,
            has_last_line_end,
        })
    }
}

fn line_at(octets: &[u8], at: usize) -> u64 {
    1 + octets[..at].iter().filter(|octet| **octet == b'\n').count() as u64
}

fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.is_empty()).unwrap_or("");
    let count = |delimiter: u8| header.bytes().filter(|octet| *octet == delimiter).count();
    // Of equals the last is taken: the comma.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|d| count(*d))
        .unwrap_or(b',')
}

/// The csv library takes the end of the file for the end of a quote: here it is what a cut leaves.
fn unended_quote(octets: &[u8], delimiter: u8) -> Result<(), Fault> {
    let mut quote_at = None;
    let mut is_value_start = true;
    let mut octets_at = octets.iter().enumerate().peekable();
    while let Some((at, octet)) = octets_at.next() {
        if quote_at.is_some() {
            if *octet == b'"' {
                match octets_at.peek() {
                    Some((_, b'"')) => {
                        octets_at.next();
                    }
                    _ => quote_at = None,
                }
            }
        } else if is_value_start && *octet == b'"' {
            quote_at = Some(at);
        }
        is_value_start =
            quote_at.is_none() && (*octet == delimiter || matches!(*octet, b'\n' | b'\r'));
    }
    match quote_at {
        Some(at) => Err(Fault::Quote {
            line: line_at(octets, at),
        }),
        None => Ok(()),
    }
}
