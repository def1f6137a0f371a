//! Texts and variables in, settings or every mistake out. No disk, no environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layers::{self, PREFIX, variable_of};
use super::problem::{ConfigErrors, Origin, Problem};
use super::reader::{FileContent, ReadFile, Reader};
use super::settings::Settings;
use super::{schema, sections};

/// Everything that settings are made of.
pub struct Source<'a> {
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
pub fn load(source: &Source<'_>) -> Result<Loaded, ConfigErrors> {
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
    let source = Source {
        file: Some((PathBuf::from("tesla2mqtt.toml"), content)),
        env: BTreeMap::new(),
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    load(&source).map(|loaded| loaded.settings)
}

fn read<'a>(source: &Source<'a>) -> Result<Reader<'a>, ConfigErrors> {
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
    let mut layers = layers::join(named, &source.env, &mut problems);
    if layers.is_unreadable {
        // What a broken file seems to lack is not worth a message.
        return Err(ConfigErrors::new(problems));
    }
    if let Some(directory) = source
        .env
        .get("STATE_DIRECTORY")
        .and_then(|list| list.split(':').next())
    {
        layers.default_to("state.directory", directory);
    }
    Ok(Reader {
        layers,
        file: file.as_ref().map(|(path, _)| path.clone()),
        credentials: source.env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        read_file: source.read_file,
        problems,
        warnings: misspelt_variables(&source.env),
        inline_secrets: Vec::new(),
    })
}

fn text_of<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .split(|&byte| byte == b'\n')
            .count();
        let path = path.to_owned();
        Problem::new(
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
