//! The layers and their order: defaults of the schema, the file, the environment.
//!
//! The `config` crate joins them and carries the origin of every value through. The file's tree is
//! built here from the `toml` crate's spans, because the `config` crate knows neither the line of
//! a value nor the file of an unknown key.

use std::collections::BTreeMap;
use std::str::FromStr;

use config::{ConfigError, Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::problem::{Found, Origin, Problem};
use super::schema::{self, Kind, Place};
use crate::model::Vin;

/// Start of every variable of ours.
pub(super) const PREFIX: &str = "TESLA2MQTT__";

/// More accounts than anyone has; bounds what an index in the environment can make us allocate.
const MOST_ACCOUNTS: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub origin: Origin,
    pub found: Found,
}

/// The joined layers.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// Values by path, as `accounts[0].name`.
    pub given: BTreeMap<String, Given>,
    /// Tables that exist, also empty ones: `accounts[0]`, `cars.5YJ…`.
    pub tables: BTreeMap<String, Origin>,
    /// The file is not TOML, so that nothing can be said about what it lacks.
    pub is_unreadable: bool,
}

impl Layers {
    /// Sets a key that neither the file nor our own variables set.
    pub(super) fn default_to(&mut self, key: &str, text: &str) {
        let given = Given {
            origin: Origin::Nowhere,
            found: Found::Text(text.to_owned()),
        };
        self.given.entry(key.to_owned()).or_insert(given);
    }
}

/// One layer as a source of the `config` crate: values by path expression.
#[derive(Debug, Clone, Default)]
struct Layer(Vec<(String, Value)>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.iter().cloned().collect())
    }
}

/// Joins the file (its name and text) and the variables. What cannot be placed is a problem and
/// left out.
pub(super) fn join(
    file: Option<(&str, &str)>,
    env: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Layers {
    let mut layers = Layers::default();
    let mut from_file = Layer::default();
    if let Some((path, text)) = file {
        let tables = &mut layers.tables;
        let walk = FileWalk {
            path,
            text,
            tables,
            problems,
        };
        match walk.layer() {
            Some(layer) => from_file = layer,
            None => layers.is_unreadable = true,
        }
    }
    if layers.is_unreadable {
        return layers;
    }
    let env = env_layer(env, problems);
    let joined = config::Config::builder()
        .add_source(from_file)
        .add_source(env)
        .build();
    match joined {
        Ok(joined) => flatten(&joined.cache, String::new(), &mut layers),
        Err(error) => {
            let complaint = format!("cannot be put together: {error}");
            problems.push(Problem::new(
                Origin::Nowhere,
                "the configuration",
                &complaint,
            ));
        }
    }
    layers
}

/// Walks the parsed file against the schema.
struct FileWalk<'a> {
    path: &'a str,
    text: &'a str,
    /// Where each table starts; the `config` crate forgets it when it joins two tables.
    tables: &'a mut BTreeMap<String, Origin>,
    problems: &'a mut Vec<Problem>,
}

impl FileWalk<'_> {
    /// `None`: not TOML.
    fn layer(mut self) -> Option<Layer> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            let table = self.table(table.get_ref(), "");
            return Some(Layer(table.into_iter().collect()));
        }
        // One mistake often upsets the parser several times; what follows it on its line, and
        // what the rest of the file seems to lack, is noise.
        let mut last_line = 0;
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let line = self.line(at);
            if line != last_line {
                let key = self.key_near(line);
                let reason = error.message().lines().collect::<Vec<_>>().join(", ");
                self.refuse(at, &key, &format!("not valid TOML: {reason}"));
            }
            last_line = line;
        }
        None
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let names = matches!(schema::place(path), Some(Place::Names));
        let mut values = Map::new();
        for (key, value) in table {
            let mut name = key.get_ref().to_string();
            if names {
                match Vin::new(&name) {
                    Ok(vin) => vin.as_str().clone_into(&mut name),
                    Err(error) => {
                        let complaint = format!("expected the VIN of a car: {error}");
                        self.refuse(key.span().start, &join_path(path, &name), &complaint);
                        continue;
                    }
                }
            }
            let path = join_path(path, &name);
            if values.contains_key(&name) {
                self.refuse(key.span().start, &path, "this car is here twice");
                continue;
            }
            if let Some(value) = self.value(key.span().start, value, &path) {
                values.insert(name, value);
            }
        }
        values
    }

    /// The value of a key that stands at byte `at`; `None`: a problem was noted.
    fn value(&mut self, at: usize, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        let complaint = match (schema::place(path), value.get_ref()) {
            (Some(Place::Key(_)), value) => {
                return Some(Value::new(Some(&tag(&self.origin(at))), leaf(value)));
            }
            (Some(Place::List), DeValue::Array(items)) => {
                self.tables.insert(path.to_owned(), self.origin(at));
                return Some(Value::new(None, self.list(items, path)));
            }
            (Some(Place::Section | Place::Names), DeValue::Table(table)) => {
                self.tables.insert(path.to_owned(), self.origin(at));
                return Some(Value::new(None, self.table(table, path)));
            }
            (None, _) => unknown(path),
            (Some(Place::List), _) => expected_list(path),
            (Some(_), other) => format!("expected a section [{path}], found {}", other.type_str()),
        };
        self.refuse(at, path, &complaint);
        None
    }

    fn list(&mut self, items: &DeArray<'_>, path: &str) -> Vec<Value> {
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let at = item.span().start;
            if let DeValue::Table(table) = item.get_ref() {
                self.tables.insert(path.clone(), self.origin(at));
                list.push(Value::new(None, self.table(table, &path)));
            } else {
                self.refuse(at, &path, &expected_list(&path));
            }
        }
        list
    }

    fn refuse(&mut self, at: usize, path: &str, complaint: &str) {
        let problem = Problem::new(self.origin(at), path, complaint);
        self.problems.push(problem);
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File {
            path: self.path.to_owned(),
            line: self.line(at),
        }
    }

    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.split(|&byte| byte == b'\n').count()
    }

    /// The key that a line which does not parse seems to set. Never its value.
    fn key_near(&self, line: usize) -> String {
        let is_key = |key: &str| {
            !key.is_empty()
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        let mut lines: Vec<&str> = self.text.lines().take(line).map(str::trim).collect();
        let here = lines.pop().unwrap_or_default();
        let Some(key) = here
            .split('=')
            .next()
            .map(str::trim)
            .filter(|key| is_key(key))
        else {
            return "this line".to_owned();
        };
        let section = lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix('['))
            .map(|header| header.trim_matches(['[', ']']))
            .filter(|header| is_key(header));
        section.map_or_else(|| key.to_owned(), |section| join_path(section, key))
    }
}

fn expected_list(path: &str) -> String {
    let name = path.split('[').next().unwrap_or(path);
    format!("expected a list of tables, each with the header [[{name}]]")
}

fn unknown(path: &str) -> String {
    match schema::suggestion(path) {
        Some(known) => format!("unknown key, did you mean {known}?"),
        None => "unknown key; `tesla2mqtt config example` shows every key".to_owned(),
    }
}

fn join_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn leaf(value: &DeValue<'_>) -> ValueKind {
    match value {
        DeValue::String(text) => ValueKind::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| other("a number that is too large"), ValueKind::I64),
        DeValue::Float(number) => f64::from_str(number.as_str())
            .map_or_else(|_| other("a number that is too large"), ValueKind::Float),
        DeValue::Boolean(value) => ValueKind::Boolean(*value),
        DeValue::Datetime(_) => other("a date"),
        DeValue::Array(_) => other("a list"),
        DeValue::Table(_) => other("a table"),
    }
}

/// A value of no form that any key takes. A list, so that joining replaces it like any value.
fn other(form: &str) -> ValueKind {
    ValueKind::Array(vec![Value::new(None, form)])
}

fn env_layer(env: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Layer {
    let mut values = Vec::new();
    for (variable, text) in env {
        // `FOO=` is how Compose hands over what is not set.
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !text.is_empty()) else {
            continue;
        };
        let origin = Origin::Env(variable.clone());
        let complaint = match env_path(rest).map(|path| (schema::place(&path), path)) {
            Ok((Some(Place::Key(row)), path)) => {
                values.push((
                    path,
                    Value::new(Some(&tag(&origin)), from_text(row.kind, text)),
                ));
                continue;
            }
            Ok((Some(_), _)) => format!("a section, not a key: expected {variable}__KEY"),
            Ok((None, path)) => match schema::suggestion(&path) {
                Some(known) => format!("unknown key, did you mean {}?", variable_of(&known)),
                None => format!("unknown key; keys are {PREFIX}SECTION__KEY, in capitals"),
            },
            Err(complaint) => complaint,
        };
        problems.push(Problem::new(origin, rest, &complaint));
    }
    Layer(values)
}

/// `ACCOUNTS__0__NAME` → `accounts[0].name`.
fn env_path(rest: &str) -> Result<String, String> {
    if let Some(odd) = rest
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '_')
    {
        return Err(format!("{odd:?} is not part of any key"));
    }
    let mut path = String::new();
    for part in rest.split("__") {
        match schema::place(&path) {
            Some(Place::List) => match part.parse::<usize>() {
                Ok(index) if index < MOST_ACCOUNTS => path = format!("{path}[{index}]"),
                _ => {
                    return Err(format!(
                        "expected a number from 0 to {} after {}",
                        MOST_ACCOUNTS - 1,
                        path.to_uppercase()
                    ));
                }
            },
            Some(Place::Names) => match Vin::new(part) {
                Ok(vin) => path = join_path(&path, vin.as_str()),
                Err(error) => {
                    return Err(format!(
                        "expected the VIN of a car after {}: {error}",
                        path.to_uppercase()
                    ));
                }
            },
            _ if part.chars().any(|c| c.is_ascii_lowercase()) => {
                return Err(format!("keys are {PREFIX}SECTION__KEY, in capitals"));
            }
            _ => path = join_path(&path, &part.to_ascii_lowercase()),
        }
    }
    Ok(path)
}

/// The variable of a path or pattern: `accounts[].name` → `TESLA2MQTT__ACCOUNTS__0__NAME`.
pub fn variable_of(path: &str) -> String {
    let path = path
        .replace("[]", ".0")
        .replace('[', ".")
        .replace(']', "")
        .replace('*', "VIN");
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// Text stays text unless the schema wants something else, so that the password `12345` is one.
/// What does not parse stays text too, and is complained about where it is read.
pub(super) fn from_text(kind: Kind, text: &str) -> ValueKind {
    let parsed = match kind {
        Kind::Bool => text.parse().map(ValueKind::Boolean).ok(),
        Kind::Integer => text.parse().map(ValueKind::I64).ok(),
        Kind::Number => text.parse().map(ValueKind::Float).ok(),
        Kind::Text | Kind::Secret | Kind::Path | Kind::Duration => None,
    };
    parsed.unwrap_or_else(|| ValueKind::String(text.to_owned()))
}

pub(super) fn found(kind: &ValueKind) -> Found {
    match kind {
        ValueKind::String(text) => Found::Text(text.clone()),
        ValueKind::I64(number) => Found::Integer(*number),
        ValueKind::Float(number) => Found::Number(*number),
        ValueKind::Boolean(value) => Found::Bool(*value),
        ValueKind::Array(form) => Found::Other(
            form.first()
                .map_or_else(String::new, |form| form.kind.to_string()),
        ),
        _ => Found::Other("nothing that a key takes".to_owned()),
    }
}

fn flatten(value: &Value, path: String, layers: &mut Layers) {
    match (&value.kind, schema::place(&path)) {
        (ValueKind::Table(table), _) => {
            for (key, value) in table {
                flatten(value, join_path(&path, key), layers);
            }
            layers.tables.entry(path).or_insert(Origin::Nowhere);
        }
        (ValueKind::Array(items), Some(Place::List)) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{path}[{index}]"), layers);
            }
            layers.tables.entry(path).or_insert(Origin::Nowhere);
        }
        // A gap that an index in the environment left.
        (ValueKind::Nil, _) => {
            layers.tables.entry(path).or_insert(Origin::Nowhere);
        }
        (kind, _) => {
            let origin = value.origin().map_or(Origin::Nowhere, untag);
            let found = found(kind);
            layers.given.insert(path, Given { origin, found });
        }
    }
}

/// The `config` crate carries an origin as text.
fn tag(origin: &Origin) -> String {
    match origin {
        Origin::File { path, line } => format!("file {line} {path}"),
        Origin::Env(variable) => format!("env {variable}"),
        Origin::Nowhere => String::new(),
    }
}

fn untag(text: &str) -> Origin {
    match text.split_once(' ') {
        Some(("env", variable)) => Origin::Env(variable.to_owned()),
        Some(("file", rest)) => match rest.split_once(' ') {
            Some((line, path)) => Origin::File {
                path: path.to_owned(),
                line: line.parse().unwrap_or(0),
            },
            None => Origin::Nowhere,
        },
        _ => Origin::Nowhere,
    }
}
