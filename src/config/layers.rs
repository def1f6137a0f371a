//! The layers and their order: defaults of the schema, the file, the environment.
//!
//! The `config` crate joins them. Where each value stands is kept beside them, by the value's path: the
//! file's tree is built here from the `toml` crate's spans, because the `config` crate knows neither
//! the line of a value nor the file of an unknown key.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use config::{ConfigError, Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::problem::{ConfigProblem, Found, Origin};
use super::schema::{self, SchemaNode, ValueForm};
use crate::model::Vin;

/// Start of every variable of ours.
pub(super) const PREFIX: &str = "TESLA2MQTT__";

/// More accounts than anyone has; bounds what an index in the environment can make us allocate.
const MOST_ACCOUNTS: usize = 64;

/// No key of the schema has a longer name.
const LONGEST_NAME: usize = 40;

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
    /// Keys that an unknown one was probably meant to be: they are not missing as well.
    pub suggested: BTreeSet<String>,
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
    problems: &mut Vec<ConfigProblem>,
) -> Layers {
    let mut layers = Layers::default();
    let mut from_file = Layer::default();
    // Of values; a later layer's replace an earlier one's, as the values do.
    let mut origins = BTreeMap::new();
    if let Some((path, text)) = file {
        let walk = FileWalk {
            path,
            text,
            origins: &mut origins,
            tables: &mut layers.tables,
            suggested: &mut layers.suggested,
            problems,
        };
        (from_file, layers.is_unreadable) = walk.layer();
    }
    let env = env_layer(env, &mut origins, &mut layers.suggested, problems);
    let joined = config::Config::builder()
        .add_source(from_file)
        .add_source(env)
        .build();
    match joined {
        Ok(joined) => flatten(&joined.cache, String::new(), &mut origins, &mut layers),
        Err(error) => {
            let complaint = format!("cannot be put together: {error}");
            problems.push(ConfigProblem::new(
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
    origins: &'a mut BTreeMap<String, Origin>,
    /// Where each table starts; the `config` crate forgets it when it joins two tables.
    tables: &'a mut BTreeMap<String, Origin>,
    suggested: &'a mut BTreeSet<String>,
    problems: &'a mut Vec<ConfigProblem>,
}

impl FileWalk<'_> {
    /// What the file says, and whether it is not TOML: then it is what could be made out.
    fn layer(mut self) -> (Layer, bool) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let mistake = errors.iter().map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (at, error.message())
        });
        // One mistake, such as a quote that is not closed, upsets the parser on many lines: what
        // follows the first, and what the rest of the file seems to have wrong, may be noise.
        let first = mistake.min_by_key(|(at, _)| *at);
        let n_problems = self.problems.len();
        let table = self.table(table.get_ref(), "");
        if let Some((at, message)) = first {
            self.problems.truncate(n_problems);
            let key = self.key_near(self.line(at));
            let reason = message.lines().collect::<Vec<_>>().join(", ");
            self.refuse(at, &key, &format!("not valid TOML: {reason}"));
        }
        (Layer(table.into_iter().collect()), first.is_some())
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let names = matches!(schema::place(path), Some(SchemaNode::Names));
        let mut values = Map::new();
        for (key, value) in table {
            let mut name = shown(key.get_ref());
            if names {
                match Vin::new(key.get_ref()) {
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
            (Some(SchemaNode::Key(_)), value) => {
                self.origins.insert(path.to_owned(), self.origin(at));
                return Some(Value::new(None, leaf(value)));
            }
            (Some(SchemaNode::List), DeValue::Array(items)) => {
                self.tables.insert(path.to_owned(), self.origin(at));
                return Some(Value::new(None, self.list(items, path)));
            }
            (Some(SchemaNode::Section | SchemaNode::Names), DeValue::Table(table)) => {
                self.tables.insert(path.to_owned(), self.origin(at));
                return Some(Value::new(None, self.table(table, path)));
            }
            (None, _) => self.unknown(path),
            (Some(SchemaNode::List), _) => expected_list(path),
            (Some(_), other) => format!("expected a section [{path}], found {}", other.type_str()),
        };
        self.refuse(at, path, &complaint);
        None
    }

    fn list(&mut self, items: &DeArray<'_>, path: &str) -> Vec<Value> {
        let mut list = Vec::new();
        for item in items {
            // Counted without what is refused, as they are read.
            let path = format!("{path}[{}]", list.len());
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

    fn unknown(&mut self, path: &str) -> String {
        let Some(known) = schema::suggestion(path) else {
            return "unknown key; `tesla2mqtt config example` shows every key".to_owned();
        };
        let complaint = format!("unknown key, did you mean {known}?");
        self.suggested.insert(known);
        complaint
    }

    fn refuse(&mut self, at: usize, path: &str, complaint: &str) {
        let problem = ConfigProblem::new(self.origin(at), path, complaint);
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

    /// The key that a line which does not parse seems to set, if there is such a key: it may as
    /// well be a value, and a secret one, that got on a line of its own.
    fn key_near(&self, line: usize) -> String {
        let lines: Vec<&str> = self.text.lines().take(line).map(str::trim).collect();
        let named = lines.split_last().and_then(|(here, above)| {
            let key = here.split('=').next()?.trim();
            let header = above.iter().rev().find(|line| line.starts_with('['));
            let path = match header {
                None => key.to_owned(),
                Some(header) => join_path(&section_of(header, above)?, key),
            };
            matches!(schema::place(&path), Some(SchemaNode::Key(_))).then_some(path)
        });
        named.unwrap_or_else(|| "this line".to_owned())
    }
}

/// The section that a header begins, if it is one of ours; the lines up to it tell which of a list.
fn section_of(header: &str, lines: &[&str]) -> Option<String> {
    let start = |line: &str| line.split(']').next().map(str::to_owned);
    let name = start(header)?.trim_start_matches('[').trim().to_owned();
    match (schema::place(&name)?, name.split_once('.')) {
        (SchemaNode::List, _) => {
            let same = lines.iter().filter(|line| start(line) == start(header));
            Some(format!("{name}[{}]", same.count().saturating_sub(1)))
        }
        (SchemaNode::Section, Some((_, car))) if Vin::new(car).is_err() => None,
        (SchemaNode::Section, _) => Some(name),
        (SchemaNode::Key(_) | SchemaNode::Names, _) => None,
    }
}

/// A name as it may be printed: on one line, and of what may be a token only its start. What is
/// changed by that is in quotes or too long, and is no key of ours.
fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.chars().count() > LONGEST_NAME {
        let start: String = name.chars().take(8).collect();
        format!("{start:?}…")
    } else if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

fn expected_list(path: &str) -> String {
    let name = path.split('[').next().unwrap_or(path);
    format!("expected a list of tables, each with the header [[{name}]]")
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

fn env_layer(
    env: &BTreeMap<String, String>,
    origins: &mut BTreeMap<String, Origin>,
    suggested: &mut BTreeSet<String>,
    problems: &mut Vec<ConfigProblem>,
) -> Layer {
    let mut values = Vec::new();
    for (variable, text) in env {
        // `FOO=` is how Compose hands over what is not set.
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !text.is_empty()) else {
            continue;
        };
        let origin = Origin::Env(variable.clone());
        let complaint = match env_path(rest).map(|path| (schema::place(&path), path)) {
            Ok((Some(SchemaNode::Key(row)), path)) => {
                values.push((path.clone(), Value::new(None, from_text(row.kind, text))));
                origins.insert(path, origin);
                continue;
            }
            Ok((Some(SchemaNode::List), _)) => format!("a list: expected {variable}__0__KEY"),
            Ok((Some(SchemaNode::Names), _)) => {
                format!("a list by name: expected {variable}__VIN__KEY")
            }
            Ok((Some(SchemaNode::Section), _)) => {
                format!("a section, not a key: expected {variable}__KEY")
            }
            Ok((None, path)) => match schema::suggestion(&path) {
                Some(known) => {
                    let complaint = format!("unknown key, did you mean {}?", variable_of(&known));
                    suggested.insert(known);
                    complaint
                }
                None => format!("unknown key; {CAPITALS}"),
            },
            Err(complaint) => complaint,
        };
        problems.push(ConfigProblem::new(origin, rest, &complaint));
    }
    Layer(values)
}

const CAPITALS: &str = "keys are TESLA2MQTT__SECTION__KEY, in capitals";

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
            Some(SchemaNode::List) => match part.parse::<usize>() {
                Ok(index) if index < MOST_ACCOUNTS => path = format!("{path}[{index}]"),
                _ => {
                    return Err(format!(
                        "expected a number from 0 to {} after {}",
                        MOST_ACCOUNTS - 1,
                        path.to_uppercase()
                    ));
                }
            },
            Some(SchemaNode::Names) => match Vin::new(part) {
                Ok(vin) => path = join_path(&path, vin.as_str()),
                Err(error) => {
                    return Err(format!(
                        "expected the VIN of a car after {}: {error}",
                        path.to_uppercase()
                    ));
                }
            },
            _ if part.is_empty() || part.chars().any(|c| c.is_ascii_lowercase()) => {
                return Err(CAPITALS.to_owned());
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
pub(super) fn from_text(kind: ValueForm, text: &str) -> ValueKind {
    let parsed = match kind {
        ValueForm::Bool => text.parse().map(ValueKind::Boolean).ok(),
        ValueForm::Integer => text.parse().map(ValueKind::I64).ok(),
        ValueForm::Number => text.parse().map(ValueKind::Float).ok(),
        ValueForm::Text | ValueForm::Secret | ValueForm::Path | ValueForm::Duration => None,
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

fn flatten(
    value: &Value,
    path: String,
    origins: &mut BTreeMap<String, Origin>,
    layers: &mut Layers,
) {
    match (&value.kind, schema::place(&path)) {
        (ValueKind::Table(table), _) => {
            for (key, value) in table {
                flatten(value, join_path(&path, key), origins, layers);
            }
            layers.tables.entry(path).or_insert(Origin::Nowhere);
        }
        (ValueKind::Array(items), Some(SchemaNode::List)) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{path}[{index}]"), origins, layers);
            }
            layers.tables.entry(path).or_insert(Origin::Nowhere);
        }
        // A gap that an index in the environment left.
        (ValueKind::Nil, _) => {}
        (kind, _) => {
            let origin = origins.remove(&path).unwrap_or(Origin::Nowhere);
            let found = found(kind);
            layers.given.insert(path, Given { origin, found });
        }
    }
}
