//! Every field of `vehicle_data` that we have heard of, by object and by the kind that it usually
//! has (tesla-api.md, section 4, and the recordings).
//!
//! A field that is not listed is not kept: Tesla adds some with each firmware, and what nobody
//! reads must not fill the memory of a bridge that runs for years. It is reported as an oddity,
//! so that the next release can list it. A field of another kind than usual is kept all the same.

/// What a field usually holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// `true` or `false`.
    Truth,
    /// Any number.
    Number,
    /// Text.
    Text,
}

/// One object of the answer. The lists are sorted; nested fields have a dotted name.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name in the answer.
    pub name: &'static str,
    truths: &'static [&'static str],
    numbers: &'static [&'static str],
    texts: &'static [&'static str],
}

impl Group {
    /// The usual kind of a field, `None` for one that is not listed.
    pub(super) fn kind(&self, field: &str) -> Option<FieldKind> {
        let has = |list: &[&str]| list.binary_search(&field).is_ok();
        if has(self.numbers) {
            Some(FieldKind::Number)
        } else if has(self.truths) {
            Some(FieldKind::Truth)
        } else if has(self.texts) {
            Some(FieldKind::Text)
        } else {
            None
        }
    }

    /// Whether fields of an object of this name are listed.
    pub(super) fn has_object(&self, name: &str) -> bool {
        let is_in = |field: &&str| field.split_once('.').is_some_and(|(of, _)| of == name);
        [self.truths, self.numbers, self.texts]
            .iter()
            .any(|list| list.iter().any(is_in))
    }
}

/// Whether an answer can fill this signal.
pub fn is_known(path: &str) -> bool {
    match path.split_once('.') {
        None => TOP_LEVEL.contains(&path),
        Some((name, field)) => GROUPS
            .iter()
            .any(|group| group.name == name && group.kind(field).is_some()),
    }
}

/// Whether any part of an answer's member is kept, or tells which car it is about.
pub(super) fn is_read(within: &[&str], name: &str) -> bool {
    let group = |name: &str| GROUPS.iter().find(|group| group.name == name);
    match within {
        [] => NAMES.contains(&name) || TOP_LEVEL.contains(&name) || group(name).is_some(),
        [of] => group(of).is_some_and(|of| of.kind(name).is_some() || of.has_object(name)),
        [of, object] => group(of).is_some_and(|of| of.kind(&format!("{object}.{name}")).is_some()),
        _ => false,
    }
}

/// What names the car.
const NAMES: &[&str] = &["id", "id_s", "vehicle_id", "vin"];

/// Facts of the vehicle object itself; they have no group.
pub(super) const TOP_LEVEL: &[&str] = &[
    "access_type",
    "api_version",
    "command_signing",
    "display_name",
    "in_service",
    "mobile_access_disabled",
    "state",
];

/// Every object that is read.
pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "charge_state",
        truths: &[
            "battery_heater_on",
            "charge_enable_request",
            "charge_port_cold_weather_mode",
            "charge_port_door_open",
            "charge_to_max_range",
            "charging_schedule_override",
            "eu_vehicle",
            "fast_charger_present",
            "managed_charging_active",
            "managed_charging_user_canceled",
            "motorized_charge_port",
            "not_enough_power_to_heat",
            "off_peak_charging_enabled",
            "preconditioning_enabled",
            "scheduled_charging_pending",
            "supercharger_session_trip_planner",
            "trip_charging",
            "user_charge_enable_request",
        ],
        numbers: &[
            "battery_current",
            "battery_level",
            "battery_range",
            "charge_amps",
            "charge_current_request",
            "charge_current_request_max",
            "charge_energy_added",
            "charge_limit_soc",
            "charge_limit_soc_max",
            "charge_limit_soc_min",
            "charge_limit_soc_std",
            "charge_miles_added_ideal",
            "charge_miles_added_rated",
            "charge_rate",
            "charge_starting_range",
            "charge_starting_soc",
            "charger_actual_current",
            "charger_phases",
            "charger_pilot_current",
            "charger_power",
            "charger_voltage",
            "energy_remaining",
            "est_battery_range",
            "ideal_battery_range",
            "lifetime_energy_used",
            "managed_charging_start_time",
            "max_range_charge_counter",
            "minutes_to_charge_limit",
            "minutes_to_full_charge",
            "module_temp_max",
            "module_temp_min",
            "off_peak_hours_end_time",
            "one_time_soc_limit",
            "pack_current",
            "pack_voltage",
            "phantom_drain",
            "scheduled_charging_start_time",
            "scheduled_charging_start_time_app",
            "scheduled_charging_start_time_minutes",
            "scheduled_departure_time",
            "scheduled_departure_time_minutes",
            "time_to_full_charge",
            "timestamp",
            "usable_battery_level",
        ],
        texts: &[
            "charge_limit_reason",
            "charge_port_color",
            "charge_port_latch",
            "charge_port_led_color",
            "charging_state",
            "conn_charge_cable",
            "fast_charger_brand",
            "fast_charger_type",
            "off_peak_charging_times",
            "outlet_state",
            "power_feed_state",
            "preconditioning_times",
            "scheduled_charging_mode",
        ],
    },
    Group {
        name: "climate_state",
        truths: &[
            "allow_cabin_overheat_protection",
            "auto_seat_climate_left",
            "auto_seat_climate_right",
            "auto_steering_wheel_heat",
            "battery_heater",
            "battery_heater_no_power",
            "bioweapon_mode",
            "cabin_overheat_protection_actively_cooling",
            "is_auto_conditioning_on",
            "is_climate_on",
            "is_front_defroster_on",
            "is_preconditioning",
            "is_rear_defroster_on",
            "remote_heater_control_enabled",
            "side_mirror_heaters",
            "smart_preconditioning",
            "steering_wheel_heater",
            "supports_fan_only_cabin_overheat_protection",
            "wiper_blade_heater",
        ],
        numbers: &[
            "defrost_mode",
            "driver_temp_setting",
            "fan_status",
            "inside_temp",
            "left_temp_direction",
            "max_avail_temp",
            "min_avail_temp",
            "outside_temp",
            "passenger_temp_setting",
            "right_temp_direction",
            "seat_fan_front_left",
            "seat_fan_front_right",
            "seat_heater_left",
            "seat_heater_rear_center",
            "seat_heater_rear_left",
            "seat_heater_rear_left_back",
            "seat_heater_rear_right",
            "seat_heater_rear_right_back",
            "seat_heater_right",
            "seat_heater_third_row_left",
            "seat_heater_third_row_right",
            "steering_wheel_heat_level",
            "timestamp",
        ],
        texts: &[
            "cabin_overheat_protection",
            "climate_keeper_mode",
            "cop_activation_temperature",
            "cop_not_running_reason",
            "hvac_auto_request",
        ],
    },
    Group {
        name: "drive_state",
        truths: &[],
        numbers: &[
            "active_route_energy_at_arrival",
            "active_route_latitude",
            "active_route_longitude",
            "active_route_miles_to_arrival",
            "active_route_minutes_to_arrival",
            "active_route_traffic_minutes_delay",
            "corrected_latitude",
            "corrected_longitude",
            "gps_as_of",
            "heading",
            "latitude",
            "longitude",
            "native_latitude",
            "native_location_supported",
            "native_longitude",
            "power",
            "speed",
            "timestamp",
        ],
        texts: &["active_route_destination", "native_type", "shift_state"],
    },
    Group {
        name: "gui_settings",
        truths: &["gui_24_hour_time", "show_range_units"],
        numbers: &["timestamp"],
        texts: &[
            "gui_charge_rate_units",
            "gui_distance_units",
            "gui_range_display",
            "gui_temperature_units",
            "gui_tirepressure_units",
        ],
    },
    Group {
        name: "vehicle_config",
        truths: &[
            "bioweapon_mode_supported",
            "can_accept_navigation_requests",
            "can_actuate_trunks",
            "cop_user_set_temp_supported",
            "dashcam_clip_save_supported",
            "default_charge_to_max",
            "ece_restrictions",
            "eu_vehicle",
            "has_air_suspension",
            "has_ludicrous_mode",
            "has_seat_cooling",
            "is_raven",
            "motorized_charge_port",
            "plg",
            "pws",
            "range_plus_badging",
            "rhd",
            "supports_qr_pairing",
            "use_range_badging",
            "webcam_selfie_supported",
            "webcam_supported",
        ],
        numbers: &[
            "badge_version",
            "key_version",
            "rear_seat_heaters",
            "rear_seat_type",
            "seat_type",
            "sun_roof_installed",
            "timestamp",
            "utc_offset",
        ],
        texts: &[
            "aux_park_lamps",
            "car_special_type",
            "car_type",
            "charge_port_type",
            "driver_assist",
            "efficiency_package",
            "exterior_color",
            "exterior_trim",
            "exterior_trim_override",
            "front_drive_unit",
            "headlamp_type",
            "interior_trim_type",
            "paint_color_override",
            "perf_config",
            "performance_package",
            "rear_drive_unit",
            "roof_color",
            "share_type_s",
            "spoiler_type",
            "steering_wheel_type",
            "third_row_seats",
            "trim_badging",
            "wheel_type",
        ],
    },
    Group {
        name: "vehicle_state",
        truths: &[
            "allow_authorized_mobile_devices_only",
            "calendar_supported",
            "dark_rims",
            "dashcam_clip_save_available",
            "has_spoiler",
            "homelink_nearby",
            "is_user_present",
            "locked",
            "media_state.remote_control_enabled",
            "notifications_supported",
            "parsed_calendar_supported",
            "patsy_mode",
            "remote_start",
            "remote_start_enabled",
            "remote_start_supported",
            "rhd",
            "sentry_mode",
            "sentry_mode_available",
            "service_mode",
            "service_mode_plus",
            "smart_summon_available",
            "speed_limit_mode.active",
            "speed_limit_mode.pin_code_set",
            "summon_standby_mode_enabled",
            "tpms_hard_warning_fl",
            "tpms_hard_warning_fr",
            "tpms_hard_warning_rl",
            "tpms_hard_warning_rr",
            "tpms_soft_warning_fl",
            "tpms_soft_warning_fr",
            "tpms_soft_warning_rl",
            "tpms_soft_warning_rr",
            "valet_mode",
            "valet_pin_needed",
            "vehicle_self_test_requested",
            "webcam_available",
        ],
        numbers: &[
            "api_version",
            "center_display_state",
            "df",
            "dr",
            "fd_window",
            "fp_window",
            "ft",
            "homelink_device_count",
            "media_info.audio_volume",
            "media_info.audio_volume_increment",
            "media_info.audio_volume_max",
            "media_info.now_playing_duration",
            "media_info.now_playing_elapsed",
            "odometer",
            "pf",
            "pr",
            "rd_window",
            "rear_seat_heaters",
            "rear_seat_type",
            "rp_window",
            "rt",
            "santa_mode",
            "seat_type",
            "software_update.download_perc",
            "software_update.expected_duration_sec",
            "software_update.install_perc",
            "software_update.scheduled_time_ms",
            "software_update.warning_time_remaining_ms",
            "speed_limit_mode.current_limit_mph",
            "speed_limit_mode.max_limit_mph",
            "speed_limit_mode.min_limit_mph",
            "sun_roof_installed",
            "sun_roof_percent_open",
            "timestamp",
            "tpms_last_seen_pressure_time_fl",
            "tpms_last_seen_pressure_time_fr",
            "tpms_last_seen_pressure_time_rl",
            "tpms_last_seen_pressure_time_rr",
            "tpms_pressure_fl",
            "tpms_pressure_fr",
            "tpms_pressure_rl",
            "tpms_pressure_rr",
            "tpms_rcp_front_value",
            "tpms_rcp_rear_value",
            "vehicle_self_test_progress",
            "vehicle_state_sun_roof_percent_open",
        ],
        texts: &[
            "autopark_state",
            "autopark_state_v2",
            "autopark_state_v3",
            "autopark_style",
            "car_type",
            "car_version",
            "dashcam_state",
            "exterior_color",
            "feature_bitmask",
            "last_autopark_error",
            "media_info.a2dp_source_name",
            "media_info.media_playback_status",
            "media_info.now_playing_album",
            "media_info.now_playing_artist",
            "media_info.now_playing_source",
            "media_info.now_playing_station",
            "media_info.now_playing_title",
            "perf_config",
            "roof_color",
            "software_update.status",
            "software_update.version",
            "spoiler_type",
            "sun_roof_state",
            "third_row_seats",
            "vehicle_name",
            "wheel_type",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_each_field_is_found() {
        for group in GROUPS {
            for list in [group.truths, group.numbers, group.texts] {
                assert!(list.is_sorted(), "{}: {list:?}", group.name);
            }
        }
    }

    #[test]
    fn no_field_has_two_kinds() {
        for group in GROUPS {
            let mut all: Vec<_> = [group.truths, group.numbers, group.texts].concat();
            let before = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), before, "{}", group.name);
        }
    }
}
