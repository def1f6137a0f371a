//! Whose life is played: a named one of the simulator, or an owner's own from a file.

use std::time::Duration;

use crate::model::Vin;
use crate::sim::{BriefWakes, CarSpec, Plan};

/// Cars live their day this far apart, as neighbours do; in step they would share their peaks.
const APART: i32 = 25 * 60;
/// A pre-2021 Model S, which the policy takes for held by its VIN, and a Model 3, about which the
/// VIN says nothing.
const VINS: [(bool, &str); 2] = [(true, "5YJSA1E2XJF"), (false, "5YJ3E1EA0JF")];

/// A life and the car that lives it.
#[derive(Debug, Clone)]
pub struct Life {
    /// For the headline.
    pub name: String,
    /// What happens.
    pub plan: Plan,
    /// From the last use to sleep.
    pub time_to_sleep: Duration,
    /// The car comes online for a moment about once an hour while it sleeps.
    pub brief_wakes: bool,
    /// Whether data calls keep it awake, if its owner says so.
    pub held: Option<bool>,
    /// Usable energy of the battery, kWh.
    pub battery_kwh: f64,
    /// At the start, %.
    pub battery_level: f64,
    /// Charging stops here, %.
    pub charge_limit: f64,
    /// Consumption, Wh/km.
    pub wh_per_km: f64,
}

/// A life that has a name.
#[derive(Debug, Clone, Copy)]
pub struct NamedLife {
    /// Its name.
    pub name: &'static str,
    /// What happens in it.
    pub help: &'static str,
    plan: fn() -> Plan,
}

/// The named lives.
pub const LIVES: &[NamedLife] = &[
    NamedLife {
        name: "commuter",
        help: "workdays to the office and back, two charges a week at home",
        plan: Plan::commuter,
    },
    NamedLife {
        name: "weekender",
        help: "parked all week, two long trips with fast charging at the weekend",
        plan: Plan::weekender,
    },
    NamedLife {
        name: "taxi",
        help: "on the road from six to ten, fast charging twice a day",
        plan: Plan::taxi,
    },
    NamedLife {
        name: "parked",
        help: "nothing ever happens",
        plan: Plan::parked,
    },
    NamedLife {
        name: "model-day",
        help: "the day by which policies are compared: four drives, one app use, two hours of AC \
               charging",
        plan: Plan::model_day,
    },
];

impl Life {
    /// A plan lived by a common car that sleeps after 12 minutes.
    pub fn new(name: &str, plan: Plan) -> Self {
        Self {
            name: name.to_owned(),
            plan,
            time_to_sleep: Duration::from_mins(12),
            brief_wakes: false,
            held: None,
            battery_kwh: 75.0,
            battery_level: 50.0,
            charge_limit: 90.0,
            wh_per_km: 160.0,
        }
    }

    /// One of [`LIVES`].
    pub fn named(name: &str) -> Option<Self> {
        let life = LIVES.iter().find(|life| life.name == name)?;
        Some(Self::new(life.name, (life.plan)()))
    }

    /// The nth car that lives it.
    pub(super) fn car(&self, nth: u32, held: bool) -> CarSpec {
        let start = VINS.iter().find(|(of, _)| *of == held);
        let start = start.map_or("", |(_, start)| start);
        let vin = Vin::new(&format!("{start}{:06}", nth + 1)).expect("11 letters and 6 digits");
        CarSpec {
            held,
            time_to_sleep: self.time_to_sleep,
            brief_wakes: self.brief_wakes.then(BriefWakes::default),
            battery_kwh: self.battery_kwh,
            battery_level: self.battery_level,
            charge_limit: self.charge_limit,
            wh_per_km: self.wh_per_km,
            utc_offset: -APART.saturating_mul(i32::try_from(nth).unwrap_or(0) % 50),
            ..CarSpec::new(vin, self.plan.clone())
        }
    }
}
