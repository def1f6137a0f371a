//! The edge: the real environment and the real files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::layers::PREFIX;
use super::load::{ConfigSources, Loaded, load, state_directory};
use super::problem::ConfigErrors;
use super::reader::{FileContent, reason};

/// Where a file is looked for when none is named, in this order.
pub const DEFAULT_PATHS: [&str; 2] = ["/etc/tesla2mqtt/tesla2mqtt.toml", "config/tesla2mqtt.toml"];

/// Loads the named file, or the first of [`DEFAULT_PATHS`], with this process's environment.
/// Without any file the environment alone is enough if it sets something.
pub fn load_from_disk(named: Option<&Path>) -> Result<Loaded, ConfigErrors> {
    load_with(named, environment())
}

/// As [`load_from_disk`], with another environment.
pub fn load_with(
    named: Option<&Path>,
    env: BTreeMap<String, String>,
) -> Result<Loaded, ConfigErrors> {
    let file = match named {
        Some(path) => Some(existing(path.to_owned(), read_file(path))?),
        None => DEFAULT_PATHS
            .iter()
            .map(|path| (PathBuf::from(path), read_file(Path::new(path))))
            .find(|(_, read)| !is_absent(read))
            .map(|(path, read)| existing(path, read))
            .transpose()?,
    };
    if file.is_none() && !env.keys().any(|variable| variable.starts_with(PREFIX)) {
        return Err(message(format!(
            "no configuration: there is neither {} nor {}, and no {PREFIX}… variable; \
             `tesla2mqtt config example` prints one to start from",
            DEFAULT_PATHS[0], DEFAULT_PATHS[1]
        )));
    }
    load(&ConfigSources {
        file,
        env,
        read_file: &read_file,
    })
}

/// Where a bridge of this configuration keeps its state, as far as can be told.
pub fn state_directory_from_disk(named: Option<&Path>) -> PathBuf {
    let paths = match named {
        Some(path) => vec![path],
        None => DEFAULT_PATHS.iter().map(Path::new).collect(),
    };
    let mut files = paths.into_iter().map(|path| (path, read_file(path)));
    let found = files.find(|(_, read)| !is_absent(read));
    state_directory(&ConfigSources {
        file: found.and_then(|(path, read)| Some((path.to_owned(), read.ok()?))),
        env: environment(),
        read_file: &read_file,
    })
}

/// The variables that concern us, and systemd's.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        })
        .filter(|(name, _)| name.starts_with("TESLA2MQTT_") || SYSTEMD.contains(&name.as_str()))
        .collect()
}

/// What systemd tells its services.
const SYSTEMD: [&str; 4] = [
    "CREDENTIALS_DIRECTORY",
    "STATE_DIRECTORY",
    "JOURNAL_STREAM",
    "WATCHDOG_USEC",
];

fn existing(
    path: PathBuf,
    read: io::Result<FileContent>,
) -> Result<(PathBuf, FileContent), ConfigErrors> {
    match read {
        Ok(content) => Ok((path, content)),
        Err(error) => Err(message(format!(
            "{}: cannot read the configuration: {}; `tesla2mqtt config example` prints one to start from",
            path.display(),
            reason(&error)
        ))),
    }
}

fn is_absent(read: &io::Result<FileContent>) -> bool {
    matches!(read, Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

fn message(text: String) -> ConfigErrors {
    ConfigErrors {
        messages: vec![text],
    }
}

/// No file that a configuration names is longer; systems' bundles of certificates are 200 KiB.
const MOST_BYTES: u64 = 4 << 20;

/// A whole file with what its directory entry says about it. A pipe or device is refused: it may
/// never end, or never begin.
pub fn read_file(path: &Path) -> io::Result<FileContent> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is a pipe or a device, not a file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(FileContent {
        bytes: bounded(path)?,
        mode: mode(&metadata),
    })
}

/// Some files are longer than they say.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "there is none on other systems")]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}
