//! How the program is linked: for less memory, nothing else depends on it.
//!
//! Only where it is built for the machine that builds it, with GNU's C library. Linkers differ in
//! what they understand and any may be configured, so each wish is first tried on an empty program
//! with the very compiler, flags and linker of the build.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts through the environment"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The first version of the C library that knows packed relocations.
const PACKED_SINCE: (u32, u32) = (2, 36);

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build");
    let target = env::var("TARGET").unwrap_or_default();
    let linker_of_target = target.to_uppercase().replace(['-', '.'], "_");
    for name in [
        "RUSTC_LINKER",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        &format!("CARGO_TARGET_{linker_of_target}_LINKER"),
        &format!("CARGO_TARGET_{linker_of_target}_RUSTFLAGS"),
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    let is_gnu_linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return Ok(());
    };
    if !is("HOST", &target) || !is_gnu_linux {
        return Ok(());
    }
    // A program holds some thirty thousand pointers that are moved when it starts, listed in 24
    // bytes each, and the list stays in memory. The packed form takes a fiftieth.
    if glibc().is_some_and(|glibc| glibc >= PACKED_SINCE) {
        wish(&out, "-Wl,-z,pack-relative-relocs")?;
    }
    // Named where cargo keeps what this script makes: it is the one full path that cargo sets
    // right when the checkout or its target directory is moved, and a relative one would depend on
    // where the workspace begins.
    let seldom = out.join("seldom.ld");
    fs::copy("build/seldom.ld", &seldom)?;
    wish(&out, &format!("-Wl,-T,{}", seldom.display()))
}

/// Asks for the flag if an empty program can be linked with it, and runs.
fn wish(out: &Path, flag: &str) -> io::Result<()> {
    let (source, program) = (out.join("empty.rs"), out.join("empty"));
    fs::write(&source, "fn main() {}\n")?;
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.current_dir(out).arg("-o").arg(&program).arg(&source);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg("--cap-lints=allow");
    rustc.arg(format!("-Clink-arg={flag}"));
    let succeeds = |command: &mut Command| command.output().is_ok_and(|o| o.status.success());
    if succeeds(&mut rustc) && succeeds(Command::new(&program).current_dir(out)) {
        println!("cargo:rustc-link-arg-bins={flag}");
    }
    Ok(())
}

/// The version that `getconf` tells: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
