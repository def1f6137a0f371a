//! The pure rooms stay pure: no reactor, no client, no disk, no clock in what they speak of; and
//! no two rooms need each other.

#[path = "purity/scan.rs"]
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use scan::{Spoken, paths};

const PURE: &[&str] = &[
    "catalogue",
    "command",
    "compat",
    "config",
    "decode",
    "discovery",
    "estimate",
    "logbook",
    "logbook.rs",
    "model",
    "outbox",
    "outbox.rs",
    "policy",
    "sim/body",
    "sim/body.rs",
    "sim/life",
    "sim/life.rs",
    "sim/motion.rs",
    "sim/plan.rs",
    "sim/spec.rs",
    "sim/view.rs",
    "topics.rs",
];

const EDGES: &[&str] = &[
    "axum",
    "getrandom",
    "mqtt5",
    "reqwest",
    "rumqttc",
    "rustls",
    "sd_notify",
    "tokio",
    "tokio_rustls",
    "tokio_util",
    "tracing",
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "jiff::tz::TimeZone::system",
    "crate::api",
    "crate::bridge",
    "crate::broker",
    "crate::chance",
    "crate::cli",
    "crate::clock",
    "crate::config::load_from_disk",
    "crate::durable",
    "crate::log",
    "crate::mqtt",
    "crate::service",
    "crate::sim::cloud",
];

/// What a pure room may do all the same: file, edge, reason.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("config/disk.rs", "std::env", "the room's edge: environment and credentials become a map"),
    ("config/disk.rs", "std::fs", "the room's edge: files become bytes with a mode"),
    ("config/disk.rs", "std::os", "the room's edge: the mode of a file"),
    ("config/reader.rs", "rustls", "its PEM parser, on bytes that were read before"),
    ("config/sections.rs", "crate::log", "the section [log] becomes the log's own settings; a word, is it a level?"),
    ("config/settings.rs", "crate::log", "the log's own settings are a part of all"),
    ("estimate/mod.rs", "std::thread", "plays several lives side by side, each of them pure, and waits for all"),
];

/// A source file: its place in `src`, and what it speaks of outside tests.
struct File {
    name: String,
    room: String,
    spoken: Vec<Spoken>,
}

#[test]
fn no_pure_room_speaks_of_an_edge() {
    let files = files();
    let is_in =
        |file: &File, room: &str| file.name == room || file.name.starts_with(&format!("{room}/"));
    for room in PURE {
        assert!(files.iter().any(|file| is_in(file, room)), "no {room}");
    }
    let is_pure = |file: &&File| PURE.iter().any(|room| is_in(file, room));
    let pure: Vec<&File> = files.iter().filter(is_pure).collect();
    assert!(pure.len() > 100, "only {}: has a room moved?", pure.len());
    let mut found = BTreeSet::new();
    for file in pure {
        for spoken in &file.spoken {
            for edge in EDGES.iter().filter(|edge| spoken.reaches(edge)) {
                found.insert((file.name.as_str(), *edge));
            }
        }
    }
    let allowed = EXCEPTIONS.iter().map(|(file, edge, _)| (*file, *edge));
    assert_eq!(found, allowed.collect(), "found, and allowed");
}

#[test]
fn no_two_rooms_need_each_other() {
    let files = files();
    let rooms: BTreeSet<&str> = files.iter().map(|file| file.room.as_str()).collect();
    let mut needs = Needs::new();
    for file in files
        .iter()
        .filter(|file| file.name != "lib.rs" && file.name != "main.rs")
    {
        for spoken in &file.spoken {
            if let [root, room, ..] = spoken.path.as_slice()
                && root == "crate"
                && let Some(room) = rooms.get(room.as_str())
                && *room != file.room
            {
                needs.entry(&file.room).or_default().insert(room);
            }
        }
    }
    assert!(needs.len() > 15, "only {needs:?}");
    assert_eq!(
        going_round(needs),
        BTreeMap::new(),
        "rooms that need each other"
    );
}

type Needs<'r> = BTreeMap<&'r str, BTreeSet<&'r str>>;

/// What is left when all that needs nothing left has gone.
fn going_round(mut needs: Needs<'_>) -> Needs<'_> {
    loop {
        let left: BTreeSet<&str> = needs.keys().copied().collect();
        for rooms in needs.values_mut() {
            rooms.retain(|room| left.contains(room));
        }
        needs.retain(|_, rooms| !rooms.is_empty());
        if needs.len() == left.len() {
            return needs;
        }
    }
}

#[test]
fn a_round_of_rooms_is_seen_however_long_it_is() {
    let needs = |pairs: &[(&'static str, &'static str)]| {
        let mut needs = Needs::new();
        for (from, to) in pairs {
            needs.entry(*from).or_default().insert(*to);
        }
        going_round(needs).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(
        needs(&[("a", "b"), ("b", "c"), ("a", "c")]),
        Vec::<&str>::new()
    );
    assert_eq!(needs(&[("a", "b"), ("b", "a"), ("b", "c")]), ["a", "b"]);
    assert_eq!(
        needs(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]),
        ["a", "b", "c"]
    );
}

fn files() -> Vec<File> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source).into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a source file");
        let place = path.strip_prefix(&source).expect("below src");
        let name = place.to_str().expect("UTF-8").to_owned();
        let module = name.trim_end_matches(".rs").trim_end_matches("/mod");
        let module: Vec<&str> = ["crate"].into_iter().chain(module.split('/')).collect();
        File {
            spoken: paths(&text, &module),
            room: module[1].to_owned(),
            name,
        }
    });
    files.collect()
}

/// Every file below; test modules in files of their own are not part of a room.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
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

#[test]
fn no_way_to_speak_of_an_edge_escapes_the_scan() {
    let cases = [
        ("use std::fs;", "std::fs"),
        ("use std::{fmt, fs, io};", "std::fs"),
        (
            "use std::{\n    collections::{BTreeMap, BTreeSet},\n    fs::{self, File},\n};",
            "std::fs",
        ),
        ("use std::*;", "std::fs"),
        (
            "use std as other; fn f() { other::fs::read(\"x\") }",
            "std::fs",
        ),
        ("use std::fs as disk;", "std::fs"),
        ("use crate::{api, model};", "crate::api"),
        (
            "use crate::{model::Vin, clock::{now, Clock}};",
            "crate::clock",
        ),
        ("use super::super::clock;", "crate::clock"),
        ("fn f() { super::super::clock::now() }", "crate::clock"),
        ("pub use tokio::time::sleep;", "tokio"),
        ("pub(crate) use ::tokio::time::sleep;", "tokio"),
        ("fn f() { std::fs::read(\"x\") }", "std::fs"),
        ("async fn f() { tokio::time::sleep(pause).await }", "tokio"),
        ("fn f() { ::std::fs::read(\"x\") }", "std::fs"),
        ("fn f() { tokio::select! {} }", "tokio"),
        (
            "use jiff::Timestamp; fn f() { Timestamp::now() }",
            "jiff::Timestamp::now",
        ),
        (
            "use jiff::Timestamp as T; fn f() { T::now() }",
            "jiff::Timestamp::now",
        ),
        (
            "use crate::config; fn f() { config::load_from_disk(None) }",
            "crate::config::load_from_disk",
        ),
        ("fn f(file: std::fs::File) {}", "std::fs"),
        (
            "fn f() -> impl Iterator + use<> { std::fs::read(\"x\"); }",
            "std::fs",
        ),
        ("use a::{b::{c, d,}, e,}; use std::fs;", "std::fs"),
        ("extern crate tokio as quiet;", "tokio"),
        (
            "#[cfg(test)]\nmod tests { use std::env; }\nuse std::fs;",
            "std::fs",
        ),
        ("#[cfg(test)] use std::env; use std::fs;", "std::fs"),
        (
            "struct A { #[cfg(test)] a: u8, b: std::fs::File }",
            "std::fs",
        ),
        ("const A: &str = \"/*\"; use std::fs; // */", "std::fs"),
        ("const A: &str = r#\"\"/*\"#; use std::fs; // */", "std::fs"),
        (
            "const A: char = '\"'; use std::fs; const B: char = '\"';",
            "std::fs",
        ),
        ("fn f<'a>(a: &'a str) { std::fs::read(a) }", "std::fs"),
    ];
    for (text, edge) in cases {
        let found = paths(text, &["crate", "policy", "plan"]);
        assert!(
            found.iter().any(|spoken| spoken.reaches(edge)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn what_only_looks_like_an_edge_is_none() {
    let cases = [
        "// use std::fs;\n/* std::fs /* nested */ std::fs */",
        "const A: &str = \"use std::fs;\"; const B: &[u8] = br##\"std::fs\"##;",
        "#[cfg(test)]\nmod tests { fn f() { std::fs::read(\"x\"); } }",
        "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;",
        "#[test]\nfn f() { std::fs::read(\"x\"); }",
        "use std::fmt; use crate::config::Settings; use std::io::Write;",
        "use my::std::fs;",
        "fn fs() { self::fs() }",
    ];
    for text in cases {
        let found = paths(text, &["crate", "policy", "plan"]);
        let reached = EDGES
            .iter()
            .find(|edge| found.iter().any(|spoken| spoken.reaches(edge)));
        assert_eq!(reached, None, "{text}: {found:?}");
    }
}
