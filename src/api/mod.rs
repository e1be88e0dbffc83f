//! What is served.
