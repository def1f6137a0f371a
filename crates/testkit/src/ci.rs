//! How the tests bend to what a machine has, in one place: the folder of recorded answers, what
//! happens to a test whose means are missing, how many random cases are tried.
//!
//! A skip is said past the harness, which hides what a passing test prints; to a script it still
//! looks like a pass. The continuous check therefore sets `TESLA2MQTT_CI=1`, and a skip is a failure.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Tells that a test, or a part of it, is not done here; the caller returns.
///
/// # Panics
/// With `TESLA2MQTT_CI` set: the continuous check has everything, or says so.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(
        env::var_os("TESLA2MQTT_CI").is_none_or(|value| value.is_empty()),
        "would be SKIPPED, which TESLA2MQTT_CI forbids: {reason}"
    );
    // The harness hides what a passing test prints, but not what is written like this.
    let _ = writeln!(io::stderr(), "\n!!! SKIPPED: {reason}");
}

/// The folder of recorded answers, whether it is there or not.
pub fn fixtures() -> PathBuf {
    env::var_os("TESLA2MQTT_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    )
}

/// A program of this name that can be started; the places of daemons are not in everybody's PATH.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The random cases of a property that wants a number of its own: `PROPTEST_CASES` raises it.
pub fn cases(own: u32) -> u32 {
    let asked = env::var_os("PROPTEST_CASES").and_then(|text| text.to_str()?.parse().ok());
    own.max(asked.unwrap_or(0))
}
