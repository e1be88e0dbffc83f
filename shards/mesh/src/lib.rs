//! The one crate in which cores meet.
