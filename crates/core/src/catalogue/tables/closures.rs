//! Locks, doors, windows, trunks and roofs.

use super::{Capability, binary, cover, lock, sensor};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Derived, Either, Truth, Word};
use crate::catalogue::words;

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    lock("lock",                     "Lock",                   Either("vehicle_state.locked", "locked", "unlocked"))        .icon("car-door-lock").stream("Locked").command("door_lock, door_unlock"),
    binary("door_driver_front",      "Front driver door",      Truth("vehicle_state.df"))                                   .class("door").stream("DoorState.DriverFront"),
    binary("door_driver_rear",       "Rear driver door",       Truth("vehicle_state.dr"))                                   .class("door").stream("DoorState.DriverRear"),
    binary("door_passenger_front",   "Front passenger door",   Truth("vehicle_state.pf"))                                   .class("door").stream("DoorState.PassengerFront"),
    binary("door_passenger_rear",    "Rear passenger door",    Truth("vehicle_state.pr"))                                   .class("door").stream("DoorState.PassengerRear"),
    binary("doors",                  "Doors",                  Derived(d::DOORS, d::doors))                                 .class("door").off().stream("DoorState"),
    binary("window_driver_front",    "Front driver window",    Truth("vehicle_state.fd_window"))                            .class("window").if_seen().stream("FdWindow"),
    binary("window_passenger_front", "Front passenger window", Truth("vehicle_state.fp_window"))                            .class("window").if_seen().stream("FpWindow"),
    binary("window_driver_rear",     "Rear driver window",     Truth("vehicle_state.rd_window"))                            .class("window").if_seen().stream("RdWindow"),
    binary("window_passenger_rear",  "Rear passenger window",  Truth("vehicle_state.rp_window"))                            .class("window").if_seen().stream("RpWindow"),
    binary("windows_open",           "Windows",                Derived(d::WINDOWS, d::windows_open))                        .class("window").off().if_seen().stream("FdWindow, FpWindow, RdWindow, RpWindow"),
    cover("windows",                 "Windows",                Derived(d::WINDOWS, d::windows))                             .class("window").if_seen().stream("FdWindow, FpWindow, RdWindow, RpWindow").command("window_control").note("open if any is, closed if all are"),
    cover("frunk",                   "Frunk",                  Either("vehicle_state.ft", "open", "closed"))                .class("door").stream("DoorState.TrunkFront").command("actuate_trunk").note("can be opened, not closed"),
    cover("trunk",                   "Trunk",                  Either("vehicle_state.rt", "open", "closed"))                .class("door").stream("DoorState.TrunkRear").command("actuate_trunk").note("closes only with a power lift gate"),
    cover("sunroof",                 "Sunroof",                Derived(d::SUNROOF, d::sunroof))                             .class("window").off().capability(Capability::Sunroof).stream("SunroofInstalled").command("sun_roof_control"),
    binary("sunroof_installed",      "Sunroof installed",      Truth("vehicle_config.sun_roof_installed"))                  .diagnostic().off().icon("car-convertible").if_seen().stream("SunroofInstalled"),
    cover("tonneau",                 "Tonneau",                Word("telemetry.TonneauPosition", words::TONNEAU))           .class("door").if_seen().stream("TonneauPosition").command("open_tonneau, close_tonneau, stop_tonneau"),
    sensor("tonneau_tent_mode",      "Tonneau tent mode",      Word("telemetry.TonneauTentMode", words::TONNEAU_TENT_MODE)) .class("enum").diagnostic().off().icon("tent").if_seen().stream("TonneauTentMode"),
];
