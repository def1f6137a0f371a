//! Climate, heating and cooling.

use super::{Gate, binary, climate, select, sensor, switch};
use crate::catalogue::derived as d;
use crate::catalogue::reading::Reading::{Derived, Is, Level, Number, Scaled, Truth, Word};
use crate::catalogue::row::Row;
use crate::catalogue::words;

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    climate("climate",                         "Climate",                          Derived(d::CLIMATE, d::climate))                                        .options(d::CLIMATE_MODES).stream("HvacPower").command("auto_conditioning_start, auto_conditioning_stop, set_temps, set_climate_keeper_mode, set_bioweapon_mode"),
    binary("climate_on",                       "Climate on",                       Truth("climate_state.is_climate_on"))                                   .class("running").off().stream("HvacPower"),
    sensor("climate_keeper_mode",              "Climate keeper",                   Word("climate_state.climate_keeper_mode", words::KEEPER))               .class("enum").diagnostic().off().icon("air-conditioner").stream("ClimateKeeperMode"),
    climate("cabin_overheat_protection",       "Cabin overheat protection",        Word("climate_state.cabin_overheat_protection", words::OVERHEAT))       .off().icon("sun-thermometer").if_seen().stream("CabinOverheatProtectionMode").command("set_cabin_overheat_protection, set_cop_temp"),
    binary("cabin_overheat_protection_on",     "Cabin overheat protection",        Is("climate_state.cabin_overheat_protection", &["On"]))                 .class("running").diagnostic().off().if_seen().stream("CabinOverheatProtectionMode"),
    binary("cabin_overheat_protection_active", "Cabin overheat protection active", Truth("climate_state.cabin_overheat_protection_actively_cooling"))      .class("running").diagnostic().off().if_seen(),
    sensor("inside_temp",                      "Inside temperature",               Number("climate_state.inside_temp", 1))                                 .measured("°C", "temperature").stream("InsideTemp"),
    sensor("outside_temp",                     "Outside temperature",              Number("climate_state.outside_temp", 1))                                .measured("°C", "temperature").stream("OutsideTemp"),
    sensor("driver_temp_setting",              "Driver temperature setting",       Number("climate_state.driver_temp_setting", 1))                         .measured("°C", "temperature").diagnostic().off().stream("HvacLeftTemperatureRequest"),
    sensor("passenger_temp_setting",           "Passenger temperature setting",    Number("climate_state.passenger_temp_setting", 1))                      .measured("°C", "temperature").diagnostic().off().stream("HvacRightTemperatureRequest"),
    sensor("hvac_left_temperature_request",    "Left temperature request",         Number("telemetry.HvacLeftTemperatureRequest", 1))                      .measured("°C", "temperature").diagnostic().off().if_seen().stream("HvacLeftTemperatureRequest"),
    sensor("hvac_right_temperature_request",   "Right temperature request",        Number("telemetry.HvacRightTemperatureRequest", 1))                     .measured("°C", "temperature").diagnostic().off().if_seen().stream("HvacRightTemperatureRequest"),
    binary("preconditioning",                  "Preconditioning",                  Truth("climate_state.is_preconditioning"))                              .class("running").diagnostic().off().stream("HvacPower"),
    sensor("hvac_power_state",                 "HVAC power state",                 Word("telemetry.HvacPower", words::HVAC_POWER_STATE))                   .class("enum").diagnostic().off().icon("hvac").if_seen().stream("HvacPower"),
    sensor("hvac_fan_speed",                   "HVAC fan speed setting",           Scaled("telemetry.HvacFanSpeed", 10.0, 0))                              .measured("%", "").diagnostic().off().icon("fan").if_seen().stream("HvacFanSpeed"),
    sensor("hvac_fan_status",                  "HVAC fan speed",                   Derived(d::FAN, d::fan_percent))                                        .measured("%", "").diagnostic().off().icon("fan").stream("HvacFanStatus"),
    binary("hvac_auto_mode",                   "HVAC auto mode",                   Is("climate_state.hvac_auto_request", &["On"]))                         .off().icon("hvac").if_seen().stream("HvacAutoMode"),
    switch("defrost",                          "Defrost",                          Truth("climate_state.defrost_mode"))                                    .class("switch").icon("snowflake-melt").if_seen().stream("DefrostMode").command("set_preconditioning_max"),
    binary("defrost_for_preconditioning",      "Defrost for preconditioning",      Truth("telemetry.DefrostForPreconditioning"))                           .off().icon("snowflake-melt").if_seen().stream("DefrostForPreconditioning"),
    binary("rear_defroster",                   "Rear defroster",                   Truth("climate_state.is_rear_defroster_on"))                            .class("heat").diagnostic().off().stream("RearDefrostEnabled"),
    binary("rear_display_hvac_enabled",        "Rear display HVAC",                Truth("telemetry.RearDisplayHvacEnabled"))                              .off().icon("air-conditioner").if_seen().stream("RearDisplayHvacEnabled"),
    binary("wiper_heat",                       "Wiper heat",                       Truth("climate_state.wiper_blade_heater"))                              .off().icon("wiper").if_seen().stream("WiperHeatEnabled"),
    binary("seat_vent_enabled",                "Seat vent enabled",                Truth("telemetry.SeatVentEnabled"))                                     .off().icon("fan").if_seen().stream("SeatVentEnabled"),
    switch("auto_seat_climate_left",           "Auto seat climate left",           Truth("climate_state.auto_seat_climate_left"))                          .class("switch").icon("car-seat-heater").if_seen().stream("AutoSeatClimateLeft").command("remote_auto_seat_climate_request"),
    switch("auto_seat_climate_right",          "Auto seat climate right",          Truth("climate_state.auto_seat_climate_right"))                         .class("switch").icon("car-seat-heater").if_seen().stream("AutoSeatClimateRight").command("remote_auto_seat_climate_request"),
    switch("auto_steering_wheel_heat",         "Auto steering wheel heater",       Truth("climate_state.auto_steering_wheel_heat"))                        .class("switch").icon("steering").if_seen().stream("HvacSteeringWheelHeatAuto").command("remote_auto_steering_wheel_heat_climate_request"),
    select("steering_wheel_heater",            "Steering wheel heater",            Level("climate_state.steering_wheel_heat_level", words::WHEEL_LEVELS))  .icon("steering").if_seen().stream("HvacSteeringWheelHeatLevel").command("remote_steering_wheel_heat_level_request"),
    switch("steering_wheel_heater_switch",     "Steering wheel heater",            Truth("climate_state.steering_wheel_heater"))                           .class("switch").off().icon("steering").if_seen().command("remote_steering_wheel_heater_request"),
    select("seat_heater_left",                 "Seat heater front left",           Level("climate_state.seat_heater_left", words::SEAT_LEVELS))            .icon("car-seat-heater").if_seen().stream("SeatHeaterLeft").command("remote_seat_heater_request"),
    select("seat_heater_right",                "Seat heater front right",          Level("climate_state.seat_heater_right", words::SEAT_LEVELS))           .icon("car-seat-heater").if_seen().stream("SeatHeaterRight").command("remote_seat_heater_request"),
    select("seat_heater_rear_left",            "Seat heater rear left",            Level("climate_state.seat_heater_rear_left", words::SEAT_LEVELS))       .off().icon("car-seat-heater").gate(Gate::RearSeatHeaters).stream("SeatHeaterRearLeft").command("remote_seat_heater_request"),
    select("seat_heater_rear_center",          "Seat heater rear center",          Level("climate_state.seat_heater_rear_center", words::SEAT_LEVELS))     .off().icon("car-seat-heater").gate(Gate::RearCenterSeatHeater).stream("SeatHeaterRearCenter").command("remote_seat_heater_request"),
    select("seat_heater_rear_right",           "Seat heater rear right",           Level("climate_state.seat_heater_rear_right", words::SEAT_LEVELS))      .off().icon("car-seat-heater").gate(Gate::RearSeatHeaters).stream("SeatHeaterRearRight").command("remote_seat_heater_request"),
    select("seat_heater_third_row_left",       "Seat heater third row left",       Level("climate_state.seat_heater_third_row_left", words::SEAT_LEVELS))  .off().icon("car-seat-heater").gate(Gate::ThirdRowSeatHeaters).command("remote_seat_heater_request"),
    select("seat_heater_third_row_right",      "Seat heater third row right",      Level("climate_state.seat_heater_third_row_right", words::SEAT_LEVELS)) .off().icon("car-seat-heater").gate(Gate::ThirdRowSeatHeaters).command("remote_seat_heater_request"),
    select("seat_cooler_left",                 "Seat cooler front left",           Level("climate_state.seat_fan_front_left", words::SEAT_LEVELS))         .icon("car-seat-cooler").gate(Gate::SeatCooling).stream("ClimateSeatCoolingFrontLeft").command("remote_seat_cooler_request"),
    select("seat_cooler_right",                "Seat cooler front right",          Level("climate_state.seat_fan_front_right", words::SEAT_LEVELS))        .icon("car-seat-cooler").gate(Gate::SeatCooling).stream("ClimateSeatCoolingFrontRight").command("remote_seat_cooler_request"),
];
