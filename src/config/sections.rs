//! One function a section: reads its keys and checks what they say together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::reader::SettingsReader;
use super::schema;
use super::settings::{
    AccountSettings, Api, BrokerSettings, BudgetSettings, CarSettings, CommandsSettings,
    CompatSettings, HomeAssistantSettings, MqttSettings, PollingSettings, Protocol, Region,
    Settings, StateSettings, TlsSettings, WebSettings,
};
use super::texts::{base_url, broker_address, listen, not_empty};
use super::topic::{alias, keep_apart, topic, topic_level};
use crate::log::{Format, LogSettings, filter};
use crate::model::Vin;
use crate::policy::{self, ClassSetting, MonthlyLimit, Preset, Prices};
use crate::trips::{Cheap, Hours, Tariff};

/// Reads everything; what is missing or wrong is noted in the reader.
pub(super) fn settings(reader: &mut SettingsReader<'_>) -> Option<Settings> {
    let broker = broker(reader);
    let mqtt = mqtt(reader, broker.as_ref());
    let homeassistant = homeassistant(reader);
    if let (Some(mqtt), Some(homeassistant)) = (&mqtt, &homeassistant) {
        keep_apart(reader, &mqtt.base_topic, homeassistant);
    }
    let accounts = accounts(reader);
    let cars = cars(reader);
    let polling = polling(reader);
    let budget = budget(reader);
    let tariff = tariff(reader);
    let commands = CommandsSettings {
        enabled: reader.bool("commands.enabled"),
    };
    let compat = CompatSettings {
        teslamate: reader.bool("compat.teslamate"),
        teslamate_namespace: reader.text("compat.teslamate_namespace", |text| {
            topic_level(text)
                .map_err(|complaint| format!("{complaint}: one topic level, such as \"home\""))
        }),
    };
    let web = web(reader);
    let state = reader
        .path("state.directory")
        .map(|directory| StateSettings { directory });
    let log = log(reader);
    Some(Settings {
        mqtt: mqtt?,
        broker: broker?,
        homeassistant: homeassistant?,
        accounts,
        cars,
        polling: polling?,
        budget: budget?,
        tariff,
        commands,
        compat,
        web: web?,
        state: state?,
        log: log?,
    })
}

fn web(reader: &mut SettingsReader<'_>) -> Option<WebSettings> {
    let web = WebSettings {
        listen: reader.text("web.listen", listen)?,
    };
    let default = schema::row("web.listen").and_then(|row| row.default);
    if default.is_some_and(|default| listen(default) != Ok(web.listen)) {
        reader.warn(
            "web.listen",
            "has no effect: there is no status board in this version, nobody listens",
        );
    }
    Some(web)
}

fn mqtt(reader: &mut SettingsReader<'_>, broker: Option<&BrokerSettings>) -> Option<MqttSettings> {
    let address = reader.text("mqtt.url", broker_address);
    let username = reader.text("mqtt.username", not_empty);
    let password = reader.secret("mqtt.password", Some("mqtt.password"));
    let client_id = reader.text("mqtt.client_id", |text| {
        let legal = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if legal {
            Ok(text.to_owned())
        } else {
            Err(String::new())
        }
    });
    let protocol = reader
        .integer("mqtt.protocol", 4..=5)
        .map(|version| match version {
            4 => Protocol::V4,
            _ => Protocol::V5,
        });
    let base_topic = reader.text("mqtt.base_topic", topic);
    let range = Duration::from_secs(5)..=Duration::from_mins(20);
    let keep_alive = reader.duration("mqtt.keep_alive", range);
    let tls = tls(reader, address.as_ref().is_none_or(|address| address.tls));
    if password.is_some() && username.is_none() && !reader.is_given("mqtt.username") {
        reader.warn(
            "mqtt.password",
            "has no effect with most brokers without mqtt.username",
        );
    }
    let mut mqtt = MqttSettings {
        tls: address.as_ref()?.tls.then_some(tls),
        port: address.as_ref()?.port,
        host: address?.host,
        username,
        password,
        client_id,
        protocol: protocol?,
        base_topic: base_topic?,
        keep_alive: keep_alive?,
    };
    // Whoever switches the broker on and names no other means that one.
    if let Some(own) = broker.filter(|own| own.enabled && !reader.is_given("mqtt.url")) {
        mqtt.host = match own.listen.ip() {
            ip if !ip.is_unspecified() => ip.to_string(),
            ip if ip.is_ipv6() => "::1".to_owned(),
            _ => "127.0.0.1".to_owned(),
        };
        mqtt.port = own.listen.port();
        if mqtt.username.is_none() && mqtt.password.is_none() {
            mqtt.username.clone_from(&own.username);
            mqtt.password.clone_from(&own.password);
        }
    }
    Some(mqtt)
}

fn tls(reader: &mut SettingsReader<'_>, wanted: bool) -> TlsSettings {
    let keys = [
        "mqtt.ca_file",
        "mqtt.client_cert_file",
        "mqtt.client_key_file",
    ];
    if !wanted {
        for key in keys {
            if reader.is_given(key) {
                reader.refuse(
                    key,
                    "has no effect without TLS: expected mqtt.url to start with \"mqtts://\"",
                );
            }
        }
        return TlsSettings::default();
    }
    let tls = TlsSettings {
        ca_file: reader.certificates(keys[0]).map(|(path, _)| path),
        client_cert_file: reader.certificates(keys[1]).map(|(path, _)| path),
        client_key_file: reader.private_key(keys[2]),
    };
    match (reader.is_given(keys[1]), reader.is_given(keys[2])) {
        (true, false) => reader.refuse(keys[1], "expected mqtt.client_key_file beside it"),
        (false, true) => reader.refuse(keys[2], "expected mqtt.client_cert_file beside it"),
        _ => {}
    }
    tls
}

fn broker(reader: &mut SettingsReader<'_>) -> Option<BrokerSettings> {
    let enabled = reader.bool("broker.enabled");
    let listen = reader.text("broker.listen", listen);
    let username = reader.text("broker.username", not_empty);
    let password = reader.secret("broker.password", Some("broker.password"));
    let is_open = listen.is_some_and(|listen| !listen.ip().is_loopback());
    match (
        reader.is_given("broker.username"),
        reader.is_sourced("broker.password"),
    ) {
        (false, false) if is_open => reader.refuse(
            "broker.listen",
            "whoever reaches this address could command your cars: expected broker.username and broker.password, or a loopback address",
        ),
        (false, true) => reader.missing("broker.username", "broker.password is set: "),
        (true, false) => reader.missing_secret(
            "broker.password",
            Some("broker.password"),
            "broker.username is set: ",
        ),
        _ => {}
    }
    Some(BrokerSettings {
        enabled,
        listen: listen?,
        username,
        password,
    })
}

fn homeassistant(reader: &mut SettingsReader<'_>) -> Option<HomeAssistantSettings> {
    let enabled = reader.bool("homeassistant.enabled");
    let discovery_prefix = reader.text("homeassistant.discovery_prefix", topic);
    let status_topic = reader.text("homeassistant.status_topic", topic);
    let status_online = reader.text("homeassistant.status_online", not_empty);
    Some(HomeAssistantSettings {
        enabled,
        discovery_prefix: discovery_prefix?,
        status_topic: status_topic?,
        status_online: status_online?,
    })
}

fn accounts(reader: &mut SettingsReader<'_>) -> Vec<AccountSettings> {
    let indices =
        (0..).take_while(|n| reader.layers.tables.contains_key(&format!("accounts[{n}]")));
    let n_accounts = indices.count();
    reader.refuse_accounts_beyond(n_accounts);
    if n_accounts == 0 {
        reader.missing_accounts();
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    (0..n_accounts)
        .filter_map(|index| account(reader, &format!("accounts[{index}]"), &mut seen))
        .collect()
}

fn account(
    reader: &mut SettingsReader<'_>,
    at: &str,
    seen: &mut BTreeSet<String>,
) -> Option<AccountSettings> {
    let key = |name: &str| format!("{at}.{name}");
    let name = reader.text(&key("name"), account_name);
    if !reader.is_given(&key("name")) {
        reader.missing(&key("name"), "");
    }
    let apis = [
        ("fleet", Api::Fleet),
        ("owner", Api::Owner),
        ("password", Api::Password),
    ];
    let api = reader.choice(&key("api"), &apis);
    if !reader.is_given(&key("api")) {
        reader.missing(&key("api"), "");
    }
    if let Some(name) = &name
        && !seen.insert(name.to_ascii_lowercase())
    {
        reader.refuse(
            &key("name"),
            "another account has this name: expected each name once",
        );
    }
    let credential = |what: &str| {
        let name = name.as_ref()?;
        Some(format!("accounts.{name}.{what}"))
    };
    let mut secret = |what: &str| reader.secret(&key(what), credential(what).as_deref());
    let refresh_token = secret("refresh_token");
    let client_secret = secret("client_secret");
    let password = secret("password");
    let client_id = reader.text(&key("client_id"), not_empty);
    let email = reader.text(&key("email"), |text| match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() => Ok(text.to_owned()),
        _ => Err(String::new()),
    });
    let regions = [("na", Region::Na), ("eu", Region::Eu), ("cn", Region::Cn)];
    let region = reader.choice(&key("region"), &regions);
    let api_url = reader.text(&key("api_url"), base_url);
    let auth_url = reader.text(&key("auth_url"), base_url);
    let (ca_file, ca_fingerprint) = reader.certificates(&key("ca_file")).unzip();

    let has = |reader: &SettingsReader<'_>, name: &str| {
        reader.is_given(&key(name)) || reader.is_sourced(&key(name))
    };
    match api {
        Some(Api::Fleet) if !has(reader, "client_id") => {
            reader.missing(&key("client_id"), "the Fleet API needs it: ");
        }
        Some(Api::Password) if !has(reader, "refresh_token") => {
            let why = "the password login needs it: ";
            if !has(reader, "email") {
                reader.missing(&key("email"), why);
            }
            if !has(reader, "password") {
                let credential = credential("password");
                reader.missing_secret(&key("password"), credential.as_deref(), why);
            }
        }
        Some(Api::Owner | Api::Fleet) => {
            for name in ["email", "password"] {
                if has(reader, name) {
                    reader.warn(
                        &key(name),
                        "has no effect: only api = \"password\" signs in with it",
                    );
                }
            }
        }
        _ => {}
    }
    Some(AccountSettings {
        name: name?,
        api: api?,
        refresh_token,
        client_id,
        client_secret,
        email,
        password,
        region,
        api_url,
        auth_url,
        ca_file,
        ca_fingerprint,
    })
}

/// Names files, credentials and topics, hence the narrow choice of letters.
fn account_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=32).contains(&text.len()) && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err(String::new())
    }
}

fn cars(reader: &mut SettingsReader<'_>) -> BTreeMap<Vin, CarSettings> {
    let vins: Vec<Vin> = reader
        .layers
        .tables
        .keys()
        .filter_map(|table| Vin::new(table.strip_prefix("cars.")?).ok())
        .collect();
    let mut cars = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for vin in vins {
        let key = format!("cars.{}.alias", vin.as_str());
        let alias = reader.text(&key, alias);
        if let Some(alias) = &alias
            && !seen.insert(alias.clone())
        {
            reader.refuse(&key, "another car has this alias: expected each alias once");
        }
        let key = format!("cars.{}.teslamate_number", vin.as_str());
        let number = reader.integer(&key, 1..=32_767);
        let teslamate_number = number.and_then(|number| u32::try_from(number).ok());
        if let Some(number) = teslamate_number
            && !numbers.insert(number)
        {
            reader.refuse(
                &key,
                "another car has this number: expected each number once",
            );
        }
        let car = CarSettings {
            alias,
            teslamate_number,
        };
        cars.insert(vin, car);
    }
    cars
}

fn polling(reader: &mut SettingsReader<'_>) -> Option<PollingSettings> {
    let presets = [
        ("auto", None),
        ("metered", Some(Preset::Metered)),
        ("unmetered", Some(Preset::Unmetered)),
        ("push", Some(Preset::Push)),
    ];
    let preset = reader.choice("polling.preset", &presets);
    let classes = [
        ("learn", ClassSetting::Learn),
        ("yes", ClassSetting::Held),
        ("no", ClassSetting::NotHeld),
    ];
    let data_holds_awake = reader.choice("polling.data_holds_awake", &classes);
    let range = Duration::from_mins(30)..=Duration::from_hours(7 * 24);
    let unavailable_after = reader.duration("polling.unavailable_after", range);
    let unlocked_holds = reader.bool("polling.unlocked_holds");
    let intervals = policy::FIELDS.iter().filter_map(|field| {
        let key = format!("polling.{}", field.name);
        let interval = reader.duration(&key, field.floor..=policy::CEILING)?;
        Some((field.name, interval))
    });
    let intervals = intervals.collect();
    Some(PollingSettings {
        preset: preset?,
        intervals,
        data_holds_awake: data_holds_awake?,
        unlocked_holds,
        unavailable_after: unavailable_after?,
    })
}

fn budget(reader: &mut SettingsReader<'_>) -> Option<BudgetSettings> {
    let dollars = reader.number("budget.dollars");
    let calls = reader.integer("budget.calls", 0..=i64::from(u32::MAX));
    if reader.is_given("budget.dollars") && reader.is_given("budget.calls") {
        reader.refuse(
            "budget.calls",
            "given together with budget.dollars: keep one of them",
        );
    }
    let [light, data, command, wake, signal] = ["light", "data", "command", "wake", "signal"]
        .map(|class| reader.number(&format!("budget.price_{class}")));
    let limit = match (dollars, calls) {
        (_, Some(calls)) => MonthlyLimit::DataCalls(u32::try_from(calls).unwrap_or(u32::MAX)),
        (Some(dollars), None) => MonthlyLimit::Dollars(dollars),
        // What Tesla gives every account each month (tesla-api.md, section 8.1).
        (None, None) => MonthlyLimit::Dollars(10.0),
    };
    Some(BudgetSettings {
        limit,
        prices: Prices {
            light: light?,
            data: data?,
            command: command?,
            wake: wake?,
        },
        signal_price: signal?,
    })
}

fn tariff(reader: &mut SettingsReader<'_>) -> Tariff {
    let price = reader.number("tariff.price");
    let cheap_price = reader.number("tariff.cheap_price");
    let cheap_hours = reader.text("tariff.cheap_hours", |text| {
        text.split(',')
            .map(hours)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(String::new)
    });
    let (has_price, has_hours) = (
        reader.is_given("tariff.cheap_price"),
        reader.is_given("tariff.cheap_hours"),
    );
    if has_price && !has_hours {
        reader.missing("tariff.cheap_hours", "tariff.cheap_price is set: ");
    }
    if has_hours && !has_price {
        reader.missing("tariff.cheap_price", "tariff.cheap_hours is set: ");
    }
    if has_price && !reader.is_given("tariff.price") {
        reader.missing("tariff.price", "for the other hours: ");
    }
    let loss = reader.integer("tariff.ac_loss_percent", 0..=50);
    let loss = loss.and_then(|percent| u8::try_from(percent).ok());
    Tariff {
        currency: reader.text("tariff.currency", |text| {
            let is_plain = !text.chars().any(char::is_control);
            if is_plain && (1..=16).contains(&text.chars().count()) {
                Ok(text.to_owned())
            } else {
                Err(String::new())
            }
        }),
        price,
        cheap: cheap_price
            .zip(cheap_hours)
            .map(|(price, hours)| Cheap { price, hours }),
        fast_price: reader.number("tariff.fast_price"),
        ac_loss: f64::from(loss.unwrap_or(0)) / 100.0,
    }
}

/// `23:30-05:30`.
fn hours(text: &str) -> Option<Hours> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute_of_day(from)?, minute_of_day(until)?);
    (from != until).then_some(Hours { from, until })
}

/// `23:30`; `24:00` is the midnight at the end.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let is_plain = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse::<u16>().ok())?
    };
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(0),
        (hour @ 0..24, minute @ 0..60) => Some(hour * 60 + minute),
        _ => None,
    }
}

fn log(reader: &mut SettingsReader<'_>) -> Option<LogSettings> {
    let format = reader.choice(
        "log.format",
        &[("text", Format::Text), ("json", Format::Json)],
    );
    let level = reader.text("log.level", |text| match filter(text) {
        Some(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(String::new()),
    });
    Some(LogSettings {
        format: format?,
        level: level?,
    })
}
