//! Cars to be followed, and what they do.

use std::time::Duration;

use tesla2mqtt::model::Vin;
use tesla2mqtt::policy::HoldReason;
use tesla2mqtt::sim::{CarSpec, Deed, Plan, Segment};

/// A Model 3, about which the VIN says nothing.
pub const VIN: &str = "5YJ3E1EA0JF000001";

pub const fn minutes(n: u64) -> Duration {
    Duration::from_mins(n)
}

/// A car with these deeds, each at its minute, then nothing for years.
pub fn life(deeds: &[(u64, Deed)]) -> CarSpec {
    let segments = deeds.iter().map(|(minute, deed)| Segment {
        start: minutes(*minute),
        deed: deed.clone(),
    });
    spec(Plan::once(segments.collect()))
}

pub fn spec(plan: Plan) -> CarSpec {
    CarSpec {
        battery_level: 50.0,
        ..CarSpec::new(Vin::new(VIN).expect("a VIN"), plan)
    }
}

pub fn drive(length: u64) -> Deed {
    #[expect(clippy::cast_precision_loss, reason = "minutes of a drive")]
    Deed::Drive {
        length: minutes(length),
        km: length as f64,
    }
}

pub fn charge(length: u64, kw: f64) -> Deed {
    Deed::Charge {
        length: minutes(length),
        kw,
        dc: kw > 22.0,
        scheduled_in: None,
    }
}

pub fn hold(reason: HoldReason, length: u64) -> Deed {
    Deed::Hold {
        reason,
        length: minutes(length),
    }
}

pub fn dead_zone(length: u64) -> Deed {
    Deed::DeadZone {
        length: minutes(length),
    }
}

pub fn held(spec: CarSpec) -> CarSpec {
    CarSpec { held: true, ..spec }
}
