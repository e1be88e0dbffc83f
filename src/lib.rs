//! The product: its control plane and what it serves. `main.rs` only calls [`cli`].

mod api;
mod config;
