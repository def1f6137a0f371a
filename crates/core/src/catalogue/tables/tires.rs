//! Tire pressures and their warnings.

use super::{binary, sensor};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Derived, Positive, Truth};

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    sensor("tpms_pressure_fl",     "Tire pressure front left",          Positive("vehicle_state.tpms_pressure_fl", 3)) .measured("bar", "pressure").diagnostic().precision(1).if_seen().stream("TpmsPressureFl"),
    sensor("tpms_pressure_fr",     "Tire pressure front right",         Positive("vehicle_state.tpms_pressure_fr", 3)) .measured("bar", "pressure").diagnostic().precision(1).if_seen().stream("TpmsPressureFr"),
    sensor("tpms_pressure_rl",     "Tire pressure rear left",           Positive("vehicle_state.tpms_pressure_rl", 3)) .measured("bar", "pressure").diagnostic().precision(1).if_seen().stream("TpmsPressureRl"),
    sensor("tpms_pressure_rr",     "Tire pressure rear right",          Positive("vehicle_state.tpms_pressure_rr", 3)) .measured("bar", "pressure").diagnostic().precision(1).if_seen().stream("TpmsPressureRr"),
    binary("tpms_soft_warning_fl", "Tire pressure warning front left",  Truth("vehicle_state.tpms_soft_warning_fl"))   .class("problem").diagnostic().off().if_seen().stream("TpmsSoftWarnings.front"),
    binary("tpms_soft_warning_fr", "Tire pressure warning front right", Truth("vehicle_state.tpms_soft_warning_fr"))   .class("problem").diagnostic().off().if_seen().stream("TpmsSoftWarnings.front"),
    binary("tpms_soft_warning_rl", "Tire pressure warning rear left",   Truth("vehicle_state.tpms_soft_warning_rl"))   .class("problem").diagnostic().off().if_seen().stream("TpmsSoftWarnings.rear"),
    binary("tpms_soft_warning_rr", "Tire pressure warning rear right",  Truth("vehicle_state.tpms_soft_warning_rr"))   .class("problem").diagnostic().off().if_seen().stream("TpmsSoftWarnings.rear"),
    sensor("tpms_hard_warnings",   "Tire pressure hard warnings",       Derived(d::HARD_WARNINGS, d::hard_warnings))   .diagnostic().off().icon("car-tire-alert").if_seen().stream("TpmsHardWarnings"),
    sensor("tpms_soft_warnings",   "Tire pressure soft warnings",       Derived(d::SOFT_WARNINGS, d::soft_warnings))   .diagnostic().off().icon("car-tire-alert").if_seen().stream("TpmsSoftWarnings"),
];
