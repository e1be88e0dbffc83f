//! Every key of the file: its name, what it takes, its default and one line about it. These tables are what sections are
//! read by, what unknown keys are compared with, and what documentation and help are made from.

use std::time::Duration;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when it is left out.
    pub default: Absent,
    /// One line about it, for people.
    pub about: &'static str,
    /// Whether it may come in through `${…}`.
    pub secret: Secret,
}

/// Whether a value may come in through `${…}`, which makes it a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// It is told to nobody.
    Kept,
    /// Not that it comes in so: it is told to others, as the text says.
    Refused(&'static str),
}

/// What a key takes. Bounds are inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `250ms`, `5s`, `1m`, `1h`, `1d`.
    Duration(Duration, Duration),
    /// The same, or `""` for off.
    DurationOrOff(Duration, Duration),
    /// `64KiB`, `1MiB`, `1GiB`, or a number of bytes.
    Size(u64, u64),
    /// A whole number.
    Integer(i64, i64),
    /// true or false.
    Boolean,
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    TextOrTexts,
    /// What the text says, read by code of its own.
    Other(&'static str),
    /// What the text says, where a table stands for one with these keys; read by code of its own.
    OtherOrSection(&'static str, &'static [Key]),
    /// A table with these keys.
    Section(&'static [Key]),
    /// A table of tables with names of the user's, each with these keys.
    Named(&'static [Key]),
    /// Refused as "not in this version".
    Reserved,
}

/// What a key is when it is left out.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// This value, as TOML; what does not parse as TOML is a string.
    Is(&'static str),
    /// What the text says.
    Described(&'static str),
}

use Absent::{Described, Is};
use Kind::{
    Boolean, Choice, DurationOrOff, Integer, Named, Other, OtherOrSection, Reserved, Section, Size, Text,
    TextOrTexts, Texts,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Shortest and longest time that something on a connection may take.
const WIRE_TIMEOUT: Kind = Kind::Duration(Duration::from_millis(1), HOUR);
/// Times that may be nothing at all.
const DELAY: Kind = Kind::Duration(Duration::ZERO, DAY);
/// Lives of cached answers.
const AGE: Kind = Kind::Duration(Duration::ZERO, YEAR);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A request line and a Host field fit in; what is larger than the maximum belongs in a body.
const HEAD_BYTES: (u64, u64) = (KIB, MIB);
const FIELDS: (i64, i64) = (8, 10_000);
const TARGET_BYTES: (u64, u64) = (64, MIB);
/// 0: no body is taken.
const BODY_BYTES: (u64, u64) = (0, GIB);
const CACHE_BYTES: (u64, u64) = (MIB, 1024 * GIB);
/// The most connections that `http.max_connections` may name.
pub(super) const CONNECTIONS_MAX: i64 = 10_000_000;
/// The most shards, and the highest CPU, that `server.cores` may name.
pub(super) const CORES_MAX: usize = 1024;
/// The most links that `database.connections` may name.
pub(super) const LINKS_MAX: i64 = 1000;
/// Rows on one page.
const PAGE_ROWS: (i64, i64) = (1, 1_000_000);
/// Characters of a text: what the largest body could hold.
const LENGTH: (i64, i64) = (0, GIB as i64);
const STATUS: (i64, i64) = (200, 599);

const fn key(name: &'static str, kind: Kind, default: Absent, about: &'static str) -> Key {
    Key { name, kind, default, about, secret: Secret::Kept }
}

/// A key whose value others are told, and how.
const fn told(how: &'static str, key: Key) -> Key {
    Key { secret: Secret::Refused(how), ..key }
}

const IN_SCHEMA: &str =
    "the value becomes part of the database's schema, which everybody who reads that sees";
const IN_ROUTES: &str = "the value is part of a route, which the log and metrics name";
const IN_CHECK: &str = "`check` shows the value";
pub(super) const IN_FAULTS: &str = "faults name the files";
const IN_MESSAGES: &str = "clients read the value in messages";
const IN_REFUSALS: &str = "clients whose values break a rule are told the rule";

const fn reserved(name: &'static str) -> Key {
    key(name, Reserved, Described(""), "not in this version")
}

/// The file as a whole.
pub static ROOT: &[Key] = &[
    key("format", Integer(super::FORMAT, super::FORMAT), Is("1"), "format of this file"),
    told(
        IN_FAULTS,
        key("include", Texts, Is("[]"), "more [tables], [endpoints] and [rate_limits]: [\"api/*.toml\"]"),
    ),
    key("server", Section(SERVER), Described(""), "where and on what it runs"),
    key("http", Section(HTTP), Described(""), "bounds of a request and of a connection"),
    key("log", Section(LOG), Described(""), "what goes to standard error"),
    key("database", Section(DATABASE), Described(""), "where rows live"),
    key("cache", Section(CACHE), Described(""), "what a `cache` further down leaves out"),
    key(
        "rate_limits",
        Named(RATE_LIMIT),
        Described("none"),
        "policies by name, for `rate_limit` of tables and endpoints",
    ),
    key("tables", Named(TABLE), Described("none"), "tables by name"),
    key("endpoints", Named(ENDPOINT), Described("none"), "endpoints by name"),
    reserved("auth"),
    reserved("redis"),
    reserved("cors"),
    reserved("tls"),
    reserved("static"),
    reserved("jobs"),
    reserved("databases"),
];

/// `[server]`.
pub static SERVER: &[Key] = &[
    key("listen", TextOrTexts, Is("127.0.0.1:5000"), "address and port, or a list of them"),
    key("admin", Text, Is("127.0.0.1:5001"), "loopback address and port, or unix:PATH; never public"),
    key("cores", Other("\"all\", a count, or CPUs as in \"0-3,8\""), Is("all"), "CPUs or number of shards"),
    key("data", Text, Is("data"), "folder of the embedded database"),
    key("trusted_proxies", Texts, Is("[]"), "networks whose X-Forwarded-For is believed"),
    told(
        IN_ROUTES,
        key("metrics_path", Text, Is("\"\""), "where metrics are public; \"\": on the admin listener alone"),
    ),
    key("drain_delay", DELAY, Is("0s"), "after SIGTERM: how long connections are still accepted"),
    key("drain_timeout", DELAY, Is("30s"), "how long requests in flight have to finish"),
];

/// `[http]`.
pub static HTTP: &[Key] = &[
    key("max_head", Size(HEAD_BYTES.0, HEAD_BYTES.1), Is("16KiB"), "beyond it 431"),
    key("max_fields", Integer(FIELDS.0, FIELDS.1), Is("100"), "beyond it 431"),
    key("max_target", Size(TARGET_BYTES.0, TARGET_BYTES.1), Is("8KiB"), "beyond it 414"),
    key("max_body", Size(BODY_BYTES.0, BODY_BYTES.1), Is("1MiB"), "beyond it 413"),
    key("head_timeout", WIRE_TIMEOUT, Is("10s"), "for the whole head; then 408"),
    key("body_timeout", WIRE_TIMEOUT, Is("30s"), "for the whole body; then 408"),
    key(
        "request_timeout",
        WIRE_TIMEOUT,
        Is("30s"),
        "from the end of a request to its answer; then 503 or 504",
    ),
    key(
        "idle_timeout",
        Kind::Duration(Duration::from_millis(1), DAY),
        Is("75s"),
        "between requests; then close",
    ),
    key("max_requests", Integer(0, i64::MAX), Is("0"), "on one connection; 0 is no bound"),
    key(
        "max_connections",
        Other("\"auto\" or a number"),
        Is("auto"),
        "\"auto\": half of the descriptor limit",
    ),
];

/// `[log]`.
pub static LOG: &[Key] = &[
    key("level", Choice(&["error", "warn", "info", "debug"]), Is("info"), "least weight of a line"),
    key("format", Choice(&["json", "text"]), Is("json"), "form of a line"),
    key(
        "slow_request",
        DurationOrOff(Duration::ZERO, DAY),
        Is("500ms"),
        "requests logged as slow; \"\" for off",
    ),
    key(
        "access",
        Choice(&["off", "errors", "sample", "all"]),
        Is("off"),
        "requests logged; sample: 1 in 1000",
    ),
];

/// `[database]`.
pub static DATABASE: &[Key] = &[
    key("url", Text, Is("sqlite:ringmill.db"), "sqlite:FILE, relative to `data`"),
    key("password", Text, Is("\"\""), "instead of one in the url"),
    key("replicas", Other("a list of tables"), Is("[]"), "not in this version"),
    key("connections", Other("\"cores\" or a number"), Is("cores"), "to each server"),
    key("connect_timeout", WIRE_TIMEOUT, Is("5s"), "for a link to be made"),
    key("wait_timeout", WIRE_TIMEOUT, Is("1s"), "in the queue for a link; then 503"),
    key("max_lifetime", Kind::Duration(Duration::from_secs(1), YEAR), Is("1h"), "of a link, with jitter"),
    key("statement_timeout", WIRE_TIMEOUT, Is("5s"), "then 503; a write rolls back"),
    key("read", Choice(READ), Is("replica"), "which server is read from"),
    key("create_missing", Boolean, Is("true"), "at start: make tables that do not exist, with their indexes"),
    key("start_timeout", DELAY, Is("30s"), "how long a primary that is away is waited for"),
    reserved("shards"),
];

const READ: &[&str] = &["replica", "primary"];

const TTL: Key = key("ttl", AGE, Is("1h"), "how long an answer is fresh");
const STALE_WHILE_REVALIDATE: Key =
    key("stale_while_revalidate", AGE, Is("30s"), "after ttl: served while it is filled anew");
const STALE_IF_ERROR: Key =
    key("stale_if_error", AGE, Is("10m"), "after ttl: served while the database is away");
const NEGATIVE_TTL: Key = key("negative_ttl", AGE, Is("5s"), "how long a 404 is kept");
const BROWSER_TTL: Key = key("browser_ttl", AGE, Is("0s"), "max-age; 0s: no-cache");
const CDN_TTL: Key = key("cdn_ttl", AGE, Is("0s"), "public, s-maxage; 0s: none");

/// `[cache]`.
pub static CACHE: &[Key] = &[
    key("memory", Size(CACHE_BYTES.0, CACHE_BYTES.1), Is("256MiB"), "of the host"),
    TTL,
    STALE_WHILE_REVALIDATE,
    STALE_IF_ERROR,
    NEGATIVE_TTL,
    BROWSER_TTL,
    CDN_TTL,
];

/// `cache` of a table or an endpoint; what is left out comes from `[cache]`.
pub static CACHE_RULE: &[Key] = &[
    inherited(TTL),
    inherited(STALE_WHILE_REVALIDATE),
    inherited(STALE_IF_ERROR),
    inherited(NEGATIVE_TTL),
    inherited(BROWSER_TTL),
    inherited(CDN_TTL),
];

const fn inherited(key: Key) -> Key {
    Key { default: Described("as in [cache]"), ..key }
}

/// `[rate_limits.NAME]`.
pub static RATE_LIMIT: &[Key] = &[
    key(
        "algorithm",
        Choice(&["fixed_window", "sliding_window", "token_bucket"]),
        Described("must be given"),
        "how requests are counted",
    ),
    key("rate", Other("a rate: 10/s, 100/min, 1000/h"), Described("must be given"), "requests per unit"),
    key(
        "burst",
        Integer(1, u32::MAX as i64),
        Described("the count of `rate`"),
        "token_bucket only: tokens at most",
    ),
    key(
        "by",
        TextOrTexts,
        Is("[\"header:X-API-Key\", \"ip\"]"),
        "the first that is present names the caller",
    ),
    key("tiers", OtherOrSection("a list of tables", TIER), Is("[]"), "callers with a rate of their own"),
];

/// One of `tiers`.
pub static TIER: &[Key] = &[
    key("caller", Text, Described("must be given"), "the exact value that names the caller"),
    key("rate", Other("\"unlimited\" or a rate"), Described("must be given"), "this caller's rate"),
];

/// `[tables.NAME]`.
pub static TABLE: &[Key] = &[
    told(IN_SCHEMA, key("table", Text, Described("the name"), "name in the database")),
    told(
        IN_MESSAGES,
        key("noun", Text, Described("the name, singular and with a capital"), "one row, in messages"),
    ),
    told(IN_ROUTES, key("list", Text, Described("no such routes"), "path of GET (many) and POST")),
    told(
        IN_ROUTES,
        key(
            "item",
            Text,
            Described("no such routes"),
            "path of GET, PUT, PATCH and DELETE; names the key columns",
        ),
    ),
    told(IN_SCHEMA, key("key", TextOrTexts, Is("id"), "column or columns that name a row")),
    told(
        IN_SCHEMA,
        key("shard_by", Text, Described("the key"), "looked at only when there are database shards"),
    ),
    told(IN_CHECK, key("order", TextOrTexts, Described("the key"), "order of lists: \"created_at.desc\"")),
    key("filter", Texts, Is("[]"), "not in this version"),
    key("page", Section(PAGE), Described(""), "bounds of a page"),
    key(
        "access",
        OtherOrSection("\"public\", or a table by operation", ACCESS),
        Is("public"),
        "what there is; an operation that a table does not name does not exist",
    ),
    told(
        IN_CHECK,
        key(
            "rate_limit",
            OtherOrSection("a policy, a list, or a table by operation", POLICIES),
            Described("none"),
            "policies that apply",
        ),
    ),
    key(
        "cache",
        OtherOrSection("true, false or a table", CACHE_RULE),
        Is("false"),
        "how long answers are kept",
    ),
    key("read", Choice(READ), Described("database.read"), "which server is read from"),
    told(
        IN_SCHEMA,
        key(
            "indexes",
            OtherOrSection("a list of lists of columns, or of tables", INDEX),
            Is("[]"),
            "indexes beside those of keys and unique columns",
        ),
    ),
    told(
        IN_SCHEMA,
        key(
            "columns",
            Named(COLUMN),
            Described("must be given"),
            "columns by name, in the order of answers; `name = \"text\"` is short for `name = { type = \"text\" }`",
        ),
    ),
    key("replies", Section(REPLIES), Described("made from name and noun"), "bodies of answers"),
];

/// `page`.
pub static PAGE: &[Key] = &[
    key("default", Integer(PAGE_ROWS.0, PAGE_ROWS.1), Is("20"), "rows when `per_page` is not given"),
    key("max", Integer(PAGE_ROWS.0, PAGE_ROWS.1), Is("100"), "rows at most"),
    key("total", Choice(&["exact", "none"]), Is("exact"), "whether rows are counted"),
];

/// One of `indexes`, in its long form.
pub static INDEX: &[Key] = &[
    key("columns", Texts, Described("must be given"), "columns in order"),
    key("where", Text, Described("all rows"), "condition of a partial index, SQL"),
    key("unique", Boolean, Described("false"), "no two rows may agree in them"),
];

const TYPE: Key = key("type", Text, Described("must be given"), "one of the types below");
const REQUIRED: Key = key("required", Boolean, Described("false"), "must be given and not null");
const MIN_LENGTH: Key =
    key("min_length", Integer(LENGTH.0, LENGTH.1), Described("none"), "text only, in characters");
const MAX_LENGTH: Key =
    key("max_length", Integer(LENGTH.0, LENGTH.1), Described("none"), "text only, in characters");
const FORMAT: Key = key("format", Choice(&["email"]), Described("none"), "text only");
const MINIMUM: Key = key("minimum", Other("a number"), Described("none"), "numbers only, inclusive");
const MAXIMUM: Key = key("maximum", Other("a number"), Described("none"), "numbers only, inclusive");
const ENUM: Key = key("enum", Other("a list of values"), Described("none"), "the values that are allowed");
const DEFAULT: Key = key("default", Other("a value"), Described("null"), "when it is left out");

/// One of `columns`.
pub static COLUMN: &[Key] = &[
    TYPE,
    REQUIRED,
    MIN_LENGTH,
    MAX_LENGTH,
    FORMAT,
    MINIMUM,
    MAXIMUM,
    ENUM,
    DEFAULT,
    key("unique", Boolean, Described("false"), "no two rows may agree in it"),
    key("hidden", Boolean, Described("false"), "may be written, is never returned"),
    key("read_only", Boolean, Described("false"), "is returned, may not be written by callers"),
    key(
        "generated",
        Choice(&["identity", "uuid", "on_create", "on_write"]),
        Described("none"),
        "callers leave it out: the next number, a random UUID, the time of creation or of the last write",
    ),
    key(
        "references",
        Text,
        Described("none"),
        "\"table.column\", a key or unique, that must hold the value; references of several columns are not in this version",
    ),
    key(
        "on_delete",
        Choice(&["no_action", "restrict", "cascade", "set_null"]),
        Described("no_action"),
        "what becomes of this row when the other one goes",
    ),
];

/// One of `params`, written out.
pub static PARAMETER: &[Key] = &[
    TYPE,
    key("required", Boolean, Described("true, unless there is a default"), "must be given and not null"),
    MIN_LENGTH,
    MAX_LENGTH,
    FORMAT,
    MINIMUM,
    MAXIMUM,
    ENUM,
    DEFAULT,
    key(
        "clamp",
        Boolean,
        Described("false"),
        "numbers with bounds: beyond one counts as that bound, and a query's that is no number as left out",
    ),
];

const TEMPLATE: Kind = Other("JSON with places such as \"@row\"");

/// `replies` of a table.
pub static REPLIES: &[Key] = &[
    key("list", TEMPLATE, Described("{ NAME = \"@rows\", total, page, per_page }"), "200 to GET of the list"),
    key("get", TEMPLATE, Described("\"@row\""), "200 to GET of the item"),
    key("create", TEMPLATE, Described("\"@row\""), "201 to POST"),
    key("update", TEMPLATE, Described("{ message = \"Updated\" }"), "200 to PUT and PATCH"),
    key("delete", TEMPLATE, Described("{ message = \"NOUN deleted\" }"), "200 to DELETE"),
    key("not_found", TEMPLATE, Described("{ error = \"NOUN not found\" }"), "404"),
    key(
        "missing",
        TEMPLATE,
        Described("{ error = \"Missing required fields\", errors }"),
        "400, a field is missing",
    ),
    key("invalid", TEMPLATE, Described("{ error = \"Validation failed\", errors }"), "400, a field is wrong"),
    key("conflict", TEMPLATE, Described("{ error = \"Failed to create NOUN\", errors }"), "409"),
];

/// `[endpoints.NAME]`.
pub static ENDPOINT: &[Key] = &[
    told(IN_ROUTES, key("path", Text, Described("must be given"), "path of the route")),
    told(IN_ROUTES, key("methods", Texts, Is("[\"GET\"]"), "methods of the route")),
    key("sql", Text, Described("none"), "one statement; $name is a parameter, always bound"),
    key("sql_file", Text, Described("none"), "file that holds it"),
    key("json", Other("a value"), Described("none"), "a constant answer"),
    key("echo", Boolean, Described("false"), "answers with the request"),
    told(
        IN_REFUSALS,
        key(
            "params",
            OtherOrSection("a table by name: \"table.column\", or a table of rules", PARAMETER),
            Described("none"),
            "parameters, with the rules of that column or their own; one of a column is required unless that has a default, \
             also where it may be null (else write it out, with `required = false`); those of the path are text if they are \
             left out",
        ),
    ),
    key(
        "shape",
        Choice(&["rows", "row", "value"]),
        Described("rows"),
        "all rows; the first, or 404; the first cell of the first, or 404",
    ),
    key("status", Integer(STATUS.0, STATUS.1), Described("200"), "status of the answer when all went well"),
    key("reply", TEMPLATE, Described("the shape itself"), "body of the answer"),
    told(IN_CHECK, key("reads", Texts, Described("asked of the database"), "what it reads: \"users/{id}\"")),
    told(
        IN_CHECK,
        key("writes", Texts, Described("asked of the database"), "what it writes: \"users/{id}\""),
    ),
    told(
        IN_CHECK,
        key(
            "columns",
            Other("a table of types"),
            Described("what the database says"),
            "types of computed columns: { n = \"integer\" }",
        ),
    ),
    key("access", Other("\"public\""), Is("public"), "who may call it"),
    told(IN_CHECK, key("rate_limit", TextOrTexts, Described("none"), "policies that apply")),
    key(
        "cache",
        OtherOrSection("true, false or a table", CACHE_RULE),
        Is("false"),
        "how long answers are kept",
    ),
    key("read", Choice(READ), Described("database.read"), "which server is read from"),
    key("timeout", WIRE_TIMEOUT, Described("database.statement_timeout"), "then 503; a write rolls back"),
    told(
        IN_CHECK,
        key("order", TextOrTexts, Described("none"), "how rows of several database shards are merged"),
    ),
];

/// `access` of a table, by operation.
pub static ACCESS: &[Key] = &operations(Choice(&["public"]), "does not exist");

/// `rate_limit` of a table, by operation.
pub static POLICIES: &[Key] = &operations(TextOrTexts, "none");

const fn operations(kind: Kind, default: &'static str) -> [Key; 5] {
    [
        key("list", kind, Described(default), "GET of the list"),
        key("get", kind, Described(default), "GET of one row"),
        key("create", kind, Described(default), "POST"),
        key("update", kind, Described(default), "PUT and PATCH"),
        key("delete", kind, Described(default), "DELETE"),
    ]
}
