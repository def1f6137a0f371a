//! Texts and variables in, settings or every mistake out. No disk, no environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layers::{self, Given, Layers, PREFIX, variable_of};
use super::problem::{ConfigErrors, ConfigProblem, Found, Origin};
use super::reader::{FileContent, ReadFile, SettingsReader};
use super::settings::Settings;
use super::{schema, sections};

/// Everything that settings are made of.
pub struct ConfigSources<'a> {
    /// The configuration file, if there is one, under the name that messages use.
    pub file: Option<(PathBuf, FileContent)>,
    /// The environment: `TESLA2MQTT__SECTION__KEY`, and systemd's `CREDENTIALS_DIRECTORY` and
    /// `STATE_DIRECTORY`; anything else is ignored.
    pub env: BTreeMap<String, String>,
    /// Reads secrets, credentials and certificates.
    pub read_file: &'a ReadFile<'a>,
}

/// Settings that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What works but is probably not meant, one message each.
    pub warnings: Vec<String>,
}

/// Puts defaults, file, credentials and environment together and checks everything.
pub fn load(source: &ConfigSources<'_>) -> Result<Loaded, ConfigErrors> {
    let config_mode = source.file.as_ref().and_then(|(_, content)| content.mode);
    let mut reader = read(source)?;
    let settings = sections::settings(&mut reader);
    if let Some(file) = &reader.file
        && config_mode.is_some_and(|mode| mode & 0o077 != 0)
        && !reader.inline_secrets.is_empty()
    {
        let secrets = reader.inline_secrets.join(", ");
        let warning =
            format!("{file}: others can read this file and it holds {secrets}: chmod 600 {file}");
        reader.warnings.push(warning);
    }
    match settings {
        Some(settings) if reader.problems.is_empty() => Ok(Loaded {
            settings,
            warnings: reader.warnings,
        }),
        _ => Err(ConfigErrors::new(reader.problems)),
    }
}

/// Settings from the text of a file alone, for the demo and for tests.
pub fn from_text(text: &str) -> Result<Settings, ConfigErrors> {
    let content = FileContent {
        bytes: text.as_bytes().to_vec(),
        ..FileContent::default()
    };
    let source = ConfigSources {
        file: Some((PathBuf::from("tesla2mqtt.toml"), content)),
        env: BTreeMap::new(),
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    load(&source).map(|loaded| loaded.settings)
}

/// Where a bridge of this source keeps its state, whatever else is wrong with the source: a bridge
/// that runs is not dead because somebody edits its file.
pub fn state_directory(source: &ConfigSources<'_>) -> PathBuf {
    let text = source.file.as_ref().map(|(path, content)| {
        let path = path.display().to_string();
        (path, String::from_utf8_lossy(&content.bytes))
    });
    let file = text.as_ref().map(|(path, text)| (path.as_str(), &**text));
    let layers = joined(file, &source.env, &mut Vec::new());
    let given = layers.given.get("state.directory");
    let text = match given.map(|given| &given.found) {
        Some(Found::Text(text)) if !text.is_empty() => text,
        _ => schema::row("state.directory")
            .and_then(|row| row.default)
            .unwrap_or_default(),
    };
    PathBuf::from(text)
}

/// What is wrong with a text as the value of a key, for whoever takes it from elsewhere than a
/// configuration and calls the key by another name.
pub fn mistake(key: &str, text: &str, called: &str) -> Option<String> {
    let mut layers = Layers::default();
    let given = Given {
        origin: Origin::Nowhere,
        found: Found::Text(text.to_owned()),
    };
    layers.given.insert(key.to_owned(), given);
    let mut reader = SettingsReader::new(layers, &|_| Err(std::io::ErrorKind::NotFound.into()));
    sections::settings(&mut reader);
    let problem = reader.problems.into_iter().find(|found| found.key == key)?;
    Some(problem.message.replacen(key, called, 1))
}

/// File and environment, with what systemd says about the state directory.
fn joined(
    file: Option<(&str, &str)>,
    env: &BTreeMap<String, String>,
    problems: &mut Vec<ConfigProblem>,
) -> Layers {
    let mut layers = layers::join(file, env, problems);
    let systemds = env.get("STATE_DIRECTORY");
    if let Some(directory) = systemds.and_then(|list| list.split(':').next()) {
        layers.default_to("state.directory", directory);
    }
    layers
}

fn read<'a>(source: &ConfigSources<'a>) -> Result<SettingsReader<'a>, ConfigErrors> {
    let mut problems = Vec::new();
    let file = match &source.file {
        None => None,
        Some((path, content)) => {
            let path = path.display().to_string();
            let text = text_of(&path, &content.bytes)
                .map_err(|problem| ConfigErrors::new(vec![problem]))?;
            Some((path, text))
        }
    };
    let named = file.as_ref().map(|(path, text)| (path.as_str(), *text));
    let layers = joined(named, &source.env, &mut problems);
    if layers.is_unreadable {
        // What a broken file seems to lack is not worth a message.
        return Err(ConfigErrors::new(problems));
    }
    let reader = SettingsReader::new(layers, source.read_file);
    Ok(SettingsReader {
        file: file.as_ref().map(|(path, _)| path.clone()),
        credentials: source.env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        problems,
        warnings: misspelt_variables(&source.env),
        ..reader
    })
}

fn text_of<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, ConfigProblem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .split(|&byte| byte == b'\n')
            .count();
        let path = path.to_owned();
        ConfigProblem::new(
            Origin::File { path, line },
            "this line",
            "not text: expected TOML in UTF-8",
        )
    })
}

/// `TESLA2MQTT_MQTT_URL` is what the conventions of other programs suggest.
fn misspelt_variables(env: &BTreeMap<String, String>) -> Vec<String> {
    let single = |variable: &str| variable.replace("__", "_");
    env.keys()
        .filter(|variable| !variable.starts_with(PREFIX))
        .filter_map(|variable| {
            let meant = schema::rows()
                .iter()
                .map(|row| variable_of(&row.path))
                .find(|known| single(known) == single(variable))?;
            Some(format!("{variable}: has no effect, did you mean {meant}?"))
        })
        .collect()
}
