//! Whether the car can be reached, what the bridge does about it, and its name.

use super::{binary, button, event, sensor, switch};
use crate::catalogue::derived as d;
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Derived, Nothing, Number, Text, Time, Truth, Word};
use crate::catalogue::{EVENTS, words};

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    binary("online",           "Status",            Word("state", words::ONLINE))         .class("connectivity").note("connected to Tesla; off is sleep in most cases"),
    sensor("state",            "State",             Derived(d::STATE, d::state))          .class("enum").icon("car-connected").options(d::STATES).note("what the car does, as the bridge sees it"),
    binary("asleep",           "Asleep",            Word("state", words::ASLEEP))         .off().icon("sleep"),
    sensor("state_since",      "State since",       Time("bridge.state_since"))           .class("timestamp").diagnostic(),
    binary("healthy",          "Problem",           Truth("bridge.healthy"))              .class("problem").diagnostic().inverted().note("on is good; a problem in Home Assistant is its opposite"),
    sensor("last_update",      "Last update",       Time("bridge.last_update"))           .class("timestamp").diagnostic().age().note("when the newest data came"),
    sensor("polling_interval", "Polling interval",  Number("bridge.polling_interval", 0)) .measured("s", "duration").diagnostic().off().note("the state's own; light and data calls alike"),
    sensor("next_poll",        "Next look",         Time("bridge.next_poll"))            .class("timestamp").diagnostic().off().age(),
    sensor("polling_reason",   "Waits because",     Text("bridge.why"))                  .diagnostic().off().age().note("why nothing is asked before the next look: `interval`, `quiet`, `backoff`, `budget`, `start_spread`, `brief_wake`, `paused` or `stopped`"),
    event("events",            "Events",            Nothing)                             .options(EVENTS).icon("bell").note("not retained, on `<base>/<VIN>/event/<word>`"),
    sensor("holds",            "Kept awake by",     Text("bridge.holds"))                .diagnostic().icon("sleep-off").note("why the car cannot fall asleep, or `none`"),
    sensor("held_by_polling",  "Polling keeps it awake", Word("bridge.class", words::CLASS))    .class("enum").diagnostic().icon("sleep-off").note("whether asking for data restarts its way to sleep"),
    sensor("held_by_polling_belief", "Polling keeps it awake, known by", Word("bridge.belief", words::BELIEF)).class("enum").diagnostic().off().icon("head-question-outline").note("`guessed` by the VIN, `learned` from its sleeps, `pinned` by the owner"),
    sensor("time_to_sleep",    "Time to sleep",     Number("bridge.time_to_sleep", 0))    .measured("s", "duration").diagnostic().icon("sleep").note("learned: from the last use to asleep"),
    sensor("last_sleep",       "Last sleep",        Word("bridge.last_sleep", words::LAST_SLEEP)).class("enum").diagnostic().off().icon("sleep").note("`left_alone` by the bridge, or `by_itself` while it was asked for data"),
    sensor("awake_today",      "Awake today",       Number("bridge.awake_today", 0))      .metered("min", "duration").diagnostic().age().icon("weather-sunny").note("in a UTC day"),
    sensor("light_calls_today", "Light calls today", Number("bridge.light_calls_today", 0)).metered("", "").diagnostic().off().age().icon("counter").note("free calls in a UTC day"),
    sensor("data_calls_today", "Data calls today",  Number("bridge.data_calls_today", 0)) .metered("", "").diagnostic().age().icon("counter").note("billed calls in a UTC day"),
    switch("polling",          "Polling",           Derived(d::POLLING, d::polling))      .config().icon("sync").command("bridge.resume, bridge.pause").note("off while paused"),
    button("force_update",     "Force data update", Nothing)                              .diagnostic().icon("refresh").command("bridge.refresh"),
    button("wake",             "Wake",              Nothing)                              .icon("sleep-off").command("wake_up"),
    sensor("display_name",     "Name",              Derived(d::NAME, d::display_name))    .diagnostic().off().icon("form-textbox").stream("VehicleName"),
    binary("cellular",         "Cellular",          Truth("telemetry.cellular"))          .class("connectivity").diagnostic().if_seen().stream("cellular"),
    binary("wifi",             "Wi-Fi",             Truth("telemetry.wifi"))              .class("connectivity").diagnostic().if_seen().stream("wifi"),
];
