//! A report from the field: what a car and its cloud answered, one file each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::body::script::{FieldValues, Script, ScriptedAnswer};
use tesla2mqtt::sim::cloud::{Aim, CallKind, Cloud, Fault};

use crate::ci;
use crate::rig::world::{ACCOUNT, vin};

/// As its README says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `owner` unless it says otherwise.
    pub api: Option<String>,
    pub polling: Option<String>,
    #[serde(default)]
    pub extra: String,
    pub cars: Vec<Car>,
    #[serde(default)]
    faults: Vec<Failure>,
    #[serde(default)]
    id_paths_404: bool,
    #[serde(default)]
    other_cars_answer_nth: Vec<usize>,
    #[serde(skip)]
    pub refusals: Vec<Refusal>,
    /// What the first lists are answered with.
    #[serde(skip)]
    pub list_faults: Vec<Fault>,
    // For the people who read it.
    #[serde(rename = "right")]
    _right: String,
    #[serde(rename = "show")]
    _show: String,
    #[serde(rename = "secs")]
    _secs: u32,
    #[serde(rename = "show_calls")]
    _show_calls: Option<bool>,
    #[serde(rename = "show_ids")]
    _show_ids: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Car {
    vin: Option<Vin>,
    pub steps: Vec<Answer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    pub set: FieldValues,
    pub once: FieldValues,
    ts: i64,
    gts: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    path: String,
    nth: Vec<u64>,
    status: u16,
    body: String,
}

/// Answers of the cloud's to calls about one car.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Which car.
    pub car: usize,
    pub call: CallKind,
    /// From 1, of its calls of this kind.
    pub nth: &'static [u64],
    pub fault: Fault,
}

/// Looks soon, so that a story of nine answers is over before the car is left alone.
const POLLING: &str = "[polling]\nstart_spread = \"0s\"\nidle_first_data = \"10s\"\n\
     idle_early_data = \"10s\"\nidle_data = \"20s\"\nidle_light = \"10s\"\ndriving_data = \"5s\"\n\
     charging_first_data = \"5s\"\ncharging_data = \"5s\"\ndata_holds_awake = \"no\"\n";
/// The same for many cars at a time, whose looks one machine has to follow: each is to be told of
/// before the next, or only the newest is.
const POLLING_OF_MANY: &str = "[polling]\nstart_spread = \"0s\"\nidle_first_data = \"20s\"\n\
     idle_early_data = \"20s\"\nidle_data = \"20s\"\nidle_light = \"20s\"\ndriving_data = \"20s\"\n\
     charging_first_data = \"20s\"\ncharging_data = \"20s\"\ndata_holds_awake = \"no\"\n\
     [homeassistant]\nenabled = false\n";
/// What answers about another car say.
const OTHER_CAR: [(&str, &str); 2] = [
    ("vin", "LRW3E7EK5PC000099"),
    ("charge_state.battery_level", "11"),
];

impl Report {
    /// The report of this name, as it was found; `None`, and loudly, where there are no reports.
    pub fn read(name: &str) -> Option<Self> {
        let path = ci::fixtures().join("field-reports").join(name);
        let Ok(text) = std::fs::read(&path) else {
            ci::skip(&format!("no report from the field at {}", path.display()));
            return None;
        };
        Some(serde_json::from_slice(&text).expect("a report"))
    }

    /// A report that no owner wrote: a car for each of these lists of answers. `None`, and loudly,
    /// where there is no recording to begin with.
    pub fn of(answers: impl IntoIterator<Item = Vec<Answer>>) -> Option<Self> {
        let recorded = recorded_answer();
        if !recorded.is_file() {
            ci::skip(&format!("no recorded answer at {}", recorded.display()));
            return None;
        }
        let cars = (1..).zip(answers).map(|(number, steps)| Car {
            vin: Some(vin(number)),
            steps,
        });
        Some(Self {
            cars: cars.collect(),
            polling: Some(POLLING_OF_MANY.to_owned()),
            ..Self::default()
        })
    }

    /// What the configuration has beside broker, state and account.
    pub fn settings(&self) -> String {
        let polling = self.polling.as_deref().unwrap_or(POLLING);
        format!("{polling}{}", self.extra)
    }

    /// Which of Tesla's interfaces the owner used.
    pub fn api(&self) -> &str {
        self.api.as_deref().unwrap_or("owner")
    }

    /// Puts its cars into a cloud, and what went wrong there.
    pub fn fill(&self, cloud: &Cloud) -> Vec<Vin> {
        let cars = self.cars.iter().map(|car| {
            let script = Script::new(first_answer(car), self.steps(car)).expect("a car");
            let vin = cloud.add_script(ACCOUNT, script);
            if self.id_paths_404 {
                cloud.forget_number(&vin);
            }
            vin
        });
        let cars: Vec<Vin> = cars.collect();
        for refusal in &self.refusals {
            let aim = Aim {
                calls: vec![refusal.call],
                vin: Some(cars[refusal.car].clone()),
            };
            for nth in refusal.nth {
                cloud.fail_nth(*nth, &aim, &refusal.fault);
            }
        }
        for fault in &self.list_faults {
            cloud.fail_next(1, &Aim::at(&[CallKind::Products]), fault);
        }
        for failure in &self.faults {
            let call = match failure.path.as_str() {
                "vehicle_data" => CallKind::Data,
                "products" => CallKind::Products,
                other => panic!("which call is {other}?"),
            };
            let fault = Fault::Status {
                code: failure.status,
                headers: Vec::new(),
                body: failure.body.clone(),
            };
            for nth in &failure.nth {
                cloud.fail_nth(*nth, &Aim::at(&[call]), &fault);
            }
        }
        cars
    }

    fn steps(&self, car: &Car) -> Vec<ScriptedAnswer> {
        let mut steps: Vec<ScriptedAnswer> = car
            .steps
            .iter()
            .cloned()
            .map(ScriptedAnswer::from)
            .collect();
        for nth in &self.other_cars_answer_nth {
            steps.resize(steps.len().max(*nth), ScriptedAnswer::default());
            let other_car = OTHER_CAR.map(|(path, text)| {
                let value = text
                    .parse::<i64>()
                    .map_or_else(|_| text.into(), Value::from);
                (path.to_owned(), value)
            });
            steps[nth - 1].once.extend(other_car);
        }
        steps
    }
}

/// Values by their paths.
pub type Values<'a> = &'a [(&'a str, Value)];

impl Answer {
    /// The first answer of a car that is parked, unplugged and alone, and whatever else is so.
    pub fn parked(values: Values<'_>) -> Self {
        Self::set(&[
            ("drive_state.shift_state", Value::Null),
            ("drive_state.speed", Value::Null),
            ("drive_state.power", 0.into()),
            ("vehicle_state.is_user_present", false.into()),
            ("climate_state.is_climate_on", false.into()),
            ("climate_state.is_preconditioning", false.into()),
            ("vehicle_state.sentry_mode", false.into()),
            ("charge_state.charging_state", "Disconnected".into()),
        ])
        .and_set(values)
    }

    /// In gear at 30 mph, with this odometer.
    pub fn driving(odometer: f64) -> Self {
        Self::set(&[
            ("drive_state.shift_state", "D".into()),
            ("drive_state.speed", 30.into()),
            ("vehicle_state.odometer", odometer.into()),
        ])
    }

    /// From this answer on.
    pub fn set(values: Values<'_>) -> Self {
        Self::default().and_set(values)
    }

    /// From this answer on, too.
    pub fn and_set(mut self, values: Values<'_>) -> Self {
        self.set.extend(changes(values));
        self
    }

    /// In this answer alone.
    pub fn once(values: Values<'_>) -> Self {
        Self::default().but_once(values)
    }

    /// In this answer alone, too.
    pub fn but_once(mut self, values: Values<'_>) -> Self {
        self.once.extend(changes(values));
        self
    }

    /// With stamps that are so many seconds ahead.
    pub fn ahead(self, ts: i64) -> Self {
        Self { ts, ..self }
    }

    /// With the stamp of one group so many seconds ahead.
    pub fn group_ahead(mut self, group: &str, gts: i64) -> Self {
        self.gts.insert(group.to_owned(), gts);
        self
    }
}

fn changes(values: Values<'_>) -> FieldValues {
    let owned = |(path, value): &(&str, Value)| ((*path).to_owned(), value.clone());
    values.iter().map(owned).collect()
}

impl From<Answer> for ScriptedAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            set: answer.set,
            once: answer.once,
            ahead_s: answer.ts,
            group_ahead_s: answer.gts,
        }
    }
}

fn recorded_answer() -> PathBuf {
    let name = "vehicle_data-model3-rhd-stopped-update-available.json";
    ci::fixtures().join("tesla-api").join(name)
}

/// The recording that all of them begin with, as this car's.
fn first_answer(car: &Car) -> Value {
    let text = std::fs::read(recorded_answer()).expect("a recorded answer beside the reports");
    let mut answer: Value = serde_json::from_slice(&text).expect("JSON");
    if let Some(vin) = &car.vin {
        let body = answer["response"].as_object_mut().expect("a car");
        body.insert("vin".to_owned(), vin.as_str().into());
        // Numbers of its own, too.
        body.retain(|key, _| !matches!(key.as_str(), "id" | "id_s" | "vehicle_id"));
    }
    answer
}
