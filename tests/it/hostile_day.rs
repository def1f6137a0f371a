//! What a cloud that contradicts itself, or limits and refuses everything, costs on a whole day of
//! the bridge over real HTTP: each call that makes no sense is made again a few times, then ever
//! later. A day of theirs is half a minute of ours.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tesla2mqtt::sim::body::script::{FieldValues, Script, ScriptedAnswer};
use tesla2mqtt::sim::cloud::{Aim, CallKind, CloudOptions, Fault, Login};

use crate::child;
use crate::rig::running::RunningBridge;
use crate::rig::world::{World, vin};
use crate::rig::{SOON, eventually};

/// As fast as the clocks can go: an hour is a second.
const SPEED: f64 = 3600.0;
const DAY: Duration = Duration::from_hours(24);

/// A cloud of its own for each: what it does, and how many calls of each kind it may cost.
struct Trouble {
    name: &'static str,
    login: Login,
    begin: fn(&World),
    /// Life of its access tokens.
    access_life: Duration,
    most: &'static [(CallKind, usize)],
    /// And how many of each it must have seen.
    least: &'static [(CallKind, u64)],
}

/// One is due each hour anyway, and a few more may be asked for.
const LISTS: usize = 31;
/// One car, and two that share an id.
const HEALTHY_OWNER: &str = "healthy-owner";
const ONE_ID: &str = "one-id";

/// Nothing is wrong here: the measure of the others. How often a car that is awake is asked in a day
/// as fast as this depends on the machine.
const HEALTHY: Trouble = Trouble {
    name: "healthy",
    login: Login::Fleet,
    begin: |world| add_car(world, "healthy", 11, &[], 0),
    access_life: Duration::from_hours(8),
    most: &[(CallKind::Products, LISTS), (CallKind::Token, 6)],
    least: &[
        (CallKind::Products, 20),
        (CallKind::Light, 20),
        (CallKind::Data, 20),
    ],
};

const TROUBLES: &[Trouble] = &[
    HEALTHY,
    Trouble {
        name: HEALTHY_OWNER,
        login: Login::Owner,
        begin: |world| add_car(world, HEALTHY_OWNER, 12, &[], 0),
        ..HEALTHY
    },
    Trouble {
        name: ONE_ID,
        login: Login::Owner,
        begin: |world| {
            // Asked for either, it tells of the first.
            for number in [1, 2] {
                add_car(world, ONE_ID, number, &[("id", json!(77))], 0);
            }
        },
        most: &[(CallKind::Products, LISTS)],
        least: &[
            (CallKind::Products, 20),
            (CallKind::Light, 50),
            (CallKind::Data, 20),
        ],
        ..HEALTHY
    },
    Trouble {
        name: "another-vin",
        begin: |world| add_car(world, "another-vin", 3, &[], 5000),
        most: &[(CallKind::Products, LISTS), (CallKind::Data, 25)],
        least: &[(CallKind::Products, 20), (CallKind::Data, 5)],
        ..HEALTHY
    },
    Trouble {
        name: "another-vin-owner",
        login: Login::Owner,
        begin: |world| add_car(world, "another-vin-owner", 4, &[], 5000),
        most: &[(CallKind::Products, LISTS), (CallKind::Data, 40)],
        least: &[(CallKind::Products, 20), (CallKind::Data, 10)],
        ..HEALTHY
    },
    Trouble {
        name: "not-found",
        begin: |world| {
            add_car(world, "not-found", 5, &[], 0);
            always(
                world,
                &[CallKind::Light, CallKind::Data],
                Fault::status(404, "not_found"),
            );
        },
        most: &[
            (CallKind::Products, LISTS),
            (CallKind::Light, 45),
            (CallKind::Data, 20),
        ],
        least: &[
            (CallKind::Products, 20),
            (CallKind::Light, 15),
            (CallKind::Data, 6),
        ],
        ..HEALTHY
    },
    Trouble {
        name: "limited-data",
        begin: |world| {
            add_car(world, "limited-data", 6, &[], 0);
            always(world, &[CallKind::Data], Fault::rate_limited(Some("0")));
        },
        most: &[(CallKind::Products, LISTS), (CallKind::Data, 30)],
        least: &[(CallKind::Products, 20), (CallKind::Data, 10)],
        ..HEALTHY
    },
    Trouble {
        name: "limited-light",
        begin: |world| {
            add_car(world, "limited-light", 7, &[], 0);
            let past = Some("Wed, 21 Oct 2015 07:28:00 GMT");
            always(world, &[CallKind::Light], Fault::rate_limited(past));
        },
        most: &[
            (CallKind::Products, LISTS),
            (CallKind::Light, 32),
            (CallKind::Data, 30),
        ],
        least: &[
            (CallKind::Products, 20),
            (CallKind::Light, 10),
            (CallKind::Data, 10),
        ],
        ..HEALTHY
    },
    Trouble {
        name: "limited-list",
        login: Login::Owner,
        begin: |world| {
            add_car(world, "limited-list", 8, &[], 0);
            always(world, &[CallKind::Products], Fault::rate_limited(Some("0")));
        },
        most: &[(CallKind::Products, 32)],
        least: &[(CallKind::Products, 10)],
        ..HEALTHY
    },
    Trouble {
        name: "limited-tokens",
        begin: |world| {
            add_car(world, "limited-tokens", 9, &[], 0);
            always(world, &[CallKind::Token], Fault::rate_limited(Some("0")));
        },
        most: &[
            (CallKind::Token, 32),
            (CallKind::Products, 0),
            (CallKind::Data, 0),
        ],
        least: &[(CallKind::Token, 10)],
        ..HEALTHY
    },
    Trouble {
        name: "old-tokens",
        login: Login::Fleet,
        begin: |world| add_car(world, "old-tokens", 10, &[], 0),
        access_life: Duration::from_secs(1),
        most: &[(CallKind::Token, 14)],
        least: &[(CallKind::Products, 4), (CallKind::Token, 4)],
    },
];

/// A car that is always online; so many of its answers claim to be another's.
fn add_car(world: &World, account: &str, number: u32, names: &[(&str, Json)], n_anothers: usize) {
    let at = json!({"timestamp": 0});
    let mut body = json!({
        "vin": vin(number).as_str(),
        "charge_state": {"battery_level": 60, "charging_state": "Disconnected", "timestamp": 0},
        "drive_state": {"shift_state": null, "speed": null, "power": 0, "timestamp": 0},
        "vehicle_state": {"odometer": 1000.0, "is_user_present": false, "timestamp": 0},
        "climate_state": at,
    });
    for (name, value) in names {
        body[*name] = value.clone();
    }
    let anothers = ScriptedAnswer {
        once: FieldValues::from([("vin".to_owned(), vin(99).as_str().into())]),
        ..ScriptedAnswer::default()
    };
    let script = Script::new(body, vec![anothers; n_anothers]).expect("a car");
    world.cloud.add_script(account, script);
}

fn always(world: &World, calls: &[CallKind], fault: Fault) {
    world.cloud.fail_share(1.0, Aim::at(calls), vec![fault], 1);
}

#[test]
fn a_day_of_contradictions_limits_and_refusals_costs_a_few_calls_of_each_kind() {
    child::at_speed(SPEED, async || {
        let mut worlds = Vec::new();
        for trouble in TROUBLES {
            let options = CloudOptions {
                access_life: trouble.access_life,
                ..CloudOptions::default()
            };
            let world = World::with(options).await;
            (trouble.begin)(&world);
            worlds.push(world);
        }
        let accounts: String = worlds
            .iter()
            .zip(TROUBLES)
            .map(|(world, trouble)| account(world, trouble))
            .collect();
        let begun = worlds[0].cloud.now();
        let bridge = RunningBridge::start(&worlds[0].config(&accounts));
        worlds[0].passes(DAY).await;
        // A day in which next to nothing was asked would be cheap as well. How much fits into it
        // depends on this machine: what is missing is waited for.
        for (world, trouble) in worlds.iter().zip(TROUBLES) {
            for (call, least) in trouble.least {
                let what = format!("{}: {least} times {call:?}", trouble.name);
                eventually(&what, SOON, || world.cloud.count(*call) >= *least).await;
            }
        }
        bridge.stop().await;
        let mut wrong = Vec::new();
        let count = |world: &World, call: CallKind| {
            let ledger = world.cloud.ledger();
            let before = |at: Timestamp| at.duration_since(begun).unsigned_abs() < DAY;
            let calls = ledger
                .requests()
                .filter(|of| of.call == call && before(of.at));
            calls.count()
        };
        let named = |name| {
            let mut all = worlds.iter().zip(TROUBLES);
            let found = all.find(|(_, trouble)| trouble.name == name);
            found.expect("a world of this name").0
        };
        for call in [CallKind::Light, CallKind::Data] {
            // Twice as many cars, and a little for their confusion.
            let most = count(named(HEALTHY_OWNER), call) * 5 / 2;
            let n = count(named(ONE_ID), call);
            if n > most {
                wrong.push((ONE_ID, call, n, most));
            }
        }
        for (world, trouble) in worlds.iter().zip(TROUBLES) {
            let of = |call: CallKind| count(world, call);
            println!(
                "{}: {} lists, {} light, {} data, {} tokens",
                trouble.name,
                of(CallKind::Products),
                of(CallKind::Light),
                of(CallKind::Data),
                of(CallKind::Token)
            );
            for (call, most) in trouble.most {
                if of(*call) > *most {
                    wrong.push((trouble.name, *call, of(*call), *most));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

fn account(world: &World, trouble: &Trouble) -> String {
    let name = trouble.name;
    let (token, _) = world.cloud.issue_tokens(name, trouble.login);
    if trouble.login == Login::Fleet {
        return world.fleet_account(name, &token);
    }
    let url = world.cloud.url();
    format!(
        "[[accounts]]\nname = \"{name}\"\napi = \"owner\"\n\
         refresh_token = \"{token}\"\napi_url = \"{url}\"\nauth_url = \"{url}\"\n"
    )
}
