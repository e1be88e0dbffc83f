//! What the host offers: CPUs within affinity and cgroup quota, descriptors.

use crate::config::plan::Cores;
use ringmill_reactor::available_cpus;

/// What was found.
#[derive(Clone, Debug)]
pub struct Host {
    /// A CPU for each shard, or `None` where shards share them.
    pub shard_cpus: Vec<Option<usize>>,
    /// The soft limit of open descriptors.
    pub descriptors_max: u64,
}

/// Descriptors that the process itself may have open, and those for each shard (measured: 23 and 3), with some to spare.
const DESCRIPTORS_OWN: (u64, u64) = (26, 3);

/// The fewest connections worth starting for.
const CONNECTIONS_MIN: u64 = 16;

impl Host {
    /// "auto" of `http.max_connections`: half of the descriptor limit, as long as the other half is enough for the rest.
    pub fn connections_auto(&self) -> u64 {
        let (process, shard) = DESCRIPTORS_OWN;
        let own = process + shard * self.shard_cpus.len() as u64;
        (self.descriptors_max / 2).min(self.descriptors_max.saturating_sub(own))
    }

    /// `Err` says that too few descriptors may be open, and what to do.
    pub fn check_descriptors(&self) -> Result<(), String> {
        let (process, shard) = DESCRIPTORS_OWN;
        let least = process + shard * self.shard_cpus.len() as u64 + CONNECTIONS_MIN;
        if self.descriptors_max >= least {
            return Ok(());
        }
        Err(format!(
            "{} descriptors may be open, and {} shards need at least {least}: raise the limit (ulimit -n, LimitNOFILE=) or start \
             with fewer --cores",
            self.descriptors_max,
            self.shard_cpus.len()
        ))
    }

    /// Finds a CPU for each shard. `Err` says what is wrong with `server.cores` on this host.
    pub fn new(cores: &Cores) -> Result<Host, String> {
        let cpus = available_cpus();
        let shard_cpus = match cores {
            Cores::All => {
                let count = cpu_quota().map_or(cpus.len(), |quota| quota.min(cpus.len())).max(1);
                cpus.iter().take(count).copied().map(Some).collect()
            }
            Cores::Count(count) if *count <= cpus.len() => {
                cpus.iter().take(*count).copied().map(Some).collect()
            }
            // More shards than CPUs: they share them, as the kernel likes.
            Cores::Count(count) => vec![None; *count],
            Cores::List(list) => {
                if let Some(missing) = list.iter().find(|cpu| !cpus.contains(cpu)) {
                    return Err(format!(
                        "--cores or server.cores names CPU {missing}, which this process may not use: name some of {}, or \
                         write a count",
                        cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
                    ));
                }
                list.iter().copied().map(Some).collect()
            }
        };
        Ok(Host { shard_cpus, descriptors_max: descriptor_limit() })
    }
}

/// The soft limit of open descriptors.
pub(super) fn descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// Whole CPUs that the cgroup (v2) leaves this process, rounded up; `None`: as many as there are.
fn cpu_quota() -> Option<usize> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut folder = std::path::PathBuf::from("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let mut least: Option<usize> = None;
    loop {
        if let Ok(text) = std::fs::read_to_string(folder.join("cpu.max"))
            && let Some(cpus) = parse_cpu_max(&text)
        {
            least = Some(least.map_or(cpus, |least| least.min(cpus)));
        }
        if folder.as_os_str() == "/sys/fs/cgroup" || !folder.pop() {
            return least;
        }
    }
}

/// `cpu.max`: quota and period in microseconds, or `max`.
fn parse_cpu_max(text: &str) -> Option<usize> {
    let mut words = text.split_whitespace();
    let quota: u64 = words.next()?.parse().ok()?;
    let period: u64 = words.next()?.parse().ok()?;
    (period > 0).then(|| (quota.div_ceil(period) as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::parse_cpu_max;

    #[test]
    fn a_quota_is_rounded_up_to_whole_cpus() {
        for (text, expected) in [
            ("max 100000\n", None),
            ("100000 100000\n", Some(1)),
            ("150000 100000\n", Some(2)),
            ("50000 100000\n", Some(1)),
            ("", None),
            ("100000 0", None),
        ] {
            assert_eq!(parse_cpu_max(text), expected, "{text:?}");
        }
    }
}
