//! One provider of cryptography for the whole process: aws-lc-rs, because Tesla's vehicle
//! certificates use a curve that the usual alternative refuses.

/// Makes aws-lc-rs the process's provider. Call it first in `main` and in every test that builds
/// a client or a server; calling it again does nothing.
pub fn install_provider() {
    let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
