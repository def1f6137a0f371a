//! TeslaMate's topics as data: a row each, in the order of its documentation.

use super::payload::PayloadRule;
use PayloadRule::{
    ActiveRoute, AnyOpen, Capitals, FirstWord, Kilometers, KilometersPerHour, Location, Model,
    Number, PluggedIn, RouteDestination, RouteNumber, Since, SoftwareUpdate, State, Text, Time,
    Truth, UpdateAvailable,
};
use Unknown::{Deletes, EachTime, Stays};

/// One topic.
#[derive(Debug, Clone, Copy)]
pub struct TeslaMateTopic {
    /// Last topic level.
    pub key: &'static str,
    /// The signals that it is made from.
    pub from: &'static [&'static str],
    /// How they become a payload.
    pub said: PayloadRule,
    /// What happens to the topic when there is no payload.
    pub unknown: Unknown,
}

/// What becomes of a topic whose value is not known; TeslaMate has two answers, by topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing is sent: the retained value stays.
    Stays,
    /// An empty retained payload: the broker deletes the topic.
    Deletes,
    /// Never retained, so nothing is left.
    EachTime,
}

impl Unknown {
    /// For the documentation.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Stays => "keeps its value",
            Self::Deletes => "deleted",
            Self::EachTime => "not retained",
        }
    }
}

/// A topic of TeslaMate's that the bridge has no fact for.
#[derive(Debug, Clone, Copy)]
pub struct NotDerived {
    /// Last topic level.
    pub key: &'static str,
    /// Why, for the documentation.
    pub why: &'static str,
}

/// What cannot be had from Tesla's answers.
pub const NOT_DERIVED: &[NotDerived] = &[
    NotDerived {
        key: "geofence",
        why: "the name of a place drawn in TeslaMate and kept in its database; zones of the home automation do the same",
    },
    NotDerived {
        key: "elevation",
        why: "looked up by TeslaMate in terrain data; the car does not report it",
    },
];

const fn row(
    key: &'static str,
    from: &'static [&'static str],
    said: PayloadRule,
    unknown: Unknown,
) -> TeslaMateTopic {
    TeslaMateTopic {
        key,
        from,
        said,
        unknown,
    }
}

#[rustfmt::skip]
/// What is published.
pub const TABLE: &[TeslaMateTopic] = &[
    row("display_name",                  &["vehicle_state.vehicle_name", "display_name"],   Text,             Stays),
    row("state",                         &["bridge.state", "state"],                        State,            Stays),
    row("since",                         &["bridge.state_since"],                           Since,            Stays),
    row("healthy",                       &["bridge.healthy"],                               Truth,            EachTime),
    row("version",                       &["vehicle_state.car_version"],                    FirstWord,        Stays),
    row("update_available",              &["vehicle_state.software_update.status"],         UpdateAvailable,  Stays),
    // TeslaMate sends Tesla's empty text here, which deletes the topic as well.
    row("update_version",                &["vehicle_state.software_update.version"],        FirstWord,        Deletes),
    row("download_perc",                 &["vehicle_state.software_update.download_perc"],  Number,           Stays),
    row("install_perc",                  &["vehicle_state.software_update.install_perc"],   Number,           Stays),
    row("software_update",               SOFTWARE_UPDATE,                                   SoftwareUpdate,   Stays),

    row("model",                         &["vehicle_config.car_type"],                      Model,            Stays),
    row("trim_badging",                  &["vehicle_config.trim_badging"],                  Capitals,         Deletes),
    row("exterior_color",                &["vehicle_config.exterior_color"],                Text,             Stays),
    row("wheel_type",                    &["vehicle_config.wheel_type"],                    Text,             Stays),
    row("spoiler_type",                  &["vehicle_config.spoiler_type"],                  Text,             Stays),
    row("service_mode",                  &["vehicle_state.service_mode"],                   Truth,            Stays),
    row("center_display_state",          &["vehicle_state.center_display_state"],           Number,           Stays),

    row("latitude",                      &["drive_state.latitude"],                         Number,           Stays),
    row("longitude",                     &["drive_state.longitude"],                        Number,           Stays),
    row("location",                      POSITION,                                          Location,         Stays),
    row("shift_state",                   &["drive_state.shift_state"],                      Text,             Deletes),
    row("power",                         &["drive_state.power"],                            Number,           Stays),
    row("speed",                         &["drive_state.speed"],                            KilometersPerHour, Stays),
    row("heading",                       &["drive_state.heading"],                          Number,           Stays),
    row("odometer",                      &["vehicle_state.odometer"],                       Kilometers,       Stays),

    row("locked",                        &["vehicle_state.locked"],                         Truth,            Stays),
    row("sentry_mode",                   &["vehicle_state.sentry_mode"],                    Truth,            Stays),
    row("is_user_present",               &["vehicle_state.is_user_present"],                Truth,            Stays),
    row("windows_open",                  WINDOWS,                                           AnyOpen,          Stays),
    row("driver_front_window_open",      &["vehicle_state.fd_window"],                      Truth,            Stays),
    row("driver_rear_window_open",       &["vehicle_state.rd_window"],                      Truth,            Stays),
    row("passenger_front_window_open",   &["vehicle_state.fp_window"],                      Truth,            Stays),
    row("passenger_rear_window_open",    &["vehicle_state.rp_window"],                      Truth,            Stays),
    row("doors_open",                    DOORS,                                             AnyOpen,          Stays),
    row("driver_front_door_open",        &["vehicle_state.df"],                             Truth,            Stays),
    row("driver_rear_door_open",         &["vehicle_state.dr"],                             Truth,            Stays),
    row("passenger_front_door_open",     &["vehicle_state.pf"],                             Truth,            Stays),
    row("passenger_rear_door_open",      &["vehicle_state.pr"],                             Truth,            Stays),
    row("trunk_open",                    &["vehicle_state.rt"],                             Truth,            Stays),
    row("frunk_open",                    &["vehicle_state.ft"],                             Truth,            Stays),
    row("sun_roof_installed",            &["vehicle_config.sun_roof_installed"],            Truth,            Stays),
    row("sun_roof_state",                &["vehicle_state.sun_roof_state"],                 Text,             Stays),
    row("sun_roof_percent_open",         &["vehicle_state.sun_roof_percent_open"],          Number,           Stays),

    row("is_climate_on",                 &["climate_state.is_climate_on"],                  Truth,            Stays),
    row("inside_temp",                   &["climate_state.inside_temp"],                    Number,           Stays),
    row("outside_temp",                  &["climate_state.outside_temp"],                   Number,           Stays),
    row("is_preconditioning",            &["climate_state.is_preconditioning"],             Truth,            Stays),
    row("climate_keeper_mode",           &["climate_state.climate_keeper_mode"],            Text,             Stays),

    row("battery_level",                 &["charge_state.battery_level"],                   Number,           Stays),
    row("usable_battery_level",          &["charge_state.usable_battery_level"],            Number,           Stays),
    row("est_battery_range_km",          &["charge_state.est_battery_range"],               Kilometers,       Stays),
    row("rated_battery_range_km",        &["charge_state.battery_range"],                   Kilometers,       Stays),
    row("ideal_battery_range_km",        &["charge_state.ideal_battery_range"],             Kilometers,       Stays),
    row("plugged_in",                    &["charge_state.charging_state"],                  PluggedIn,        Stays),
    row("charging_state",                &["charge_state.charging_state"],                  Text,             Stays),
    row("charge_energy_added",           &["charge_state.charge_energy_added"],             Number,           Deletes),
    row("charge_limit_soc",              &["charge_state.charge_limit_soc"],                Number,           Stays),
    row("charge_port_door_open",         &["charge_state.charge_port_door_open"],           Truth,            Stays),
    row("charger_actual_current",        &["charge_state.charger_actual_current"],          Number,           Deletes),
    row("charger_phases",                &["charge_state.charger_phases"],                  Number,           Deletes),
    row("charger_power",                 &["charge_state.charger_power"],                   Number,           Deletes),
    row("charger_voltage",               &["charge_state.charger_voltage"],                 Number,           Deletes),
    row("charge_current_request",        &["charge_state.charge_current_request"],          Number,           Stays),
    row("charge_current_request_max",    &["charge_state.charge_current_request_max"],      Number,           Stays),
    row("scheduled_charging_start_time", &["charge_state.scheduled_charging_start_time"],   Time,             Deletes),
    row("time_to_full_charge",           &["charge_state.time_to_full_charge"],             Number,           Deletes),

    row("tpms_pressure_fl",              &["vehicle_state.tpms_pressure_fl"],               Number,           Stays),
    row("tpms_pressure_fr",              &["vehicle_state.tpms_pressure_fr"],               Number,           Stays),
    row("tpms_pressure_rl",              &["vehicle_state.tpms_pressure_rl"],               Number,           Stays),
    row("tpms_pressure_rr",              &["vehicle_state.tpms_pressure_rr"],               Number,           Stays),
    row("tpms_soft_warning_fl",          &["vehicle_state.tpms_soft_warning_fl"],           Truth,            Stays),
    row("tpms_soft_warning_fr",          &["vehicle_state.tpms_soft_warning_fr"],           Truth,            Stays),
    row("tpms_soft_warning_rl",          &["vehicle_state.tpms_soft_warning_rl"],           Truth,            Stays),
    row("tpms_soft_warning_rr",          &["vehicle_state.tpms_soft_warning_rr"],           Truth,            Stays),

    row("active_route",                  ROUTE,                                             ActiveRoute,      Stays),
    row("active_route_destination",      &["drive_state.active_route_destination"],         RouteDestination, Stays),
    row("active_route_latitude",         &["drive_state.active_route_latitude"],            RouteNumber,      Stays),
    row("active_route_longitude",        &["drive_state.active_route_longitude"],           RouteNumber,      Stays),
];

const POSITION: &[&str] = &["drive_state.latitude", "drive_state.longitude"];

const DOORS: &[&str] = &[
    "vehicle_state.df",
    "vehicle_state.dr",
    "vehicle_state.pf",
    "vehicle_state.pr",
];

const WINDOWS: &[&str] = &[
    "vehicle_state.fd_window",
    "vehicle_state.rd_window",
    "vehicle_state.fp_window",
    "vehicle_state.rp_window",
];

const SOFTWARE_UPDATE: &[&str] = &[
    "vehicle_state.car_version",
    "vehicle_state.software_update.status",
    "vehicle_state.software_update.version",
];

const ROUTE: &[&str] = &[
    "drive_state.active_route_destination",
    "drive_state.active_route_energy_at_arrival",
    "drive_state.active_route_miles_to_arrival",
    "drive_state.active_route_minutes_to_arrival",
    "drive_state.active_route_traffic_minutes_delay",
    "drive_state.active_route_latitude",
    "drive_state.active_route_longitude",
];
