//! From the file, the environment and the flags to the plan.

pub mod plan;
