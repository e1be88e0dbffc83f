//! `docs/CONFIGURATION.md` says what the tables of keys say.

use super::*;
use crate::config::reference::{reference, storage};
use crate::config::rules::TYPES;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
const RENEW: &str = "RINGMILL_WRITE_DOCS";

#[test]
fn the_page_of_the_reference_is_up_to_date() {
    let made = reference();
    if std::env::var_os(RENEW).is_some_and(|value| value == "1") {
        std::fs::write(PAGE, &made).expect("room for the page");
    }
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    let differs = page.lines().zip(made.lines()).find(|(is, should)| is != should);
    assert!(
        page == made,
        "docs/CONFIGURATION.md is not what src/config makes it ({differs:?}): renew it with \
         `{RENEW}=1 cargo test --lib reference` and commit it with the change"
    );
}

#[test]
fn every_key_is_on_the_page() {
    fn check(page: &str, keys: &'static [keys::Key]) -> usize {
        let mut count = 0;
        for key in keys.iter().filter(|key| !matches!(key.kind, keys::Kind::Reserved)) {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{}` | ", key.name)));
            assert!(line.is_some() && !key.about.is_empty(), "{}", key.name);
            count += 1;
            if let keys::Kind::Section(inside)
            | keys::Kind::Named(inside)
            | keys::Kind::OtherOrSection(_, inside) = key.kind
            {
                count += check(page, inside);
            }
        }
        count
    }
    let page = reference();
    assert!(check(&page, keys::ROOT) > 100);
    // Links lead somewhere.
    let anchors: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## `["))
        .map(|rest| rest.trim_end_matches("]`").replace('.', "").to_lowercase())
        .collect();
    let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 15);
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "{link} of {anchors:?}");
    }
}

/// The page's words about storage are those of the schema.
#[test]
fn types_are_stored_as_the_page_says() {
    let columns = TYPES.map(|(name, _)| format!("c_{name} = \"{name}\"\n")).concat();
    let plan = plan(&format!("[tables.t.columns]\nid = \"bigint\"\n{columns}"));
    let create = &crate::api::schema(&plan)[0].statements[0];
    for (name, kind) in TYPES {
        let definition = format!("\"c_{name}\" {}", storage(kind));
        assert!(create.contains(&definition), "{definition} in {create}");
        assert!(reference().lines().any(|line| {
            line.starts_with(&format!("| `{name}` | ")) && line.ends_with(&format!(" | {} |", storage(kind)))
        }));
    }
}
