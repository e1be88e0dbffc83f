//! HTTP connections on the reactor.
