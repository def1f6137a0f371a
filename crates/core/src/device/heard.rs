//! What the policy reads from observations, by their source.

use crate::model::{CarRecord, ChargingState, Gear, Observation, Source, Value, Vehicle};
use crate::policy::{self, Light, LightState, Push};

/// The policy's reading of what one source saw; `None` where it decides nothing by it. An answer
/// ends the call under way.
pub(super) fn by_policy(seen: &[Observation], car: &Vehicle) -> Option<policy::PolicyInput> {
    match seen.first()?.source {
        Source::Light => Some(policy::PolicyInput::Light(light(seen))),
        Source::List => Some(policy::PolicyInput::Seen(light(seen))),
        Source::Data => Some(policy::PolicyInput::Data(Box::new(CarRecord::of(car)))),
        Source::Push => Some(policy::PolicyInput::Push(push(seen))),
        Source::Bridge => None,
    }
}

fn light(seen: &[Observation]) -> Light {
    Light {
        state: LightState::of(text(seen, "state")),
        in_service: truth(seen, "in_service").unwrap_or(false),
    }
}

fn push(seen: &[Observation]) -> Push {
    Push {
        connected: truth(seen, "push.connected"),
        gear: text(seen, "drive_state.shift_state").and_then(Gear::of),
        charging_state: text(seen, "charge_state.charging_state").map(ChargingState::of),
        user_present: truth(seen, "vehicle_state.is_user_present"),
        asleep: truth(seen, "push.asleep"),
    }
}

fn value<'a>(seen: &'a [Observation], path: &str) -> Option<&'a Value> {
    let mut signals = seen.iter().flat_map(|seen| &seen.signals);
    let (_, value) = signals.find(|(signal, _)| signal.as_str() == path)?;
    value.as_ref()
}

fn text<'a>(seen: &'a [Observation], path: &str) -> Option<&'a str> {
    value(seen, path)?.text()
}

fn truth(seen: &[Observation], path: &str) -> Option<bool> {
    value(seen, path)?.truth()
}
