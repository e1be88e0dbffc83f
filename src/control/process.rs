//! What the system says of this process: CPU, memory, descriptors.

use std::time::Instant;

/// Figures of the process, read from /proc.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// User and system time, seconds.
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) open_descriptors: u64,
    pub(super) descriptors_max: u64,
    pub(super) threads: u64,
}

/// Reads them now; what cannot be read is 0.
pub(super) fn read() -> Process {
    let mut process = Process::default();
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat")
        && let Some((_, rest)) = stat.rsplit_once(')')
    {
        // proc(5): fields from the third, "state", on.
        let field = |number: usize| -> u64 {
            rest.split_whitespace().nth(number - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        process.cpu_seconds = (field(14) + field(15)) as f64 / CLOCK_TICKS_PER_SECOND;
        process.threads = field(20);
        process.virtual_bytes = field(23);
        process.resident_bytes = field(24) * PAGE_BYTES;
    }
    process.open_descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    process.descriptors_max = super::host::descriptor_limit();
    process
}

/// USER_HZ: 100 on every Linux that Ringmill runs on.
const CLOCK_TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: u64 = 4096;

/// The share of the shards' CPUs that the process used, between two looks.
#[derive(Debug)]
pub(super) struct CpuUsage {
    cpus: f64,
    last: (Instant, f64),
    percent: f64,
}

impl CpuUsage {
    /// Of `cpus` CPUs.
    pub(super) fn new(cpus: usize) -> CpuUsage {
        CpuUsage { cpus: cpus.max(1) as f64, last: (Instant::now(), read().cpu_seconds), percent: 0.0 }
    }

    /// Looks again; called about once a second.
    pub(super) fn look(&mut self) {
        let (now, used) = (Instant::now(), read().cpu_seconds);
        let seconds = now.duration_since(self.last.0).as_secs_f64();
        if seconds > 0.0 {
            self.percent = (used - self.last.1) / seconds / self.cpus * 100.0;
        }
        self.last = (now, used);
    }

    /// Of the last second or so; 100 is all of them.
    pub(super) fn percent(&self) -> f64 {
        self.percent
    }
}
