//! One function a section: reads its keys and checks what they say together.

mod accounts;
mod mqtt;
mod tariff;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::accounts::accounts;
use self::mqtt::{broker, mqtt};
use self::tariff::tariff;
use super::reader::SettingsReader;
use super::schema;
use super::settings::{
    BudgetSettings, CarSettings, CommandsSettings, CompatSettings, HomeAssistantSettings,
    PollingSettings, Settings, StateSettings, WebSettings,
};
use super::texts::{listen, not_empty};
use super::topic::{alias, refuse_overlap, topic, topic_level};
use crate::log::{Format, LogSettings, filter};
use crate::model::Vin;
use crate::policy::{self, ClassSetting, MonthlyLimit, Preset, Prices};

/// Reads everything; what is missing or wrong is noted in the reader.
pub(super) fn settings(reader: &mut SettingsReader<'_>) -> Option<Settings> {
    let broker = broker(reader);
    let mqtt = mqtt(reader, broker.as_ref());
    let homeassistant = homeassistant(reader);
    if let (Some(mqtt), Some(homeassistant)) = (&mqtt, &homeassistant) {
        refuse_overlap(reader, &mqtt.base_topic, homeassistant);
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
