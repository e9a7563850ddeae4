//! Words of policers, classes and filter rules.

use pinode_guest_ipv6qos::control::item::{
    ClassRule, ColourAction, FilterAction, FilterRule, Meter, Policer,
};
use pinode_guest_ipv6qos::control::matching::{Addresses, Dscp, Match, Protocol, Range};
use pinode_guest_ipv6qos::units::{BitRate, Octets};

use super::command::{read_name, read_vn};
use super::words::{WordError, Words, once};

/// What a priority may be.
pub(super) const PRIORITIES: &str = "0 to 4294967295";

/// Words of rules. What a rule does stands among what it matches.
#[derive(Clone, Copy)]
enum Word {
    Prio,
    Vn,
    Dev,
    Local,
    From,
    To,
    Proto,
    Sport,
    Dport,
    Type,
    Dscp,
    Fragment,
    Mark,
    Policer,
    Action(FilterAction),
}

const MATCH: &[(&str, Word)] = &[
    ("prio", Word::Prio),
    ("vn", Word::Vn),
    ("dev", Word::Dev),
    ("local", Word::Local),
    ("from", Word::From),
    ("to", Word::To),
    ("proto", Word::Proto),
    ("sport", Word::Sport),
    ("dport", Word::Dport),
    ("type", Word::Type),
    ("dscp", Word::Dscp),
    ("fragment", Word::Fragment),
];
const CLASS: &[(&str, Word)] = &[("mark", Word::Mark), ("policer", Word::Policer)];
const FILTER: &[(&str, Word)] = &[
    ("accept", Word::Action(FilterAction::Accept)),
    ("drop", Word::Action(FilterAction::Drop)),
    ("reject", Word::Action(FilterAction::Reject)),
    ("track", Word::Action(FilterAction::Track)),
];
const YES_NO: &[(&str, bool)] = &[("yes", true), ("no", false)];

/// What the words of a rule say.
#[derive(Default)]
struct Rule {
    priority: Option<u32>,
    matches: Match,
    mark: Option<Dscp>,
    policer: Option<String>,
    action: Option<FilterAction>,
}

fn rule(mut words: Words<'_>, more: &[(&str, Word)]) -> Result<Rule, WordError> {
    let all = [MATCH, more].concat();
    let mut rule = Rule::default();
    let wants = &mut rule.matches;
    while let Some(word) = words.key(&all)? {
        let w = &mut words;
        match word {
            Word::Prio => once(&mut rule.priority, "prio", w.read_as("prio", PRIORITIES)?)?,
            Word::Vn => once(&mut wants.vn, "vn", read_vn(w)?)?,
            Word::Dev => once(&mut wants.dev, "dev", w.needed("an interface")?.to_owned())?,
            Word::Local => once(&mut wants.local, "local", w.one_of(YES_NO)?)?,
            Word::From => once(&mut wants.from, "from", w.read::<Addresses>("from")?)?,
            Word::To => once(&mut wants.to, "to", w.read::<Addresses>("to")?)?,
            Word::Proto => once(&mut wants.protocol, "proto", w.read::<Protocol>("proto")?)?,
            Word::Sport => once(&mut wants.sport, "sport", w.read::<Range>("sport")?)?,
            Word::Dport => once(&mut wants.dport, "dport", w.read::<Range>("dport")?)?,
            Word::Type => once(&mut wants.icmp_type, "type", w.read::<Range>("type")?)?,
            Word::Dscp => once(&mut wants.dscp, "dscp", w.read::<Dscp>("dscp")?)?,
            Word::Fragment => once(&mut wants.fragment, "fragment", w.one_of(YES_NO)?)?,
            Word::Mark => once(&mut rule.mark, "mark", w.read::<Dscp>("mark")?)?,
            Word::Policer => once(&mut rule.policer, "policer", read_name(w, "policer")?)?,
            Word::Action(action) => once(&mut rule.action, "the action", action)?,
        }
    }
    Ok(rule)
}

/// `[prio N] [MATCH] [mark DSCP] [policer NAME]`
pub(super) fn class(words: Words<'_>) -> Result<ClassRule, WordError> {
    let rule = rule(words, CLASS)?;
    if rule.mark.is_none() && rule.policer.is_none() {
        let what = "what becomes of packets is missing; needed: mark DSCP, policer NAME, or both";
        return Err(WordError(what.to_owned()));
    }
    Ok(ClassRule {
        priority: rule.priority,
        matches: rule.matches,
        dscp: rule.mark,
        policer: rule.policer,
    })
}

/// `[prio N] [MATCH] ACTION`
pub(super) fn filter(words: Words<'_>) -> Result<FilterRule, WordError> {
    let rule = rule(words, FILTER)?;
    let action = rule.action.ok_or_else(|| {
        let what = "what becomes of packets is missing; needed: accept, drop, reject or track";
        WordError(what.to_owned())
    })?;
    Ok(FilterRule {
        priority: rule.priority,
        matches: rule.matches,
        action,
    })
}

#[derive(Clone, Copy)]
enum PolicerWord {
    Cir,
    Cbs,
    Ebs,
    Pir,
    Pbs,
    Aware,
    Green,
    Yellow,
    Red,
}

const POLICER: &[(&str, PolicerWord)] = &[
    ("cir", PolicerWord::Cir),
    ("cbs", PolicerWord::Cbs),
    ("ebs", PolicerWord::Ebs),
    ("pir", PolicerWord::Pir),
    ("pbs", PolicerWord::Pbs),
    ("aware", PolicerWord::Aware),
    ("green", PolicerWord::Green),
    ("yellow", PolicerWord::Yellow),
    ("red", PolicerWord::Red),
];

/// `NAME srtcm|trtcm cir RATE cbs OCTETS ...`
pub(super) fn policer(mut words: Words<'_>) -> Result<Policer, WordError> {
    let name = read_name(&mut words, "policer")?;
    let meter = words.one_of(&[("srtcm", Meter::Srtcm), ("trtcm", Meter::Trtcm)])?;
    let (mut cir, mut cbs, mut ebs, mut pir, mut pbs) = (None, None, None, None, None);
    let (mut aware, mut green, mut yellow, mut red) = (None, None, None, None);
    while let Some(word) = words.key(POLICER)? {
        let w = &mut words;
        match word {
            PolicerWord::Cir => once(&mut cir, "cir", w.read::<BitRate>("cir")?)?,
            PolicerWord::Cbs => once(&mut cbs, "cbs", w.read::<Octets>("cbs")?)?,
            PolicerWord::Ebs => once(&mut ebs, "ebs", w.read::<Octets>("ebs")?)?,
            PolicerWord::Pir => once(&mut pir, "pir", w.read::<BitRate>("pir")?)?,
            PolicerWord::Pbs => once(&mut pbs, "pbs", w.read::<Octets>("pbs")?)?,
            PolicerWord::Aware => once(&mut aware, "aware", ())?,
            PolicerWord::Green => once(&mut green, "green", colour(w, "green")?)?,
            PolicerWord::Yellow => once(&mut yellow, "yellow", colour(w, "yellow")?)?,
            PolicerWord::Red => once(&mut red, "red", colour(w, "red")?)?,
        }
    }
    let missing = |key: &str| WordError(format!("{key} is missing; needed: cir RATE cbs OCTETS"));
    Ok(Policer {
        name,
        meter,
        cir: cir.ok_or_else(|| missing("cir"))?,
        cbs: cbs.ok_or_else(|| missing("cbs"))?,
        ebs,
        pir,
        pbs,
        aware: aware.is_some(),
        green: green.unwrap_or(ColourAction::Pass),
        yellow: yellow.unwrap_or(ColourAction::Precedence),
        red: red.unwrap_or(ColourAction::Drop),
    })
}

fn colour(words: &mut Words<'_>, of: &str) -> Result<ColourAction, WordError> {
    let word = words.needed(&format!("what becomes of {of} packets"))?;
    match word {
        "pass" => Ok(ColourAction::Pass),
        "precedence" => Ok(ColourAction::Precedence),
        "drop" => Ok(ColourAction::Drop),
        name => name.parse().map(ColourAction::Dscp).map_err(|_| {
            WordError(format!(
                "{of}: {name:?} is not allowed; allowed: pass, precedence, drop, or a DSCP such as AF12"
            ))
        }),
    }
}
