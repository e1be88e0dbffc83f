//! Suites as they lie in `suites/*.toml`, and what they come to: a list of cases. The README describes the format.

use serde::Deserialize;
use std::path::Path;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suite {
    pub(crate) suite: String,
    /// Where the cases come from, with the version that was read.
    pub(crate) source: String,
    /// How many cases the source has: what the file holds is counted against it.
    pub(crate) count: usize,
    #[serde(default, rename = "case")]
    pub(crate) cases: Vec<Case>,
    #[serde(default, rename = "carrier")]
    carriers: Vec<Carrier>,
    #[serde(default, rename = "mutation")]
    mutations: Vec<Mutation>,
}

/// One exchange on one connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) about: String,
    #[serde(default)]
    pub(crate) level: String,
    #[serde(default)]
    request: Vec<Piece>,
    /// Ends a head that the source leaves open: sent behind `request` where that is cut, since the server looks at a head
    /// that trickles in when its end has come.
    #[serde(default)]
    rest: Vec<Piece>,
    /// Of all answers in order, 100 apart.
    #[serde(default)]
    pub(crate) status: Vec<u16>,
    #[serde(default)]
    pub(crate) after: After,
    /// What the source accepts; empty if it does not say.
    #[serde(default)]
    pub(crate) allowed: Vec<String>,
    /// Why the verdict lies outside of `allowed`.
    pub(crate) differs: Option<String>,
    pub(crate) skip: Option<String>,
    /// The first answer's body.
    pub(crate) body: Option<Vec<Piece>>,
    /// Field names that the first answer must have.
    #[serde(default)]
    pub(crate) fields: Vec<String>,
    /// Which answers, counted from 1, are to HEAD.
    #[serde(default)]
    pub(crate) head: Vec<usize>,
    /// Whether 100 (Continue) may come first.
    #[serde(default)]
    pub(crate) interim: bool,
}

/// What becomes of the connection after the last answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum After {
    /// The next request is answered.
    Open,
    /// The server ends it; a request sent now is not answered.
    #[default]
    Closed,
    /// The server wants the rest of a request.
    Waiting,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Piece {
    Once(String),
    Repeated { text: String, times: usize },
}

/// Around a mutated field: what makes the two readings of it differ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carrier {
    name: String,
    before: String,
    behind: String,
    status: Vec<u16>,
    after: After,
}

/// A field line, or one for each of many bytes: `{byte}` in `field`, in hexadecimal in `name`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    name: String,
    field: String,
    /// Such as `"01-1f"`.
    #[serde(default)]
    bytes: Vec<String>,
    /// Where the verdict is not the carrier's.
    #[serde(default)]
    instead: Vec<Verdict>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    carrier: String,
    status: Vec<u16>,
    after: After,
}

/// All suites, by name.
pub(crate) fn load(folder: &Path) -> Vec<Suite> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a directory entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a suite is text");
            parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

/// A suite with its mutations written out, and nothing wrong with its cases.
pub(crate) fn parse(text: &str) -> Result<Suite, String> {
    let mut suite: Suite = toml::from_str(text).map_err(|error| error.to_string())?;
    for mutation in &suite.mutations {
        for carrier in &suite.carriers {
            mutation.put_into(carrier, &mut suite.cases)?;
        }
    }
    if suite.cases.len() != suite.count {
        return Err(format!("{} cases, but the source has {}", suite.cases.len(), suite.count));
    }
    let mut names: Vec<_> = suite.cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{}: a name twice", twice[0]));
    }
    for case in &suite.cases {
        case.check().map_err(|fault| format!("{}: {fault}", case.name))?;
    }
    Ok(suite)
}

impl Mutation {
    fn put_into(&self, carrier: &Carrier, cases: &mut Vec<Case>) -> Result<(), String> {
        let instead = self.instead.iter().find(|verdict| verdict.carrier == carrier.name);
        let (status, after) = match instead {
            Some(verdict) => (&verdict.status, verdict.after),
            None => (&carrier.status, carrier.after),
        };
        let mut add = |name: &str, field: &str| {
            cases.push(Case {
                name: format!("{} {name}", carrier.name),
                request: vec![Piece::Once(format!("{}{field}{}", carrier.before, carrier.behind))],
                status: status.clone(),
                after,
                ..Case::default()
            });
        };
        if self.bytes.is_empty() {
            add(&self.name, &self.field);
        }
        for range in &self.bytes {
            let ends = range.split_once('-');
            let byte = |text: &str| u8::from_str_radix(text, 16).map_err(|_| format!("{range}: no bytes"));
            let (first, last) = ends.ok_or_else(|| format!("{range}: no range"))?;
            for byte in byte(first)?..=byte(last)? {
                let name = self.name.replace("{byte}", &format!("{byte:02x}"));
                add(&name, &self.field.replace("{byte}", &char::from(byte).to_string()));
            }
        }
        Ok(())
    }
}

impl Case {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        bytes(&self.request)
    }

    pub(crate) fn rest(&self) -> Vec<u8> {
        bytes(&self.rest)
    }

    /// What a reader of the file would object to.
    fn check(&self) -> Result<(), String> {
        if let Some(odd) = self.request.iter().chain(&self.rest).find_map(Piece::beyond_a_byte) {
            return Err(format!("{odd:?} is no byte"));
        }
        if let Some(why) = &self.skip {
            let is_bare = self.status.is_empty() && self.differs.is_none();
            return if is_bare && !why.is_empty() {
                Ok(())
            } else {
                Err("skipped, but with a verdict".into())
            };
        }
        if self.status.is_empty() && self.after == After::Open {
            return Err("no answer, yet ready for the next request".into());
        }
        if let Some(status) = self.status.iter().find(|&&status| !is_fit(status)) {
            return Err(format!("{status} is never a right answer here"));
        }
        let is_required = self.level.contains("MUST") || self.level.contains("scored");
        match (&self.differs, self.lies_within_allowed()) {
            (None, true) => Ok(()),
            (None, false) => Err(format!("{:?} is not among {:?}", self.status, self.allowed)),
            (Some(_), true) => Err("does not differ".into()),
            (Some(_), false) if is_required => Err("differs from what must be".into()),
            (Some(_), false) => Ok(()),
        }
    }

    /// Whether the source accepts the verdict, by the last answer.
    fn lies_within_allowed(&self) -> bool {
        let fits = |allowed: &String| match (allowed.as_str(), self.status.last()) {
            ("close", None) => self.after == After::Closed,
            ("wait", None) => self.after == After::Waiting,
            (_, None) => false,
            (pattern, Some(status)) => match pattern.strip_suffix("+close") {
                Some(pattern) => matches(pattern, *status) && self.after == After::Closed,
                None => matches(pattern, *status),
            },
        };
        self.allowed.is_empty() || self.allowed.iter().any(fits)
    }
}

/// No request may break the server; what it does not implement, it may say.
pub(crate) fn is_fit(status: u16) -> bool {
    (200..500).contains(&status) || status == 501 || status == 505
}

/// `404`, `4xx`, `!101`
fn matches(pattern: &str, status: u16) -> bool {
    if let Some(other) = pattern.strip_prefix('!') {
        return !matches(other, status);
    }
    let status = status.to_string();
    match pattern.strip_suffix("xx") {
        Some(class) => status.starts_with(class),
        None => pattern == status,
    }
}

impl Piece {
    fn text(&self) -> &str {
        match self {
            Piece::Once(text) | Piece::Repeated { text, .. } => text,
        }
    }

    fn beyond_a_byte(&self) -> Option<char> {
        self.text().chars().find(|&char| u8::try_from(char).is_err())
    }
}

/// Each character is the byte of its number.
pub(crate) fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let once: Vec<u8> = piece.text().chars().filter_map(|char| u8::try_from(char).ok()).collect();
        let times = match piece {
            Piece::Once(_) => 1,
            Piece::Repeated { times, .. } => *times,
        };
        bytes.extend(once.repeat(times));
    }
    bytes
}
