//! `[tables]`.

use super::columns::{self, NAME_BYTES_MAX, index_of};
use super::keys;
use super::limits;
use super::paths;
use super::plan::{
    CacheDefaults, Column, ColumnIndex, Direction, Generated, Index, Operations, Order, Page, RateLimit,
    Table, Total, Type,
};
use super::rules;
use super::section::{At, Section};
use super::services::cache_rule;
use super::templates;
use super::tree::{Secrecy, Value};
use super::values;

/// One table for each entry, also for those with faults, so that others can refer to them.
pub(super) fn plan(root: &Section<'_>, rate_limits: &[RateLimit], cache: &CacheDefaults) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut named = Vec::new();
    for (entry, at) in root.named("tables") {
        let table = table(&entry.name, &at, rate_limits, cache);
        // Two names for one table would be two caches of the same rows.
        if let Some(other) = tables.iter().find(|other| other.sql_name.eq_ignore_ascii_case(&table.sql_name))
        {
            at.fault(
                format!("is the same table of the database as tables.{}", other.name),
                "declare it once; databases do not tell capitals apart",
            );
        }
        tables.push(table);
        named.push(at);
    }
    columns::resolve_references(&named, &mut tables);
    tables
}

fn table(name: &str, at: &At<'_>, rate_limits: &[RateLimit], cache: &CacheDefaults) -> Table {
    if !values::is_identifier(name) || name.len() > NAME_BYTES_MAX {
        at.fault(
            "is no name of a table",
            format!("take letters, digits and `_`, at most {NAME_BYTES_MAX}; another name in the database is `table`"),
        );
    }
    let section = at.section(keys::TABLE);
    let columns = columns::columns(&section);
    if columns.is_empty() && at.node.is_table() && !section.is_misspelt("columns") {
        at.fault("has no columns", format!("declare them in [{}]", section.key("columns")));
    }
    let key = key(&section, &columns);
    let (list, item) = routes(&section, &columns, &key);
    let noun = section.text("noun").map_or_else(|| templates::noun_of(name), str::to_string);
    let page = page(&section);
    // Checked only: what it is for is not there yet.
    section.choice("read");
    if let Some(at) = section.get("filter").filter(|at| !at.list("write filter = []").is_empty()) {
        at.later("filter", "write filter = []");
    }
    if let Some(at) = section.get("shard_by")
        && let Some(name) = at.text()
    {
        index_of(&at, name, &columns);
    }
    Table {
        sql_name: sql_name(&section, name),
        order: order(&section, &columns, &key),
        access: access(&section, list.is_some(), item.is_some()),
        rate_limit: limits::policies_by_operation(&section, rate_limits),
        cache: cache_rule(&section, cache),
        indexes: indexes(&section, &columns),
        replies: templates::replies(&section.section("replies"), name, &noun, page.total, &columns),
        name: name.into(),
        noun,
        list,
        item,
        key,
        page,
        columns,
    }
}

fn sql_name(section: &Section<'_>, name: &str) -> String {
    let at = section.get("table");
    let text = at.as_ref().and_then(At::text).unwrap_or(name);
    let at = at.as_ref().unwrap_or(&section.at);
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        at.wrong("is no name of a table", format!("write 1 to {NAME_BYTES_MAX} bytes"));
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("sqlite_") || lower.starts_with("ringmill_") {
        at.fault("names of tables that begin with sqlite_ or ringmill_ are taken", "take another name");
    }
    text.into()
}

fn key(section: &Section<'_>, columns: &[Column]) -> Vec<ColumnIndex> {
    let mut key = Vec::new();
    for (at, name) in section.texts("key") {
        let Some(index) = index_of(&at, name, columns) else { continue };
        if key.contains(&index) {
            at.wrong("stands in the key twice", "remove one of them");
            continue;
        }
        let column = section.get("columns").and_then(|at| at.child(name));
        let has_type = column.is_some_and(|at| rules::has_type(&at));
        let kind = columns[index].rules.kind;
        if has_type && matches!(kind, Type::Json | Type::Bytes | Type::Real | Type::Double) {
            at.wrong("has a type that cannot name a row", "take a column of another type");
        }
        key.push(index);
    }
    if let Some(at) = section.get("key")
        && matches!(&at.node.value, Value::List(items) if items.is_empty())
    {
        at.fault("names no column", "write key = \"id\"");
    }
    for index in &key {
        let column = &columns[*index];
        if let Some(at) = section.get("columns").and_then(|at| at.child(&column.name)) {
            values_without_path(&at, column);
        }
        let is_given = column.generated.is_some() || column.rules.default.is_some();
        if column.read_only && !column.rules.required && !is_given {
            let at = section.get("columns").and_then(|at| at.child(&column.name));
            at.unwrap_or_else(|| section.at.clone()).fault(
                "is a key and read_only, so that no row could ever be created",
                "generate it, or drop read_only",
            );
        }
    }
    for (index, column) in columns.iter().enumerate() {
        if column.generated == Some(Generated::Identity) && key != [index] {
            let at = section.get("columns").and_then(|at| at.child(&column.name));
            at.unwrap_or_else(|| section.at.clone()).fault(
                "is an identity, but is not the key alone",
                "the embedded database counts only in a key of one column",
            );
        }
    }
    key
}

/// A row of such a key could be reached by no path.
fn values_without_path(at: &At<'_>, column: &Column) {
    if column.rules.kind != Type::Text {
        return;
    }
    let choices = at.child("enum").filter(|at| matches!(at.node.value, Value::List(_)));
    let choices = choices.iter().flat_map(|at| at.list(""));
    for value in at.child("default").into_iter().chain(choices) {
        if value.as_text().is_some_and(|text| matches!(text, "" | "." | "..")) {
            value.wrong(
                "is no value of a key: no path leads there",
                "take one that is not empty, `.` or `..`",
            );
        }
    }
}

/// The paths of the list and of one row.
fn routes(
    section: &Section<'_>,
    columns: &[Column],
    key: &[ColumnIndex],
) -> (Option<String>, Option<String>) {
    let list = section.get("list").and_then(|at| paths::fixed(&at));
    let Some(at) = section.get("item") else { return (list, None) };
    let Some(path) = paths::path(&at) else { return (list, None) };
    let mut expected: Vec<&str> = key.iter().map(|index| columns[*index].name.as_str()).collect();
    let mut named: Vec<&str> = path.parameters.iter().map(String::as_str).collect();
    expected.sort_unstable();
    named.sort_unstable();
    // Without a key there is a fault already.
    if expected != named && !key.is_empty() {
        let names: Vec<String> = expected.iter().map(|name| format!("{{{name}}}")).collect();
        at.wrong(
            "does not name the key columns",
            format!("its parameters are {}, each once", names.join(" and ")),
        );
    }
    (list, Some(path.text))
}

fn order(section: &Section<'_>, columns: &[Column], key: &[ColumnIndex]) -> Vec<Order> {
    let mut order: Vec<Order> = Vec::new();
    for (at, text) in section.texts("order") {
        let Some((name, direction)) = direction(&at, text) else { continue };
        let Some(column) = index_of(&at, name, columns) else { continue };
        if order.iter().any(|other| other.column == column) {
            at.wrong("stands in the order twice", "remove one of them");
            continue;
        }
        order.push(Order { column, direction });
    }
    if order.is_empty() {
        order.extend(key.iter().map(|column| Order { column: *column, direction: Direction::Ascending }));
    }
    order
}

/// `created_at.desc` → the name and which way. `None`: a fault was noted.
pub(super) fn direction<'a>(at: &At<'_>, text: &'a str) -> Option<(&'a str, Direction)> {
    let (what, meant) = match text.split_once('.') {
        Some((name, "asc")) => return Some((name, Direction::Ascending)),
        Some((name, "desc")) => return Some((name, Direction::Descending)),
        Some((name, way)) => ("has a direction that is none", in_direction(name, way)),
        None => match of_another_form(text) {
            Some((name, way)) => ("says its direction in another form", in_direction(name, way)),
            None => return Some((text, Direction::Ascending)),
        },
    };
    let remedy = match meant.filter(|_| at.node.secrecy == Secrecy::Plain) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "write \"column\" or \"column.desc\"".into(),
    };
    at.wrong(what, remedy);
    None
}

/// `-name`, and `name DESC` as SQL has it: the name and which way.
fn of_another_form(text: &str) -> Option<(&str, &str)> {
    let sign = text.strip_prefix('-').map(|name| (name, "desc"));
    let sign = sign.or_else(|| Some((text.strip_prefix('+')?, "asc")));
    sign.or_else(|| text.split_once([' ', ':']).map(|(name, way)| (name, way.trim())))
}

fn in_direction(name: &str, way: &str) -> Option<String> {
    let way = match way.to_ascii_lowercase().as_str() {
        "desc" | "descending" => ".desc",
        "asc" | "ascending" => "",
        _ => return None,
    };
    values::is_identifier(name).then(|| format!("{name}{way}"))
}

fn page(section: &Section<'_>) -> Page {
    let page = section.section("page");
    let rows = |name| page.integer_if(name).and_then(|rows| u32::try_from(rows).ok());
    let (mut default, max) = (rows("default").unwrap_or(1), rows("max").unwrap_or(u32::MAX));
    if default > max {
        match page.written("default") {
            Some(at) => at.wrong("is more than page.max", "lower it, or raise max"),
            // A default gives way.
            None => default = max,
        }
    }
    let total = match page.get("total").as_ref().and_then(|at| Some((at, at.as_text()?))) {
        Some((at, "estimated")) => {
            at.later("an estimated total", "write total = \"exact\" or \"none\"");
            Total::Exact
        }
        _ if page.choice("total") == "none" => Total::None,
        _ => Total::Exact,
    };
    Page { default, max, total }
}

/// Notes what an `access` other than "public" means now. `remedy`: how it is written.
pub(super) fn refuse_other_access(at: &At<'_>, remedy: &str) {
    match at.as_text() {
        Some("public") => {}
        Some(_) => at.later("access other than \"public\"", remedy),
        None => at.wrong("is no access", remedy),
    }
}

fn access(section: &Section<'_>, has_list: bool, has_item: bool) -> Operations<bool> {
    let by_path =
        Operations { list: has_list, create: has_list, get: has_item, update: has_item, delete: has_item };
    let Some(at) = section.get("access") else { return by_path };
    if !at.node.is_table() {
        let by_name = "write access = \"public\", or by operation, { list = \"public\", get = \"public\" }";
        let remedy = if at.as_text().is_some() { "write access = \"public\"" } else { by_name };
        refuse_other_access(&at, remedy);
        return by_path;
    }
    let named = at.section(keys::ACCESS);
    let exists = |operation: &str, has_path: bool, path: &str| {
        let Some(at) = named.get(operation) else { return false };
        refuse_other_access(
            &at,
            &format!("write {operation} = \"public\"; an operation that is left out does not exist"),
        );
        if !has_path && section.get(path).is_none() {
            at.fault(
                format!("the table has no `{path}`, so there is no {operation}"),
                format!("write {path} = \"/…\", or remove it"),
            );
        }
        has_path
    };
    Operations {
        list: exists("list", has_list, "list"),
        get: exists("get", has_item, "item"),
        create: exists("create", has_list, "list"),
        update: exists("update", has_item, "item"),
        delete: exists("delete", has_item, "item"),
    }
}

fn indexes(section: &Section<'_>, columns: &[Column]) -> Vec<Index> {
    let Some(at) = section.get("indexes") else { return Vec::new() };
    let items = at.list("write indexes = [[\"column\", \"column\"]]");
    items.iter().map(|at| index(at, columns)).collect()
}

fn index(at: &At<'_>, columns: &[Column]) -> Index {
    const REMEDY: &str = "write [\"column\"] or { columns = [\"column\"], unique = true }";
    let section = match &at.node.value {
        Value::Table(_) => Some(at.section(keys::INDEX)),
        _ => None,
    };
    let list = match &section {
        Some(section) => section.needed("columns", REMEDY),
        None => Some(at.clone()),
    };
    let mut named = Vec::new();
    if let Some(list) = list {
        let items = list.list(REMEDY);
        if items.is_empty() && matches!(list.node.value, Value::List(_)) {
            list.fault("an index needs a column", REMEDY);
        }
        for item in items {
            let Some(index) = item.text().and_then(|name| index_of(&item, name, columns)) else { continue };
            if named.contains(&index) {
                item.wrong("stands in the index twice", "remove one of them");
                continue;
            }
            named.push(index);
        }
    }
    let condition = section.as_ref().and_then(|section| section.get("where")).and_then(|at| {
        let text = at.text()?;
        match super::sql::parameters(text) {
            Ok(found) if found.is_empty() => {}
            Ok(_) => at.fault("the condition of an index has no parameters", "write the value itself"),
            Err(unsound) => at.fault(unsound.to_string(), unsound.remedy),
        }
        Some(text.to_string())
    });
    Index {
        columns: named,
        unique: section.as_ref().is_some_and(|section| section.boolean("unique")),
        condition,
    }
}
