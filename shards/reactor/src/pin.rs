//! Which CPUs there are for shards, and binding a thread to one.

/// The CPUs that the process may run on, in ascending order.
pub fn available_cpus() -> Vec<usize> {
    let mut cpus: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    cpus
}

/// Binds the calling thread to a CPU; false if that is not allowed.
pub fn pin_to(cpu: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu })
}
