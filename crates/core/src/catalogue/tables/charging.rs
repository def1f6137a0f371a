//! Battery and charging.

use super::{Limits, binary, button, cover, lock, number, sensor, switch};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{
    Derived, Either, Is, Nothing, Number, Scaled, Snake, Time, Truth, Word,
};
use crate::catalogue::words;

const CHARGE_LIMIT: Limits = Limits {
    min: 50.0,
    min_of: "charge_state.charge_limit_soc_min",
    max: 100.0,
    max_of: "charge_state.charge_limit_soc_max",
    step: 1.0,
};
/// 32 A until the car says what cable and wall box allow.
const CHARGE_CURRENT: Limits = Limits {
    min: 0.0,
    min_of: "",
    max: 32.0,
    max_of: "charge_state.charge_current_request_max",
    step: 1.0,
};
const SOLAR_LIMIT: Limits = Limits {
    min: 0.0,
    min_of: "",
    max: 100.0,
    max_of: "charge_state.charge_limit_soc",
    step: 1.0,
};

const MINUTES: f64 = 1.0 / 60.0;

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    sensor("charging_state",                        "Charging",                              Word("charge_state.charging_state", words::CHARGING))                  .class("enum").icon("ev-station").stream("DetailedChargeState"),
    binary("charging",                              "Charging",                              Is("charge_state.charging_state", words::CHARGES))                     .class("battery_charging").stream("DetailedChargeState"),
    switch("charge",                                "Charge",                                Is("charge_state.charging_state", words::CHARGES_SOON))                .class("switch").icon("ev-station").stream("DetailedChargeState").command("charge_start, charge_stop"),
    binary("plugged_in",                            "Charge cable",                          Derived(d::PLUGGED_IN, d::plugged_in))                                 .class("plug").stream("DetailedChargeState").note("the charging state decides, the cable where there is none"),
    sensor("charge_cable_type",                     "Charge cable type",                     Word("charge_state.conn_charge_cable", words::CABLE))                  .class("enum").diagnostic().off().icon("ev-plug-ccs2").stream("ChargingCableType"),
    sensor("battery_level",                         "Battery level",                         Number("charge_state.battery_level", 1))                               .measured("%", "battery").precision(0).stream("BatteryLevel").note("gross state of charge"),
    sensor("usable_battery_level",                  "Usable battery level",                  Number("charge_state.usable_battery_level", 1))                        .measured("%", "battery").off().precision(0).stream("Soc").note("what the screen shows: lower when the battery is cold"),
    sensor("charge_energy_added",                   "Charge energy added",                   Number("charge_state.charge_energy_added", 2))                         .metered("kWh", "energy").precision(1).stream("DCChargingEnergyIn").note("of this session; keeps its value after unplugging, starts again with the next session"),
    sensor("dc_charging_energy_in",                 "DC charging energy in",                 Number("telemetry.DCChargingEnergyIn", 2))                             .metered("kWh", "energy").diagnostic().off().if_seen().stream("DCChargingEnergyIn"),
    sensor("charger_power",                         "Charger power",                         Derived(d::CHARGER_POWER, d::charger_power))                           .measured("kW", "power").precision(1).stream("ACChargingPower, DCChargingPower").note("0 unless charging: the car reports the last value for minutes more"),
    sensor("dc_charging_power",                     "DC charging power",                     Number("telemetry.DCChargingPower", 2))                                .measured("kW", "power").diagnostic().off().if_seen().stream("DCChargingPower"),
    sensor("charger_voltage",                       "Charger voltage",                       Number("charge_state.charger_voltage", 0))                             .measured("V", "voltage").diagnostic().stream("ChargerVoltage").note("2 while idle and on DC"),
    sensor("charger_current",                       "Charger current",                       Number("charge_state.charger_actual_current", 1))                      .measured("A", "current").diagnostic().stream("ChargeAmps").note("0 on DC"),
    sensor("charger_phases",                        "Charger phases",                        Derived(d::CHARGER_PHASES, d::charger_phases))                         .measured("", "").diagnostic().off().icon("sine-wave").stream("ChargerPhases").note("Tesla's 2 means three, and is published as 3"),
    binary("charger_multiphase",                    "Charger has multiple phases",           Derived(d::CHARGER_PHASES, d::charger_multiphase))                     .off().icon("sine-wave").stream("ChargerPhases"),
    sensor("charge_rate",                           "Charge rate",                           Derived(d::CHARGE_RATE, d::charge_rate))                               .measured("mph", "speed").diagnostic().precision(1).stream("ChargeRateMilePerHour").note("range gained per hour"),
    sensor("battery_range",                         "Battery range",                         Number("charge_state.battery_range", 2))                               .measured("mi", "distance").precision(1).stream("RatedRange"),
    sensor("est_battery_range",                     "Estimated battery range",               Number("charge_state.est_battery_range", 2))                           .measured("mi", "distance").off().precision(1).stream("EstBatteryRange"),
    sensor("ideal_battery_range",                   "Ideal battery range",                   Number("charge_state.ideal_battery_range", 2))                         .measured("mi", "distance").off().precision(1).stream("IdealBatteryRange"),
    sensor("time_to_full_charge",                   "Time to full charge",                   Derived(d::TIME_TO_FULL, d::time_to_full_charge))                      .class("timestamp").diagnostic().jitter(240).stream("TimeToFullCharge").note("moves by 4 minutes at least; unknown unless charging"),
    sensor("hours_to_full_charge",                  "Charging time remaining",               Number("charge_state.time_to_full_charge", 2))                         .measured("h", "duration").diagnostic().off().stream("TimeToFullCharge"),
    sensor("estimated_hours_to_charge_termination", "Estimated hours to charge termination", Number("telemetry.EstimatedHoursToChargeTermination", 2))              .measured("h", "duration").diagnostic().off().if_seen().stream("EstimatedHoursToChargeTermination"),
    number("charge_limit",                          "Charge limit",                          Number("charge_state.charge_limit_soc", 0))                            .unit("%", "battery").limits(CHARGE_LIMIT).stream("ChargeLimitSoc").command("set_charge_limit"),
    number("charge_current_request",                "Charge current",                        Number("charge_state.charge_current_request", 0))                      .unit("A", "current").limits(CHARGE_CURRENT).stream("ChargeCurrentRequest").command("set_charging_amps"),
    sensor("charge_current_request_max",            "Charge current maximum",                Number("charge_state.charge_current_request_max", 0))                  .measured("A", "current").diagnostic().off().stream("ChargeCurrentRequestMax"),
    binary("battery_heater",                        "Battery heater",                        Truth("charge_state.battery_heater_on"))                               .class("heat").diagnostic().off().stream("BatteryHeaterOn"),
    sensor("fast_charger_type",                     "Fast charger type",                     Snake("charge_state.fast_charger_type"))                               .diagnostic().off().icon("ev-station").stream("FastChargerType").note("Tesla's word in snake case"),
    binary("fast_charger_present",                  "Fast charger present",                  Truth("charge_state.fast_charger_present"))                            .off().icon("ev-station").if_seen().stream("FastChargerPresent"),
    binary("preconditioning_enabled",               "Preconditioning enabled",               Truth("charge_state.preconditioning_enabled"))                         .diagnostic().off().icon("car-clock").if_seen().stream("PreconditioningEnabled"),
    binary("scheduled_charging_pending",            "Scheduled charging pending",            Truth("charge_state.scheduled_charging_pending"))                      .diagnostic().off().icon("battery-clock").stream("ScheduledChargingPending"),
    binary("scheduled_charging",                    "Scheduled charging",                    Is("charge_state.scheduled_charging_mode", &["StartAt"]))              .icon("calendar-clock").if_seen().stream("ScheduledChargingMode"),
    binary("scheduled_departure",                   "Scheduled departure",                   Derived(d::SCHEDULED_DEPARTURE, d::scheduled_departure))               .icon("car-clock").if_seen().stream("ScheduledChargingMode").note("departure planned, preconditioning or off-peak charging enabled"),
    sensor("scheduled_charging_mode",               "Scheduled charging mode",               Word("charge_state.scheduled_charging_mode", words::SCHEDULE))         .class("enum").diagnostic().off().icon("calendar-clock").if_seen().stream("ScheduledChargingMode"),
    sensor("scheduled_charging_start_time",         "Scheduled charging start",              Time("charge_state.scheduled_charging_start_time"))                    .class("timestamp").stream("ScheduledChargingStartTime"),
    binary("trip_charging",                         "Trip charging",                         Truth("charge_state.trip_charging"))                                   .diagnostic().off().icon("car-clock").if_seen(),
    lock("charge_cable_lock",                       "Charge cable lock",                     Word("charge_state.charge_port_latch", words::CABLE_LOCK))             .icon("ev-plug-tesla").stream("ChargePortLatch").command("charge_port_door_open").note("can be unlocked, not locked"),
    sensor("charge_port_latch",                     "Charge port latch",                     Word("charge_state.charge_port_latch", words::LATCH))                  .class("enum").diagnostic().off().icon("ev-plug-tesla").stream("ChargePortLatch"),
    cover("charge_port_door",                       "Charge port door",                      Either("charge_state.charge_port_door_open", "open", "closed"))        .class("door").stream("ChargePortDoorOpen").command("charge_port_door_open, charge_port_door_close"),
    binary("charge_enable_request",                 "Charge enable request",                 Truth("charge_state.charge_enable_request"))                           .off().icon("battery-charging-outline").if_seen().stream("ChargeEnableRequest"),
    binary("supercharger_session_trip_planner",     "Supercharger session trip planner",     Truth("charge_state.supercharger_session_trip_planner"))               .off().icon("ev-station").if_seen().stream("SuperchargerSessionTripPlanner"),
    binary("charge_port_cold_weather_mode",         "Charge port cold weather mode",         Truth("charge_state.charge_port_cold_weather_mode"))                   .off().icon("snowflake").if_seen().stream("ChargePortColdWeatherMode"),
    binary("bms_full_charge_complete",              "BMS full charge",                       Truth("telemetry.BmsFullchargecomplete"))                              .off().icon("battery-check").if_seen().stream("BmsFullchargecomplete"),
    sensor("bms_state",                             "BMS state",                             Word("telemetry.BMSState", words::BMS_STATE))                          .class("enum").diagnostic().off().icon("battery-heart-variant").if_seen().stream("BMSState"),
    sensor("energy_remaining",                      "Energy remaining",                      Number("charge_state.energy_remaining", 2))                            .measured("kWh", "energy_storage").diagnostic().off().if_seen().stream("EnergyRemaining"),
    sensor("phantom_drain",                         "Phantom drain",                         Number("derived.parked_loss", 2))                               .measured("%", "").diagnostic().off().icon("battery-minus-outline").if_seen(),
    sensor("lifetime_energy_used",                  "Lifetime energy used",                  Number("charge_state.lifetime_energy_used", 1))                        .metered("kWh", "energy").diagnostic().off().if_seen().stream("LifetimeEnergyUsed"),
    sensor("lifetime_energy_gained_regen",          "Lifetime energy gained regen",          Number("telemetry.LifetimeEnergyGainedRegen", 2))                      .metered("kWh", "energy").diagnostic().off().if_seen().stream("LifetimeEnergyGainedRegen"),
    sensor("pack_current",                          "Pack current",                          Number("charge_state.pack_current", 1))                                .measured("A", "current").diagnostic().off().if_seen().stream("PackCurrent"),
    sensor("pack_voltage",                          "Pack voltage",                          Number("charge_state.pack_voltage", 1))                                .measured("V", "voltage").diagnostic().off().if_seen().stream("PackVoltage"),
    sensor("module_temp_min",                       "Module temperature minimum",            Number("charge_state.module_temp_min", 1))                             .measured("°C", "temperature").diagnostic().off().if_seen().stream("ModuleTempMin"),
    sensor("module_temp_max",                       "Module temperature maximum",            Number("charge_state.module_temp_max", 1))                             .measured("°C", "temperature").diagnostic().off().if_seen().stream("ModuleTempMax"),
    sensor("brick_voltage_max",                     "Brick voltage max",                     Number("telemetry.BrickVoltageMax", 3))                                .measured("V", "voltage").diagnostic().off().if_seen().stream("BrickVoltageMax"),
    sensor("brick_voltage_min",                     "Brick voltage min",                     Number("telemetry.BrickVoltageMin", 3))                                .measured("V", "voltage").diagnostic().off().if_seen().stream("BrickVoltageMin"),
    sensor("isolation_resistance",                  "Isolation resistance",                  Number("telemetry.IsolationResistance", 0))                            .measured("kΩ", "").diagnostic().off().icon("resistor").if_seen().stream("IsolationResistance"),
    sensor("powershare_hours_left",                 "Powershare hours left",                 Number("telemetry.PowershareHoursLeft", 2))                            .measured("h", "duration").diagnostic().off().if_seen().stream("PowershareHoursLeft"),
    sensor("powershare_power",                      "Powershare instantaneous power",        Number("telemetry.PowershareInstantaneousPowerKW", 2))                 .measured("kW", "power").diagnostic().off().if_seen().stream("PowershareInstantaneousPowerKW"),
    sensor("powershare_status",                     "Powershare status",                     Word("telemetry.PowershareStatus", words::POWERSHARE_STATUS))          .class("enum").diagnostic().off().icon("power-socket").if_seen().stream("PowershareStatus"),
    sensor("powershare_stop_reason",                "Powershare stop reason",                Word("telemetry.PowershareStopReason", words::POWERSHARE_STOP_REASON)) .class("enum").diagnostic().off().icon("stop-circle").if_seen().stream("PowershareStopReason"),
    sensor("powershare_type",                       "Powershare type",                       Word("telemetry.PowershareType", words::POWERSHARE_TYPE))              .class("enum").diagnostic().off().icon("power-socket").if_seen().stream("PowershareType"),
    switch("charge_on_solar",                       "Charge on solar",                       Nothing)                                                               .class("switch").off().icon("solar-power").command("charge_on_solar"),
    number("charge_on_solar_lower_limit",           "Charge on solar lower limit",           Nothing)                                                               .unit("%", "battery").off().limits(SOLAR_LIMIT).command("charge_on_solar"),
    button("enable_keep_accessory_power",           "Enable keep accessory power",           Nothing)                                                               .icon("power-plug").command("set_keep_accessory_power_mode"),
    button("disable_keep_accessory_power",          "Disable keep accessory power",          Nothing)                                                               .icon("power-plug-off").command("set_keep_accessory_power_mode"),
    sensor("battery_range_full",                    "Battery range when full",               Derived(d::FULL_RANGE, d::full_range))                                 .measured("mi", "distance").diagnostic().off().precision(0).note("rated range at 100 %; from 20 % up"),
    sensor("charger_type",                          "Charger type",                          Derived(d::CHARGER_TYPE, d::charger_type))                             .class("enum").diagnostic().off().icon("ev-station").options(d::CHARGER_TYPES),
    sensor("charge_energy_total",                   "Charge energy total",                   Number("derived.charge_energy_total", 2))                              .metered("kWh", "energy").precision(1).if_seen().note("of all sessions since the bridge first saw the car; for the Energy dashboard"),
    sensor("last_charge_energy",                    "Last charge energy",                    Number("derived.last_charge_energy", 2))                               .unit("kWh", "energy").diagnostic().off().precision(1).if_seen(),
    sensor("last_charge_cost",                      "Last charge cost",                      Number("derived.last_charge_cost", 2))                                 .diagnostic().precision(2).icon("cash").if_seen().note("by `[tariff]`, in its currency"),
    sensor("last_charge_level_added",               "Last charge level added",               Number("derived.last_charge_level_added", 0))                          .unit("%", "").diagnostic().off().icon("battery-plus").if_seen(),
    sensor("last_charge_duration",                  "Last charge duration",                  Scaled("derived.last_charge_duration_s", MINUTES, 0))                  .unit("min", "duration").diagnostic().off().if_seen(),
    sensor("last_charge_ended",                     "Last charge ended",                     Time("derived.last_charge_ended_at"))                                  .class("timestamp").diagnostic().off().if_seen(),
    sensor("parked_loss_per_hour",                  "Parked loss per hour",                  Number("derived.parked_loss_per_hour", 3))                             .measured("%/h", "").diagnostic().off().icon("battery-minus-outline").if_seen().note("of the battery, after an hour at rest; what heats or cools it for somebody is left out"),
];
