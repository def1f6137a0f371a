//! Sentry, presence, keys, lights and driver assistance.

use super::{Capability, binary, button, sensor, switch, text};
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Code, Is, Nothing, Number, Truth, Word};
use crate::catalogue::words;

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    switch("sentry_mode",                        "Sentry mode",                           Truth("vehicle_state.sentry_mode"))                                      .class("switch").icon("shield-car").if_seen().stream("SentryMode").command("set_sentry_mode"),
    sensor("sentry_mode_state",                  "Sentry mode",                           Word("telemetry.SentryMode", words::SENTRY_MODE_STATE))                  .class("enum").icon("shield-car").if_seen().stream("SentryMode"),
    switch("valet_mode",                         "Valet mode",                            Truth("vehicle_state.valet_mode"))                                       .class("switch").icon("speedometer-slow").if_seen().stream("ValetModeEnabled").command("set_valet_mode"),
    switch("guest_mode",                         "Guest mode",                            Truth("telemetry.GuestModeEnabled"))                                     .class("switch").icon("account-group").if_seen().stream("GuestModeEnabled").command("guest_mode"),
    binary("guest_mode_enabled",                 "Guest mode enabled",                    Truth("telemetry.GuestModeEnabled"))                                     .off().icon("account").if_seen().stream("GuestModeEnabled"),
    sensor("guest_mode_mobile_access",           "Guest mode mobile access",              Word("telemetry.GuestModeMobileAccessState", words::GUEST_MODE_MOBILE_ACCESS)) .class("enum").diagnostic().off().icon("account-key").if_seen().stream("GuestModeMobileAccessState"),
    binary("user_present",                       "User present",                          Truth("vehicle_state.is_user_present"))                                  .class("occupancy").if_seen(),
    binary("dashcam",                            "Dashcam",                               Is("vehicle_state.dashcam_state", &["Recording"]))                       .class("running").diagnostic().off().if_seen(),
    sensor("center_display",                     "Center display",                        Code("vehicle_state.center_display_state", words::DISPLAY))              .class("enum").diagnostic().off().icon("television").stream("CenterDisplay").note("what the screen shows"),
    binary("service_mode",                       "Service mode",                          Truth("vehicle_state.service_mode"))                                     .off().icon("wrench").if_seen().stream("ServiceMode"),
    binary("pin_to_drive",                       "PIN to Drive enabled",                  Truth("telemetry.PinToDriveEnabled"))                                    .off().icon("lock").if_seen().stream("PinToDriveEnabled"),
    binary("remote_start",                       "Remote start",                          Truth("vehicle_state.remote_start_enabled"))                             .off().icon("remote").if_seen().stream("RemoteStartEnabled"),
    button("keyless_driving",                    "Keyless driving",                       Nothing)                                                                 .icon("car-key").command("remote_start_drive"),
    button("homelink",                           "Homelink",                              Nothing)                                                                 .icon("garage").capability(Capability::Homelink).command("trigger_homelink"),
    sensor("homelink_device_count",              "Homelink devices",                      Number("vehicle_state.homelink_device_count", 0))                        .measured("", "").diagnostic().off().icon("garage").if_seen().stream("HomelinkDeviceCount"),
    binary("homelink_nearby",                    "Homelink nearby",                       Truth("vehicle_state.homelink_nearby"))                                  .off().icon("garage").if_seen().stream("HomelinkNearby"),
    sensor("paired_keys",                        "Paired phone key and key fob quantity", Number("telemetry.PairedPhoneKeyAndKeyFobQty", 0))                       .measured("", "").diagnostic().off().icon("key").if_seen().stream("PairedPhoneKeyAndKeyFobQty"),
    binary("driver_seat_belt",                   "Driver seat belt warning",              Truth("telemetry.DriverSeatBelt"))                                       .class("safety").off().if_seen().stream("DriverSeatBelt"),
    binary("driver_seat_occupied",               "Driver seat occupied",                  Truth("telemetry.DriverSeatOccupied"))                                   .class("occupancy").off().if_seen().stream("DriverSeatOccupied"),
    binary("hazard_lights",                      "Hazard lights",                         Truth("telemetry.LightsHazardsActive"))                                  .class("light").off().if_seen().stream("LightsHazardsActive"),
    binary("high_beams",                         "High beams",                            Truth("telemetry.LightsHighBeams"))                                      .class("light").off().if_seen().stream("LightsHighBeams"),
    sensor("turn_signal",                        "Turn signal",                           Word("telemetry.LightsTurnSignal", words::TURN_SIGNAL))                  .class("enum").diagnostic().off().icon("car-light-dimmed").if_seen().stream("LightsTurnSignal"),
    binary("automatic_blind_spot_camera",        "Automatic blind spot camera",           Truth("telemetry.AutomaticBlindSpotCamera"))                             .off().icon("cctv").if_seen().stream("AutomaticBlindSpotCamera"),
    binary("automatic_emergency_braking_off",    "Automatic emergency braking off",       Truth("telemetry.AutomaticEmergencyBrakingOff"))                         .off().icon("car-brake-alert").if_seen().stream("AutomaticEmergencyBrakingOff"),
    binary("blind_spot_warning_chime",           "Blind spot collision warning chime",    Truth("telemetry.BlindSpotCollisionWarningChime"))                       .off().icon("bell").if_seen().stream("BlindSpotCollisionWarningChime"),
    binary("emergency_lane_departure_avoidance", "Emergency lane departure avoidance",    Truth("telemetry.EmergencyLaneDepartureAvoidance"))                      .off().icon("road-variant").if_seen().stream("EmergencyLaneDepartureAvoidance"),
    sensor("forward_collision_warning",          "Forward collision warning",             Word("telemetry.ForwardCollisionWarning", words::FORWARD_COLLISION_WARNING)) .class("enum").diagnostic().off().icon("car-emergency").if_seen().stream("ForwardCollisionWarning"),
    sensor("lane_departure_avoidance",           "Lane departure avoidance",              Word("telemetry.LaneDepartureAvoidance", words::LANE_DEPARTURE_AVOIDANCE)) .class("enum").diagnostic().off().icon("road-variant").if_seen().stream("LaneDepartureAvoidance"),
    sensor("speed_limit_warning",                "Speed limit warning",                   Word("telemetry.SpeedLimitWarning", words::SPEED_LIMIT_WARNING))         .class("enum").diagnostic().off().icon("car-cruise-control").if_seen().stream("SpeedLimitWarning"),
    binary("europe_vehicle",                     "European vehicle",                      Truth("vehicle_config.eu_vehicle"))                                      .diagnostic().off().icon("earth").stream("EuropeVehicle"),
    binary("right_hand_drive",                   "Right-hand drive",                      Truth("vehicle_config.rhd"))                                             .diagnostic().off().icon("steering").stream("RightHandDrive"),
    binary("offroad_lightbar",                   "Offroad lightbar",                      Truth("telemetry.OffroadLightbarPresent"))                               .off().icon("car-light-high").if_seen().stream("OffroadLightbarPresent"),
    button("flash_lights",                       "Flash lights",                          Nothing)                                                                 .icon("flashlight").command("flash_lights"),
    button("honk",                               "Honk horn",                             Nothing)                                                                 .icon("bullhorn").command("honk_horn"),
    button("boombox",                            "Play fart",                             Nothing)                                                                 .icon("volume-high").capability(Capability::PedestrianSpeaker).command("remote_boombox"),
    text("navigation_destination",               "Navigation destination",                Nothing)                                                                 .icon("map-marker").command("navigation_request"),
];
