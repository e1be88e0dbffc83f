//! `ringmill serve`: from the plan to running shards, and from a signal to the end.

use super::database::{compile_api, prepare_database};
use super::{Configuration, Failure, plan_to_serve};
use crate::config::plan::Source;
use crate::config::{Flag, Plan};
use crate::control::admin::{AdminListener, remove_socket_file};
use crate::control::log::{self, FINISH_TIMEOUT, emit, line};
use crate::control::{self, Ended, Host, Printer, Running};
use crate::shard::{
    Coherence, Message, Parts, Routes, STORE_LANE_MAX, STORE_UNDER_WAY_MAX, Seed, StoreAnswers, spawn,
};
use ringmill_mesh::{Board, Mesh, Places, Waker};
use ringmill_reactor::{Fd, Listener, SEED_BYTES};
use ringmill_sqlite::{Options, Store};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tokio::sync::Notify;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Where to listen [server.listen, default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The admin listener, on loopback or unix:PATH [server.admin, default: 127.0.0.1:5001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<String>,
    /// Shards: "all", a count, or CPUs such as 0-3,8 [server.cores, default: all]
    #[arg(long, value_name = "CORES")]
    cores: Option<String>,
    /// Folder of the embedded database [server.data, default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

/// Threads of the store that read.
const READERS: usize = 4;

/// Output that one shard's connections may have unsent, and other memory that is bounded, stands in DESIGN's table of
/// bounds; here is what a shard takes at start, bytes.
fn memory_at_start(shards: usize) -> usize {
    use ringmill_reactor::bounds::{RECEIVE_BUFFER_BYTES, RECEIVE_BUFFERS};
    shards * usize::from(RECEIVE_BUFFERS) * RECEIVE_BUFFER_BYTES
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let flags = [
        ("--listen", "server.listen", &arguments.listen),
        ("--admin", "server.admin", &arguments.admin),
        ("--cores", "server.cores", &arguments.cores),
        ("--data", "server.data", &arguments.data),
    ];
    let flags =
        flags.into_iter().filter_map(|(name, key, value)| Some(Flag { name, key, value: value.clone()? }));
    let plan = Arc::new(plan_to_serve(&arguments.configuration, flags.collect())?);
    let host = Host::new(&plan.server.cores)?;
    host.check_descriptors()?;
    log::set_up(plan.log.level, plan.log.format);
    log::log_panics();
    log::start_writer()?;
    // First of all, so that a signal never finds a process that does not listen to it.
    let ground = control::Ground::prepare()?;
    let printer = Printer::start()?;
    let ended = start_and_run(ground, plan, host, printer.clone());
    remove_socket_file();
    if !matches!(ended, Ok(Ended::BeforeReady | Ended::AtOnce | Ended::ShardLost)) {
        printer.finish(FINISH_TIMEOUT);
    }
    match ended? {
        Ended::Drained => Ok(ExitCode::SUCCESS),
        Ended::BeforeReady => {
            log::finish("");
            // Whatever the start is waiting for is not waited for.
            std::process::exit(0)
        }
        // In both cases shards may still turn: nothing of theirs is waited for.
        Ended::AtOnce => {
            log::finish("ringmill: ended without having drained\n");
            std::process::exit(1)
        }
        Ended::ShardLost => {
            log::finish(
                "ringmill: a shard was lost to the panic above, which is a defect: start it again, and report that line\n",
            );
            std::process::exit(1)
        }
    }
}

fn start_and_run(
    mut ground: control::Ground,
    plan: Arc<Plan>,
    host: Host,
    printer: Printer,
) -> Result<Ended, Failure> {
    match ground.while_starting(move || start(plan, host, printer)) {
        Some(running) => Ok(control::run(ground, running?)?),
        None => {
            ground.leave();
            Ok(Ended::BeforeReady)
        }
    }
}

/// Everything until the first request can be served. A fault on the command line is found before anything is written.
fn start(plan: Arc<Plan>, host: Host, printer: Printer) -> Result<Running, Failure> {
    if let Some(sentence) = plan.no_effect_yet() {
        emit(line!(Info, "{sentence}"));
    }
    for note in &plan.notes {
        emit(line!(Warn, "{note}"));
    }
    printer.print(format!("ringmill {} serves {}", env!("CARGO_PKG_VERSION"), source(&plan.source)));

    let shards = host.shard_cpus.len();
    let admin = AdminListener::bind(&plan.server.admin)?;
    let mut public: Vec<Vec<Listener>> = Vec::new();
    for &address in &plan.server.listen {
        public.push(Listener::bind_all(address, shards).map_err(|error| format!("server.listen: {error}"))?);
    }

    let database = &plan.database.sqlite;
    let api = Arc::new(compile_api(&plan)?);
    prepare_database(&plan, database)?;
    let routes = Routes::new(&api, &plan);

    // Endpoints of the mesh: the shards, control, the store's writer and readers.
    let mesh = Mesh::<Message>::new(shards, 1 + 1 + READERS);
    let control = shards;
    let options = Options {
        readers: READERS,
        statement_timeout: plan.database.statement_timeout,
        queue_max: STORE_LANE_MAX * shards,
        // Waiting for another process is waiting for the writer.
        busy_timeout: plan.database.wait_timeout,
        ..Options::new(database)
    };
    let coherence = Coherence { board: Arc::new(Board::new()), seed: cache_seed()? };
    let store = Store::open(options, |thread| {
        // Nothing is ever sent to a store's thread through the mesh.
        let guest = mesh.guest_seat(1 + thread).adopt_guest(Waker::Callback(Box::new(|| ())));
        Box::new(StoreAnswers::new(guest, control, coherence.board.clone()))
    })?;
    let notify = Arc::new(Notify::new());
    let waker = notify.clone();
    let guest = mesh.seat(control).adopt_guest(Waker::Callback(Box::new(move || waker.notify_one())));

    admin.listen()?;
    let mut listening: Vec<Vec<Fd>> = vec![Vec::new(); shards];
    let (mut addresses, mut claims) = (Vec::new(), Vec::new());
    for listeners in public {
        addresses.extend(listeners.first().map(|listener| format!("http://{}", listener.address())));
        claims.extend(listeners.first().and_then(Listener::claim));
        for (shard, listener) in listeners.into_iter().enumerate() {
            listener.listen().map_err(|error| format!("server.listen: {error}"))?;
            listening[shard].push(listener.into_fd());
        }
    }

    let connections_max = connections_max(&plan, &host);
    let places = Arc::new(Places::new(connections_max));
    let (started, starting) = sync_channel(shards);
    let mut threads = Vec::with_capacity(shards);
    for (shard, listeners) in listening.into_iter().enumerate() {
        let seed = Seed {
            parts: Parts {
                shard,
                control,
                api: api.clone(),
                routes: routes.clone(),
                store: store.handle(),
                under_way_max: STORE_UNDER_WAY_MAX,
                coherence: coherence.clone(),
            },
            cpu: host.shard_cpus[shard],
            seat: mesh.seat(shard),
            listeners,
            plan: plan.clone(),
            places: places.clone(),
            random: random_seed()?,
        };
        threads.push(spawn(seed, started.clone())?);
    }
    drop(started);
    for _ in 0..shards {
        starting.recv().map_err(|_| "a shard ended while it started".to_owned())??;
    }

    printer.print(format!("listening on {} (admin on {})", addresses.join(", "), admin.shown()));
    printer.print(format!("{shards} {}", shard_text(&host)));
    printer.print(format!("database sqlite, {}", database.display()));
    let kept = match api.routes().iter().any(|route| route.cached) {
        true => format!(", at most {} MiB of kept answers", plan.cache.memory_bytes / (1024 * 1024)),
        false => String::new(),
    };
    printer.print(format!(
        "memory {} KiB of receive buffers{kept}, at most {connections_max} connections",
        memory_at_start(shards) / 1024
    ));
    Ok(Running { plan, routes, guest, notify, shards: threads, store, admin, claims, printer })
}

fn source(source: &Source) -> String {
    match source {
        Source::BuiltIn => "the built-in API, since there is no ./ringmill.toml and no --config".to_owned(),
        Source::File(path) => path.display().to_string(),
    }
}

fn shard_text(host: &Host) -> String {
    let plural = if host.shard_cpus.len() == 1 { "shard" } else { "shards" };
    let cpus: Vec<_> = host.shard_cpus.iter().flatten().map(usize::to_string).collect();
    if cpus.is_empty() {
        format!("{plural}, sharing the CPUs")
    } else {
        format!("{plural}, on CPU {}", cpus.join(", "))
    }
}

/// Connections of the whole host, unless the file says otherwise by the descriptor limit.
fn connections_max(plan: &Plan, host: &Host) -> usize {
    let auto = usize::try_from(host.connections_auto()).unwrap_or(usize::MAX).clamp(1, CONNECTIONS_AUTO_MAX);
    plan.http.max_connections.unwrap_or(auto)
}

/// What "auto" comes to at most, should there be no descriptor limit.
const CONNECTIONS_AUTO_MAX: usize = 1_000_000;

/// Of the keys and tags of all shards.
fn cache_seed() -> Result<ringmill_cache::Seed, Failure> {
    let bytes: [u8; 32] = random_bytes()?;
    let mut words = [0; 4];
    for (word, part) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = part.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    Ok(ringmill_cache::Seed::new(words))
}

fn random_seed() -> Result<[u8; SEED_BYTES], Failure> {
    random_bytes()
}

fn random_bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(bytes)
}
