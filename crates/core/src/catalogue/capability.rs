//! Which cars have a fact at all. Only what the car itself says counts: its configuration, or that
//! it has mentioned the field. A car of which nothing is known passes no capability gate; the
//! entity appears with the first answer that shows the part.

use super::entity::Entity;
use crate::model::Vehicle;

/// What a car must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Every car has it.
    Always,
    /// The car has at some time had a value for one of the row's own signals. Null is no value:
    /// cars without the part say it for ever.
    Mentioned,
    /// Heated rear seats.
    RearSeatHeaters,
    /// A heated middle seat in the rear.
    RearCenterSeatHeater,
    /// Heated seats in a third row.
    ThirdRowSeatHeaters,
    /// Ventilated front seats.
    SeatCooling,
    /// A sunroof that opens.
    Sunroof,
    /// HomeLink.
    Homelink,
    /// The speaker for pedestrians.
    PedestrianSpeaker,
}

impl Capability {
    /// Whether this car has the row.
    pub fn admits(self, entity: &Entity, car: &Vehicle) -> bool {
        let mentioned = |path: &str| car.known(path).is_some_and(|known| known.was_known);
        match self {
            Self::Always => true,
            Self::Mentioned => entity
                .extractor
                .signals()
                .iter()
                .any(|path| mentioned(path)),
            Self::RearSeatHeaters => rear_seat_heaters(car) > 0.0,
            // 2 is outboard only (entity catalogue, seat_heater_rear_center).
            // A six-seater says 3 and has no middle seat.
            Self::RearCenterSeatHeater => {
                [1.0, 3.0].contains(&rear_seat_heaters(car))
                    && mentioned("climate_state.seat_heater_rear_center")
            }
            Self::ThirdRowSeatHeaters => rear_seat_heaters(car) >= 3.0 && has_third_row(car),
            Self::SeatCooling => truth(car, "has_seat_cooling"),
            Self::Sunroof => truth(car, "sun_roof_installed"),
            Self::Homelink => car
                .number("vehicle_state.homelink_device_count")
                .is_some_and(|devices| devices > 0.0),
            Self::PedestrianSpeaker => truth(car, "pws"),
        }
    }

    /// For the documentation.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Always => "",
            Self::Mentioned => "cars that report it",
            Self::RearSeatHeaters => "heated rear seats",
            Self::RearCenterSeatHeater => "heated middle seat in the rear",
            Self::ThirdRowSeatHeaters => "heated third row",
            Self::SeatCooling => "ventilated front seats",
            Self::Sunroof => "sunroof that opens",
            Self::Homelink => "HomeLink",
            Self::PedestrianSpeaker => "pedestrian speaker",
        }
    }
}

/// The configuration stood in `vehicle_state` until 2017.
fn truth(car: &Vehicle, field: &str) -> bool {
    ["vehicle_config", "vehicle_state"]
        .iter()
        .find_map(|group| car.truth(&format!("{group}.{field}")))
        .unwrap_or(false)
}

fn rear_seat_heaters(car: &Vehicle) -> f64 {
    car.number("vehicle_config.rear_seat_heaters")
        .or_else(|| car.number("vehicle_state.rear_seat_heaters"))
        .unwrap_or(0.0)
}

fn has_third_row(car: &Vehicle) -> bool {
    car.text("vehicle_config.third_row_seats")
        .or_else(|| car.text("vehicle_state.third_row_seats"))
        .is_some_and(|seats| !seats.eq_ignore_ascii_case("none"))
}
