//! The plan: what the file, the environment and the flags come to. Validated, immutable, read by every shard. Names that
//! refer to something (a policy, a column) are indices here.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The whole plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it stems from.
    pub source: Source,
    pub server: Server,
    pub http: Http,
    pub log: Log,
    pub database: Database,
    pub cache: CacheDefaults,
    /// In the file's order.
    pub rate_limits: Vec<RateLimit>,
    /// In the file's order.
    pub tables: Vec<Table>,
    /// In the file's order.
    pub endpoints: Vec<Endpoint>,
    /// The effective file with secrets as `***`, as JSON: what the admin listener's `/config` shows.
    pub shown: serde_json::Value,
    /// Where each key was written.
    pub places: super::Places,
    /// What is worth knowing of the file and its surroundings and hinders nothing.
    pub notes: Vec<super::Fault>,
}

impl Plan {
    /// A sentence for the log about keys that are declared and do nothing in this version; `None` if there are none.
    pub fn no_effect_yet(&self) -> Option<String> {
        let mut places = Vec::new();
        let tables = self.tables.iter().map(|table| {
            let limits = &table.rate_limit;
            let all = [&limits.list, &limits.get, &limits.create, &limits.update, &limits.delete];
            ("tables", &table.name, all.iter().any(|policies| !policies.is_empty()))
        });
        let endpoints = self
            .endpoints
            .iter()
            .map(|endpoint| ("endpoints", &endpoint.name, !endpoint.rate_limit.is_empty()));
        for (section, name, has_limits) in tables.chain(endpoints) {
            if has_limits {
                places.push(format!("{section}.{name}"));
            }
        }
        let places = Some(places.join(", ")).filter(|places| !places.is_empty())?;
        Some(format!("rate_limit has no effect in this version: {places}"))
    }
}

/// Where a plan stems from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file compiled into the binary.
    BuiltIn,
    /// A file on disk, as it was named.
    File(PathBuf),
}

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    pub listen: Vec<SocketAddr>,
    pub admin: AdminAddress,
    pub cores: Cores,
    /// Joined to the folder of the file (of the shell, if a flag or variable says it): absolute if
    /// [`Inputs::working_directory`](super::Inputs::working_directory) is.
    pub data: PathBuf,
    pub trusted_proxies: Vec<Network>,
    /// `None`: only on the admin listener.
    pub metrics_path: Option<String>,
    pub drain_delay: Duration,
    pub drain_timeout: Duration,
}

/// Where the admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A Unix socket (`unix:/run/ringmill.sock`).
    Unix(PathBuf),
}

/// `server.cores`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cores {
    /// As many as affinity and cgroup quota leave.
    All,
    /// So many shards; beyond the CPUs, shards share them.
    Count(usize),
    /// One shard on each of these CPUs.
    List(Vec<usize>),
}

/// An address and how many leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub prefix_bits: u8,
}

/// `[http]`: bounds of a request and of a connection.
#[derive(Clone, Debug)]
pub struct Http {
    pub max_head_bytes: usize,
    pub max_fields: usize,
    pub max_target_bytes: usize,
    pub max_body_bytes: usize,
    pub head_timeout: Duration,
    pub body_timeout: Duration,
    pub request_timeout: Duration,
    pub idle_timeout: Duration,
    /// `None`: no bound.
    pub max_requests: Option<u64>,
    /// `None`: "auto", half of the descriptor limit.
    pub max_connections: Option<usize>,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    pub level: Level,
    pub format: LogFormat,
    /// `None`: off.
    pub slow_request: Option<Duration>,
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// Which requests get an access-log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Off,
    /// Status 400 and above.
    Errors,
    /// 1 in 1000.
    Sample,
    All,
}

/// `[database]`.
#[derive(Clone, Debug)]
pub struct Database {
    /// The file of the embedded database, already joined to `server.data` unless the url has an absolute one.
    pub sqlite: PathBuf,
    pub wait_timeout: Duration,
    pub statement_timeout: Duration,
    pub create_missing: bool,
    pub start_timeout: Duration,
}

/// `[cache]`: what a `cache` further down leaves out.
#[derive(Clone, Debug)]
pub struct CacheDefaults {
    pub memory_bytes: u64,
    pub rule: CacheRule,
}

/// How long answers live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRule {
    pub ttl: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub negative_ttl: Duration,
    pub browser_ttl: Duration,
    pub cdn_ttl: Duration,
}

/// `[rate_limits.NAME]`.
#[derive(Clone, Debug)]
pub struct RateLimit {
    pub name: String,
    pub algorithm: Algorithm,
    pub rate: Rate,
    /// Token bucket only.
    pub burst: u64,
    pub by: Vec<Caller>,
    /// Callers (exact values) with a rate of their own.
    pub tiers: Vec<(String, Option<Rate>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

/// So many per so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u64,
    /// 1 s, 1 min, 1 h or 1 day.
    pub per: Duration,
}

/// What names a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A field of the request, its name in lower case.
    Header(String),
    Ip,
}

/// Index into [`Plan::rate_limits`].
pub type PolicyIndex = usize;
/// Index into [`Table::columns`].
pub type ColumnIndex = usize;

/// `[tables.NAME]`.
#[derive(Clone, Debug)]
pub struct Table {
    /// The key in the file.
    pub name: String,
    /// The name in the database.
    pub sql_name: String,
    pub noun: String,
    /// Path of the collection, as written.
    pub list: Option<String>,
    /// Path of one row; its `{parameters}` name the key columns.
    pub item: Option<String>,
    pub key: Vec<ColumnIndex>,
    pub order: Vec<Order>,
    pub page: Page,
    /// Which operations exist; all but the named ones are absent.
    pub access: Operations<bool>,
    /// Policies of each operation, in order.
    pub rate_limit: Operations<Vec<PolicyIndex>>,
    pub cache: Option<CacheRule>,
    pub indexes: Vec<Index>,
    /// In the file's order.
    pub columns: Vec<Column>,
    pub replies: Replies,
}

/// One value for each operation of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations<T> {
    pub list: T,
    pub get: T,
    pub create: T,
    /// PUT and PATCH.
    pub update: T,
    pub delete: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub column: ColumnIndex,
    pub direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// `page`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub default: u32,
    pub max: u32,
    pub total: Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    Exact,
    None,
}

/// One of `indexes`.
#[derive(Clone, Debug)]
pub struct Index {
    pub columns: Vec<ColumnIndex>,
    pub unique: bool,
    /// A partial index's condition, SQL.
    pub condition: Option<String>,
}

/// One of `columns`.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub rules: Rules,
    pub unique: bool,
    /// May be written, is never returned.
    pub hidden: bool,
    pub read_only: bool,
    pub generated: Option<Generated>,
    pub references: Option<Reference>,
}

/// Type and rules: of a column, or of a parameter of an endpoint.
#[derive(Clone, Debug)]
pub struct Rules {
    pub kind: Type,
    pub required: bool,
    /// In characters (Unicode scalar values).
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub format: Option<Format>,
    pub minimum: Option<Bound>,
    pub maximum: Option<Bound>,
    /// Allowed values, as JSON that a request would bring, but that a numeric is the string of its digits.
    pub choices: Option<Vec<serde_json::Value>>,
    /// As JSON, in the form of `choices`.
    pub default: Option<serde_json::Value>,
}

/// A bound of a number, exact: the digits as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    Integer(i64),
    Real(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    SmallInt,
    Integer,
    BigInt,
    Real,
    Double,
    Numeric,
    Text,
    Boolean,
    Timestamp,
    Date,
    Uuid,
    Json,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The HTML standard's production for a valid e-mail address.
    Email,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    Identity,
    Uuid,
    OnCreate,
    OnWrite,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Index into [`Plan::tables`].
    pub table: usize,
    pub column: ColumnIndex,
    pub on_delete: OnDelete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The default: refused while rows refer to it.
    NoAction,
    Restrict,
    Cascade,
    SetNull,
}

/// `replies` of a table.
#[derive(Clone, Debug)]
pub struct Replies {
    pub list: Template,
    pub get: Template,
    pub create: Template,
    pub update: Template,
    pub delete: Template,
    pub not_found: Template,
    pub missing: Template,
    pub invalid: Template,
    pub conflict: Template,
}

/// A JSON document with places to fill.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// `@row`
    Row,
    /// `@row.COLUMN`
    RowColumn(String),
    /// `@params.NAME`: a parameter of an endpoint, as the statement got it.
    Parameter(String),
    /// `@rows`
    Rows,
    /// `@total`
    Total,
    /// `@count`: rows in this answer.
    Count,
    /// `@page`
    Page,
    /// `@per_page`
    PerPage,
    /// `@errors`
    Errors,
    /// Anything that is no object, array or place.
    Literal(serde_json::Value),
    /// In the file's order.
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
}

/// `[endpoints.NAME]`.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub name: String,
    pub path: String,
    /// Upper case, in the file's order.
    pub methods: Vec<String>,
    pub kind: EndpointKind,
    pub cache: Option<CacheRule>,
    pub rate_limit: Vec<PolicyIndex>,
}

// There are as many as the file has endpoints: an indirection would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum EndpointKind {
    Sql(SqlEndpoint),
    /// A constant, compact JSON in the file's order.
    Json(String),
    Echo,
}

/// An endpoint made of SQL.
#[derive(Clone, Debug)]
pub struct SqlEndpoint {
    /// With `$name` parameters, as written.
    pub sql: String,
    /// `None`: it stands in the file itself.
    pub file: Option<SqlFile>,
    pub parameters: Vec<Parameter>,
    pub shape: Shape,
    /// `None`: the shape's default, 200.
    pub status: Option<u16>,
    /// `None`: the shape itself.
    pub reply: Option<Template>,
    /// Tags as written; `None`: asked of the database.
    pub reads: Option<Vec<String>>,
    pub writes: Option<Vec<String>>,
    /// Types of computed columns.
    pub columns: Vec<(String, Type)>,
    /// `None`: `statement_timeout`.
    pub timeout: Option<Duration>,
    pub order: Vec<String>,
}

/// Where a statement of `sql_file` stands.
#[derive(Clone, Debug)]
pub struct SqlFile {
    /// As faults name it.
    pub name: String,
    /// Where the statement begins, counted from 1.
    pub line: usize,
}

#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub rules: Rules,
    /// A number beyond a bound counts as that bound.
    pub clamp: bool,
    /// Its column, if it has the rules of one: indices into the plan's tables and that table's columns.
    pub column: Option<(usize, ColumnIndex)>,
    /// The table whose key has its column; an index into the plan's tables.
    pub key_of: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Rows,
    Row,
    Value,
}
