//! Every quirk of tesla-api.md, section 11, has a test by its number: `fn quirk_N_...`.
//!
//! Not applicable yet, because nothing here does it; the issue that brings it brings its test:
//! - 19, as far as it is about what a driver's access or a disabled mobile access forbids to
//!   command: this bridge commands no car. That both are read is tested.
//! - 24, as far as it is about two ways to two cars of one account: an account has one API and one
//!   region, and signing begins with commands. That each car's need is read is tested.
//! - 26, as far as it is about a stream beside the polls: there is none. That a counter which goes
//!   back does no harm is tested.
//! - 27, as far as it is about comparing versions: nothing depends on which is newer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pretty_assertions::assert_eq;

const N_QUIRKS: u32 = 30;

#[test]
fn every_quirk_has_a_test_by_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in ["src", "crates", "tests/it"] {
        note_quirks(&root.join(folder), &mut found);
    }
    let listed: BTreeSet<u32> = (1..=N_QUIRKS).collect();
    assert_eq!(found, listed);
}

/// The numbers of the tests in all sources of a folder.
fn note_quirks(folder: &Path, found: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            note_quirks(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in source.lines().map(str::trim_start) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if line.starts_with("fn ") || line.starts_with("async fn ") {
                    let name = line.trim_start_matches("async ").strip_prefix("fn quirk_");
                    let number = name.and_then(|name| name.split('_').next()?.parse::<u32>().ok());
                    found.extend(number.filter(|_| is_test));
                    is_test = false;
                }
            }
        }
    }
}
