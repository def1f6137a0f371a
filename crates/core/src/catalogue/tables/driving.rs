//! Motion, position and navigation.

use super::{Limits, binary, number, sensor, tracker};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Derived, Number, Scaled, Time, Truth};

const SPEED_LIMIT: Limits = Limits {
    min: 50.0,
    min_of: "vehicle_state.speed_limit_mode.min_limit_mph",
    max: 120.0,
    max_of: "vehicle_state.speed_limit_mode.max_limit_mph",
    step: 1.0,
};

const MINUTES: f64 = 1.0 / 60.0;

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    sensor("speed",                          "Speed",                          Derived(d::SPEED, d::speed))                                   .measured("mph", "speed").off().precision(0).stream("VehicleSpeed").note("0 at rest"),
    sensor("power",                          "Power",                          Derived(d::POWER, d::power))                                   .measured("kW", "power").diagnostic().off().precision(0).note("negative while charging or recovering; 0 at rest"),
    sensor("shift_state",                    "Shift state",                    Derived(d::SHIFT, d::shift_state))                             .class("enum").off().icon("car-shift-pattern").options(d::GEARS).stream("Gear").note("p at rest"),
    binary("parking_brake",                  "Parking brake",                  Derived(d::SHIFT, d::parking_brake))                           .off().icon("car-brake-parking").stream("Gear").note("gear p; the car does not report the brake"),
    sensor("odometer",                       "Odometer",                       Number("vehicle_state.odometer", 2))                           .metered("mi", "distance").diagnostic().precision(0).stream("Odometer"),
    sensor("heading",                        "Heading",                        Derived(d::HEADING, d::heading))                               .angle().diagnostic().off().icon("compass").stream("GpsHeading"),
    sensor("latitude",                       "Latitude",                       Number("drive_state.latitude", 6))                             .measured("°", "").diagnostic().off().icon("latitude").stream("Location.latitude"),
    sensor("longitude",                      "Longitude",                      Number("drive_state.longitude", 6))                            .measured("°", "").diagnostic().off().icon("longitude").stream("Location.longitude"),
    tracker("location",                      "Location",                       Derived(d::LOCATION, d::location))                             .icon("map-marker").stream("Location").age_within("gps_as_of").note("JSON; the last known position stays; not said again when only `gps_as_of` moved"),
    tracker("origin",                        "Origin",                         Derived(d::ORIGIN, d::origin))                         .off().icon("map-marker").if_seen().stream("OriginLocation"),
    tracker("route",                         "Route",                          Derived(d::ROUTE_POSITION, d::route))                          .icon("routes").stream("DestinationLocation").note("JSON; without a route the car's own position and `active: false`"),
    sensor("active_route",                   "Active route",                   Derived(d::ROUTE, d::active_route))                            .diagnostic().off().icon("map-marker-path").template("{{ 'none' if value_json.error else 'active' }}").note("JSON with the whole route, or `error`"),
    sensor("destination",                    "Destination",                    Derived(d::ROUTE, d::destination))                             .off().icon("routes").stream("DestinationName"),
    sensor("energy_at_arrival",              "State of charge at arrival",     Derived(d::ROUTE, d::energy_at_arrival))                       .measured("%", "battery").diagnostic().off().stream("ExpectedEnergyPercentAtTripArrival").note("may be negative"),
    sensor("distance_to_arrival",            "Distance to arrival",            Derived(d::ROUTE, d::distance_to_arrival))                     .measured("mi", "distance").precision(1).stream("MilesToArrival"),
    sensor("time_to_arrival",                "Time to arrival",                Derived(d::ROUTE, d::time_to_arrival))                         .class("timestamp").jitter(60).stream("MinutesToArrival").note("moves by 1 minute at least"),
    sensor("traffic_delay",                  "Traffic delay",                  Derived(d::ROUTE, d::traffic_delay))                           .measured("min", "duration").off().precision(0).stream("RouteTrafficMinutesDelay"),
    binary("located_at_home",                "Located at home",                Truth("telemetry.LocatedAtHome"))                              .class("presence").if_seen().stream("LocatedAtHome"),
    binary("located_at_work",                "Located at work",                Truth("telemetry.LocatedAtWork"))                              .icon("briefcase").if_seen().stream("LocatedAtWork"),
    binary("located_at_favorite",            "Located at favorite",            Truth("telemetry.LocatedAtFavorite"))                          .off().icon("star").if_seen().stream("LocatedAtFavorite"),
    binary("gps_state",                      "GPS state",                      Truth("telemetry.GpsState"))                                   .class("connectivity").diagnostic().off().if_seen().stream("GpsState"),
    sensor("cruise_follow_distance",         "Cruise follow distance",         Number("telemetry.CruiseFollowDistance", 0))                   .unit("s", "duration").diagnostic().off().if_seen().stream("CruiseFollowDistance"),
    sensor("cruise_set_speed",               "Cruise set speed",               Number("telemetry.CruiseSetSpeed", 1))                         .measured("mph", "speed").diagnostic().off().if_seen().stream("CruiseSetSpeed"),
    sensor("current_limit_mph",              "Current speed limit",            Number("vehicle_state.speed_limit_mode.current_limit_mph", 2)) .measured("mph", "speed").diagnostic().off().if_seen().stream("CurrentLimitMph"),
    number("speed_limit",                    "Speed limit",                    Number("vehicle_state.speed_limit_mode.current_limit_mph", 2)) .unit("mph", "speed").off().limits(SPEED_LIMIT).if_seen().command("speed_limit_set_limit"),
    binary("speed_limit_mode",               "Speed limited",                  Truth("vehicle_state.speed_limit_mode.active"))                .off().icon("car-speed-limiter").if_seen().stream("SpeedLimitMode"),
    sensor("miles_since_reset",              "Miles since reset",              Number("telemetry.MilesSinceReset", 2))                        .metered("mi", "distance").diagnostic().off().if_seen().stream("MilesSinceReset"),
    sensor("self_driving_miles_since_reset", "Self-driving miles since reset", Number("telemetry.SelfDrivingMilesSinceReset", 2))             .metered("mi", "distance").diagnostic().off().if_seen().stream("SelfDrivingMilesSinceReset"),
    sensor("last_drive_distance",            "Last drive distance",            Number("derived.last_drive_distance", 2))                      .unit("mi", "distance").diagnostic().off().precision(1).if_seen(),
    sensor("last_drive_energy",              "Last drive energy",              Number("derived.last_drive_energy", 2))                        .unit("kWh", "energy").diagnostic().off().precision(1).if_seen().note("rated range used, times what charges have shown a rated mile to be"),
    sensor("last_drive_efficiency",          "Last drive efficiency",          Number("derived.last_drive_efficiency", 0))                    .measured("Wh/km", "").diagnostic().off().icon("leaf").if_seen(),
    sensor("last_drive_level_used",          "Last drive level used",          Number("derived.last_drive_level_used", 0))                    .unit("%", "").diagnostic().off().icon("battery-minus").if_seen(),
    sensor("last_drive_duration",            "Last drive duration",            Scaled("derived.last_drive_duration_s", MINUTES, 0))           .unit("min", "duration").diagnostic().off().if_seen(),
    sensor("last_drive_ended",               "Last drive ended",               Time("derived.last_drive_ended_at"))                           .class("timestamp").diagnostic().off().if_seen(),
];
