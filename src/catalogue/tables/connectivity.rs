//! Whether the car can be reached, what the bridge does about it, and its name.

use super::{binary, button, sensor, switch};
use crate::catalogue::derived as d;
use crate::catalogue::reading::Reading::{Derived, Nothing, Number, Text, Time, Truth, Word};
use crate::catalogue::row::Row;
use crate::catalogue::words;

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    binary("online",           "Status",            Word("state", words::ONLINE))         .class("connectivity"),
    sensor("state",            "State",             Derived(d::STATE, d::state))          .class("enum").icon("car-connected").options(d::STATES),
    binary("asleep",           "Asleep",            Word("state", words::ASLEEP))         .off().icon("sleep"),
    sensor("state_since",      "State since",       Time("bridge.state_since"))           .class("timestamp").diagnostic(),
    binary("healthy",          "Problem",           Truth("bridge.healthy"))              .class("problem").diagnostic().inverted(),
    sensor("last_update",      "Last update",       Time("bridge.last_update"))           .class("timestamp").diagnostic().age(),
    sensor("polling_interval", "Polling interval",  Number("bridge.polling_interval", 0)) .measured("s", "duration").diagnostic().off(),
    sensor("next_poll",        "Next look",         Time("bridge.next_poll"))            .class("timestamp").diagnostic().off().age(),
    sensor("holds",            "Kept awake by",     Text("bridge.holds"))                .diagnostic().icon("sleep-off"),
    switch("polling",          "Polling",           Derived(d::POLLING, d::polling))      .config().icon("sync").command("(the bridge itself)"),
    button("force_update",     "Force data update", Nothing)                              .diagnostic().icon("refresh").command("(the bridge itself)"),
    button("wake",             "Wake",              Nothing)                              .icon("sleep-off").command("wake_up"),
    sensor("display_name",     "Name",              Derived(d::NAME, d::display_name))    .diagnostic().off().icon("form-textbox").stream("VehicleName"),
    binary("cellular",         "Cellular",          Truth("telemetry.cellular"))          .class("connectivity").diagnostic().if_seen().stream("cellular"),
    binary("wifi",             "Wi-Fi",             Truth("telemetry.wifi"))              .class("connectivity").diagnostic().if_seen().stream("wifi"),
];
