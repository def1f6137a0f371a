//! How the program is linked: for less memory, nothing else depends on it.
//!
//! Only where it is built for the machine that builds it, with GNU's C library and the compiler's
//! own choice of linker; others may not know these options.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts through the environment"
)]

use std::env;
use std::process::Command;

/// The first version of the C library that knows packed relocations.
const PACKED_SINCE: (u32, u32) = (2, 36);
/// As seen from the root of the checkout, where cargo runs compiler and linker; a full path would
/// be remembered after the checkout was moved.
const SELDOM: &str = "build/seldom.ld";

fn main() {
    println!("cargo:rerun-if-changed=build");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    let is_native = env::var("HOST") == env::var("TARGET");
    let is_gnu_linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !is_native || !is_gnu_linux || has_linker_of_its_own() {
        return;
    }
    // A program holds some thirty thousand pointers that are moved when it starts, listed in 24
    // bytes each, and the list stays in memory. The packed form takes a fiftieth.
    if glibc().is_some_and(|glibc| glibc >= PACKED_SINCE) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{SELDOM}");
}

fn has_linker_of_its_own() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    flags.contains("fuse-ld") || flags.contains("linker") || env::var("RUSTC_LINKER").is_ok()
}

/// The version that `getconf` tells: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
