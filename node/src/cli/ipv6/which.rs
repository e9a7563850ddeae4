//! Words that say which entries of a list are meant.

use super::command::{Object, Show, read_name, read_vn};
use super::words::{WordError, Words, once};

#[derive(Clone, Copy)]
enum ShowWord {
    Vn,
    Dev,
    All,
}

/// Which are to be shown.
pub(super) fn show(object: Object, mut words: Words<'_>) -> Result<Show, WordError> {
    let mut show = Show {
        what: object.kind(),
        vn: None,
        dev: None,
        table: None,
        all: false,
    };
    let keys: &[(&str, ShowWord)] = match object {
        Object::Route => &[
            ("vn", ShowWord::Vn),
            ("dev", ShowWord::Dev),
            ("all", ShowWord::All),
        ],
        Object::Table => {
            if words.peek().is_some() {
                show.table = Some(read_name(&mut words, "table")?);
            }
            &[]
        }
        Object::Link | Object::Address => {
            // `link show west`, as `ip` has it.
            if let Some(name) = words.peek().filter(|word| !["vn", "dev"].contains(word)) {
                words.next();
                show.dev = Some(name.to_owned());
            }
            &[("vn", ShowWord::Vn), ("dev", ShowWord::Dev)]
        }
        Object::Neighbour | Object::Flow | Object::Counters => {
            &[("vn", ShowWord::Vn), ("dev", ShowWord::Dev)]
        }
        Object::Policer | Object::Class | Object::Filter => &[],
    };
    if keys.is_empty() {
        words.end()?;
        return Ok(show);
    }
    while let Some(word) = words.key(keys)? {
        match word {
            ShowWord::Vn => once(&mut show.vn, "vn", read_vn(&mut words)?)?,
            ShowWord::Dev => once(
                &mut show.dev,
                "dev",
                words.needed("an interface")?.to_owned(),
            )?,
            ShowWord::All => show.all = true,
        }
    }
    Ok(show)
}

/// Which are to be flushed: all, or what of it; never all by having forgotten a word.
pub(super) fn flush(object: Object, mut words: Words<'_>) -> Result<Show, WordError> {
    let allowed = match object {
        Object::Table => "the name of a table",
        _ => "all, vn N, dev INTERFACE",
    };
    match words.peek() {
        None => Err(WordError(format!(
            "what is to be flushed is missing; needed: {allowed}"
        ))),
        Some("all") if object != Object::Table => {
            words.next();
            words.end()?;
            show(object, Words::new(&[]))
        }
        Some(_) => show(object, words),
    }
}
