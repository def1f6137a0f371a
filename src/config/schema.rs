//! The table of every key: its path, its form, its default, and what a message says is expected.
//!
//! Unknown keys, environment names, credential names and the check that the example file is
//! complete are all derived from this one table.

use std::sync::LazyLock;

use crate::policy;
use ValueForm::{Bool, Duration, Integer, Number, Path, Secret, Text};

/// One key.
#[derive(Debug)]
pub struct SettingKey {
    /// Path; `[]` stands for an index, `*` for a name chosen by the owner.
    pub path: String,
    /// Form of the value.
    pub kind: ValueForm,
    /// Value when nothing is given, written as in the environment.
    pub default: Option<&'static str>,
    /// Ends "expected …".
    pub expected: &'static str,
}

/// Form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// Any text.
    Text,
    /// Text that is never shown; may also come from `<key>_file` or a credential.
    Secret,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A path of a file or directory.
    Path,
    /// Text such as `"10m"`.
    Duration,
}

const BOOL: &str = "true or false";
const SECRET: &str = "one line of text in quotes";
const PATH: &str = "the path of a file";
const PRICE: &str = "a price in dollars, such as 0.002";

const KWH: &str = "the price of a kilowatt-hour, such as 0.32";

/// Every key but the intervals of `[polling]`, section by section as in the example.
#[rustfmt::skip]
const ROWS: &[(&str, ValueForm, Option<&str>, &str)] = &[
    ("mqtt.url",              Text,     Some("mqtt://localhost:1883"), "\"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    ("mqtt.username",         Text,     None,                    "text that is not empty"),
    ("mqtt.password",         Secret,   None,                    SECRET),
    ("mqtt.client_id",        Text,     None,                    "1 to 64 characters without spaces"),
    ("mqtt.protocol",         Integer,  Some("5"),               "5, or 4 for MQTT 3.1.1"),
    ("mqtt.base_topic",       Text,     Some("tesla2mqtt"),      "a topic such as \"tesla2mqtt\" or \"home/tesla\""),
    ("mqtt.keep_alive",       Duration, Some("15s"),             "a duration from \"5s\" to \"20m\""),
    ("mqtt.ca_file",          Path,     None,                    PATH),
    ("mqtt.client_cert_file", Path,     None,                    PATH),
    ("mqtt.client_key_file",  Path,     None,                    PATH),

    ("broker.enabled",        Bool,     Some("false"),           BOOL),
    ("broker.listen",         Text,     Some("127.0.0.1:1883"),  "an address and port such as \"127.0.0.1:1883\""),
    ("broker.username",       Text,     None,                    "text that is not empty"),
    ("broker.password",       Secret,   None,                    SECRET),

    ("homeassistant.enabled",          Bool, Some("true"),                 BOOL),
    ("homeassistant.discovery_prefix", Text, Some("homeassistant"),        "a topic such as \"homeassistant\""),
    ("homeassistant.status_topic",     Text, Some("homeassistant/status"), "a topic such as \"homeassistant/status\""),
    ("homeassistant.status_online",    Text, Some("online"),               "the text of the birth message, such as \"online\""),

    ("accounts[].name",          Text,   None, "a name of letters, digits, - and _, such as \"home\""),
    ("accounts[].api",           Text,   None, "\"fleet\", \"owner\" or \"password\""),
    ("accounts[].refresh_token", Secret, None, SECRET),
    ("accounts[].client_id",     Text,   None, "the client id of your app at developer.tesla.com"),
    ("accounts[].client_secret", Secret, None, SECRET),
    ("accounts[].region",        Text,   None, "\"na\", \"eu\" or \"cn\""),
    ("accounts[].email",         Text,   None, "the e-mail address of the account"),
    ("accounts[].password",      Secret, None, SECRET),
    ("accounts[].api_url",       Text,   None, "an address such as \"https://host\""),
    ("accounts[].auth_url",      Text,   None, "an address such as \"https://host\""),
    ("accounts[].ca_file",       Path,   None, PATH),

    ("cars.*.alias",          Text,     None,                    "one topic level, such as \"model-3\""),
    ("cars.*.teslamate_number", Integer, None,                   "a number from 1 to 32767: the one in teslamate/cars/1"),

    ("polling.preset",        Text,     Some("auto"),            "\"auto\", \"metered\", \"unmetered\" or \"push\""),
    ("polling.data_holds_awake", Text,    Some("learn"),           "\"learn\", \"yes\" or \"no\""),
    ("polling.unavailable_after", Duration, Some("1h"),           "a duration from \"30m\" to \"7d\""),
    ("polling.unlocked_holds",  Bool,     Some("false"),           BOOL),

    ("budget.dollars",        Number,   None,                    "an amount of dollars a month, such as 10.0"),
    ("budget.calls",          Integer,  None,                    "a number of data calls a month, such as 5000"),
    ("budget.price_light",      Number,   Some("0.0"),             PRICE),
    ("budget.price_data",     Number,   Some("0.002"),           PRICE),
    ("budget.price_command",  Number,   Some("0.001"),           PRICE),
    ("budget.price_wake",     Number,   Some("0.02"),            PRICE),
    ("budget.price_signal",   Number,   Some("0.00000667"),       PRICE),

    ("tariff.price",          Number,   None,                    KWH),
    ("tariff.cheap_price",    Number,   None,                    KWH),
    ("tariff.cheap_hours",    Text,     None,                    "hours of the day such as \"23:30-05:30\" or \"22:00-06:00, 12:30-14:30\""),
    ("tariff.fast_price",     Number,   None,                    KWH),
    ("tariff.ac_loss_percent", Integer, Some("0"),               "a whole number of percent from 0 to 50"),
    ("tariff.currency",       Text,     None,                    "the name of a currency, such as \"EUR\""),

    ("commands.enabled",      Bool,     Some("false"),           BOOL),

    ("compat.teslamate",      Bool,     Some("false"),           BOOL),
    ("compat.teslamate_namespace", Text, None,                   "one topic level, such as \"home\""),

    ("web.listen",            Text,     Some("127.0.0.1:8321"),  "an address and port such as \"127.0.0.1:8321\""),

    ("state.directory",       Path,     Some("/var/lib/tesla2mqtt"), "the path of a directory"),

    ("log.format",            Text,     Some("text"),            "\"text\" or \"json\""),
    ("log.level",             Text,     Some("info"),            "levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
];

/// Every key of the configuration, with the `_file` twin of each secret.
pub fn rows() -> &'static [SettingKey] {
    static ALL: LazyLock<Vec<SettingKey>> = LazyLock::new(|| {
        let mut all = Vec::new();
        for &(path, kind, default, expected) in ROWS {
            all.push(SettingKey {
                path: path.to_owned(),
                kind,
                default,
                expected,
            });
            if kind == Secret {
                all.push(SettingKey {
                    path: format!("{path}_file"),
                    kind: Path,
                    default: None,
                    expected: "the path of a file that only its owner can read",
                });
            }
        }
        // The policy has the list of its intervals.
        all.extend(policy::FIELDS.iter().map(|field| SettingKey {
            path: format!("polling.{}", field.name),
            kind: Duration,
            default: None,
            expected: "a duration such as \"10m\"",
        }));
        all
    });
    &ALL
}

/// The row of a path such as `accounts[0].name`.
pub fn row(path: &str) -> Option<&'static SettingKey> {
    let pattern = pattern(path);
    rows().iter().find(|row| row.path == pattern)
}

/// What the table has at or below a path.
#[derive(Debug, Clone, Copy)]
pub enum SchemaNode {
    /// A key.
    Key(&'static SettingKey),
    /// A table of keys.
    Section,
    /// A list of tables.
    List,
    /// A table whose keys are names chosen by the owner.
    Names,
}

/// What the table has at a path; `None`: nothing.
pub fn place(path: &str) -> Option<SchemaNode> {
    let pattern = pattern(path);
    let below = |suffix: &str| {
        rows().iter().any(|row| {
            row.path
                .strip_prefix(&pattern)
                .is_some_and(|rest| rest.starts_with(suffix))
        })
    };
    match row(path) {
        Some(row) => Some(SchemaNode::Key(row)),
        None if below("[].") => Some(SchemaNode::List),
        None if below(".*.") => Some(SchemaNode::Names),
        None if below(".") => Some(SchemaNode::Section),
        None => None,
    }
}

/// `accounts[0].name` → `accounts[].name`, `cars.5YJ….alias` → `cars.*.alias`.
pub fn pattern(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for (level, part) in path.split('.').enumerate() {
        if level > 0 {
            pattern.push('.');
        }
        match part.split_once('[') {
            _ if is_named(&pattern) => pattern.push('*'),
            Some((name, _)) => pattern.extend([name, "[]"]),
            None => pattern.push_str(part),
        }
    }
    pattern
}

/// Whether the owner chooses the names directly below a table, as in `cars.`.
fn is_named(table: &str) -> bool {
    ROWS.iter().any(|(path, ..)| {
        path.strip_prefix(table)
            .is_some_and(|rest| rest.starts_with("*."))
    })
}

/// The key or section that an unknown path was probably meant to be.
pub fn suggestion(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let section_pattern = pattern(section);
    let sections = rows()
        .iter()
        .filter_map(|row| row.path.split(['.', '[']).next());
    let siblings = rows().iter().filter_map(|row| {
        let (of, name) = row.path.rsplit_once('.')?;
        (of == section_pattern).then_some(name)
    });
    let near = if section.is_empty() {
        nearest(name, sections)
    } else {
        nearest(name, siblings).map(|sibling| format!("{section}.{sibling}"))
    };
    near.or_else(|| {
        // The right name in the wrong section.
        let suffix = format!(".{name}");
        let elsewhere = rows().iter().find(|row| row.path.ends_with(&suffix));
        elsewhere.map(|row| row.path.clone())
    })
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |known: &str| {
        let is_part = name.len() >= 4 && known.contains(name);
        strsim::jaro_winkler(known, name).max(if is_part { 0.85 } else { 0.0 })
    };
    known
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}
