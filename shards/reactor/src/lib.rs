//! One core's reactor.
