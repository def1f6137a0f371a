//! The pure rooms stay pure: no reactor, no client, no disk, no clock in what they import.

use std::fs;
use std::path::{Path, PathBuf};

const PURE: &[&str] = &[
    "catalogue",
    "command",
    "compat",
    "decode",
    "discovery",
    "logbook",
    "logbook.rs",
    "model",
    "outbox.rs",
    "policy",
    "sim/life.rs",
    "sim/life",
    "sim/motion.rs",
    "sim/plan.rs",
    "sim/view.rs",
    "topics.rs",
];

const EDGES: &[&str] = &[
    "tokio",
    "reqwest",
    "rumqttc",
    "axum",
    "std::fs",
    "std::net",
    "std::env",
    "crate::clock",
    "crate::durable",
    "crate::api",
];

#[test]
fn no_pure_room_imports_an_edge() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut n_files = 0;
    let mut found = Vec::new();
    for room in PURE {
        for file in rust_files(&source.join(room)) {
            n_files += 1;
            let text = fs::read_to_string(&file).expect("a source file");
            // Unit tests may look at files; the room itself ends where they begin.
            let room_itself = text.split("#[cfg(test)]").next().unwrap_or(&text);
            for line in room_itself
                .lines()
                .filter(|line| line.trim_start().starts_with("use "))
            {
                for edge in EDGES.iter().filter(|edge| line.contains(*edge)) {
                    found.push(format!("{}: {edge}", file.display()));
                }
            }
        }
    }
    assert!(n_files > 30, "only {n_files} files: has a room moved?");
    assert_eq!(found, Vec::<String>::new());
}

/// The files of a room; test modules in files of their own are not part of it.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "tests"))
        .flat_map(|path| {
            if path.is_dir() {
                rust_files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
