//! What Tesla and a car may say, the impossible included.

use std::time::Duration;

use proptest::prelude::*;
use tesla2mqtt::model::{CarRecord, ChargingState, Gear, SoftwareUpdate, UpdateStatus};
use tesla2mqtt::policy::{Failure, Light, LightState, Push};

fn word() -> impl Strategy<Value = Option<String>> {
    let words = [
        "",
        "P",
        "D",
        "R",
        "N",
        "Charging",
        "Starting",
        "Complete",
        "NoPower",
        "Disconnected",
        "Calibrating",
        "installing",
        "downloading",
        "available",
        "on",
        "dog",
        "\u{0}",
        "🚗",
    ];
    proptest::option::of(proptest::sample::select(words.to_vec()).prop_map(str::to_owned))
}

fn number() -> impl Strategy<Value = Option<f64>> {
    let odd = [
        0.0,
        -1.0,
        1e300,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        50.0,
        11.0,
        150.0,
    ];
    proptest::option::of(prop_oneof![
        proptest::sample::select(odd.to_vec()),
        any::<f64>()
    ])
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0u64..4000).prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ]
}

pub fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Unavailable),
        Just(Failure::Transport),
        Just(Failure::Server),
        proptest::option::of(wait()).prop_map(|retry_after| Failure::Limited { retry_after }),
        Just(Failure::SignedOut),
        Just(Failure::BillingLimit),
        Just(Failure::Refused),
        Just(Failure::MissingScope),
        Just(Failure::Doubted),
        Just(Failure::NotFound),
        Just(Failure::InService),
        Just(Failure::Region),
        wait().prop_map(|retry_after| Failure::NotPermitted { retry_after }),
    ]
}

pub fn view() -> impl Strategy<Value = CarRecord> {
    let stamp = proptest::option::of(prop_oneof![
        1_780_000_000_000i64..1_790_000_000_000,
        any::<i64>(),
    ]);
    let flags = proptest::collection::vec(proptest::bool::weighted(0.1), 9);
    let start = proptest::option::of(1_780_000_000i64..1_781_000_000);
    (
        (stamp, word(), word(), word(), word(), word()),
        (number(), number(), number(), number(), number()),
        (flags, start),
    )
        .prop_map(|(words, numbers, (flags, start))| CarRecord {
            at: words.0.and_then(of_millisecond),
            drive_at: words.0.and_then(of_millisecond),
            gear: words.1.as_deref().and_then(Gear::of),
            charging_state: words.2.as_deref().map(ChargingState::of),
            update: words
                .3
                .as_deref()
                .and_then(UpdateStatus::of)
                .map(|status| SoftwareUpdate {
                    status,
                    version: words.4.clone(),
                    download_percent: numbers.4,
                    install_percent: None,
                }),
            car_version: words.4,
            climate_keeper_mode: words.5,
            power_kw: numbers.0,
            charger_power_kw: numbers.1,
            battery_level: numbers.2,
            odometer_mi: numbers.3,
            scheduled_charging_pending: flags[0],
            scheduled_charging_start: start.and_then(|s| jiff::Timestamp::from_second(s).ok()),
            user_present: flags[1],
            sentry_mode: flags[2],
            preconditioning: flags[3],
            climate_on: flags[4],
            cabin_overheat_cooling: flags[5],
            door_open: flags[6],
            trunk_open: flags[7],
            locked: Some(!flags[8]),
            in_service: flags[0] && flags[8],
            ..CarRecord::default()
        })
}

fn of_millisecond(ms: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(ms).ok()
}

pub fn light() -> impl Strategy<Value = Light> {
    let words = [
        LightState::Online,
        LightState::Asleep,
        LightState::Offline,
        LightState::Unknown,
    ];
    (
        proptest::sample::select(words.to_vec()),
        proptest::bool::weighted(0.05),
    )
        .prop_map(|(state, in_service)| Light { state, in_service })
}

pub fn push() -> impl Strategy<Value = Push> {
    let flag = || proptest::option::of(any::<bool>());
    (flag(), word(), word(), flag(), flag()).prop_map(
        |(connected, gear, charging, user, asleep)| Push {
            connected,
            gear: gear.as_deref().and_then(Gear::of),
            charging_state: charging.as_deref().map(ChargingState::of),
            user_present: user,
            asleep,
        },
    )
}
