//! One day of one car as a picture (SVG): what it did, what the policy believed, and every call as
//! a tick between the two. Readable on light and on dark ground; no script, no font, nothing to
//! load.

use std::fmt::Write as _;
use std::time::Duration;

use super::{CallMade, CallOutcome, CarTrace, DAY, Played};
use crate::policy::{Ask, State};
use crate::sim::{CarActivity, LifeEvent};

const LEFT: f64 = 90.0;
const HOUR: f64 = 45.0;
const WIDTH: f64 = LEFT + 24.0 * HOUR + 20.0;
const HEIGHT: f64 = 292.0;
const TRUTH_Y: f64 = 60.0;
const BELIEF_Y: f64 = 170.0;
const BAND: f64 = 36.0;
/// The kinds of calls: for the margin, for the legend, class, and where their ticks begin and how
/// long they are.
const TICKS: [(&str, &str, &str, f64, f64); 3] = [
    ("light", "light call", "light", 104.0, 14.0),
    ("data", "data call", "data", 122.0, 22.0),
    (
        "408",
        "data call refused (408, 405)",
        "refused",
        146.0,
        18.0,
    ),
];

/// What a colour means, in the order of the legend.
const COLOURS: [(&str, &str, &str); 7] = [
    ("asleep", "asleep", "#5b6b8c"),
    ("awake, parked", "idle", "#c9a227"),
    ("left alone", "quiet", "#8f7ab8"),
    ("driving", "driving", "#2f9e5b"),
    ("charging", "charging", "#2b8fd0"),
    ("updating", "updating", "#d0703c"),
    ("unknown", "unknown", "#999999"),
];

/// The last of the days with the most drives and charges: everything happens on it, and the policy
/// has learned what it can.
pub fn busiest_day(played: &Played) -> u32 {
    let n_days = u32::try_from(played.length.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
    let Some(car) = played.cars.first() else {
        return 0;
    };
    let n_starts = |day: u32| {
        let starts = car.events.iter().filter(|(at, event)| {
            is_on(*at, day) && matches!(event, LifeEvent::DriveStarted | LifeEvent::ChargeStarted)
        });
        starts.count()
    };
    (0..n_days).max_by_key(|day| n_starts(*day)).unwrap_or(0)
}

fn is_on(at: Duration, day: u32) -> bool {
    (DAY * day..DAY * (day + 1)).contains(&at)
}

/// Draws a day (counted from 0) of one car.
pub fn plot(car: &CarTrace, day: u32, title: &str) -> String {
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">
<title>{title}</title>
<style>
text {{ font: 12px system-ui, sans-serif; fill: #707070; }}
.title {{ font-weight: 600; font-size: 14px; }}
.grid {{ stroke: #888; stroke-opacity: .35; }}
.light {{ stroke: #888; stroke-width: .7; fill: none; }}
.data {{ stroke: #c2367a; stroke-width: 1; fill: none; }}
.refused {{ stroke: #e02020; stroke-width: 2; fill: none; }}
"#,
        title = escaped(title)
    );
    for (_, class, colour) in COLOURS {
        let _ = writeln!(svg, ".{class} {{ fill: {colour}; }}");
    }
    svg.push_str(
        "@media (prefers-color-scheme: light) { text { fill: #333; } }\n\
         @media (prefers-color-scheme: dark) { text { fill: #ddd; } }\n</style>\n",
    );
    let _ = writeln!(
        svg,
        r#"<text class="title" x="{LEFT}" y="20">{}</text>"#,
        escaped(title)
    );
    hours(&mut svg);
    band(&mut svg, "the car", TRUTH_Y, &truths(car), day);
    band(&mut svg, "believed", BELIEF_Y, &beliefs(car), day);
    ticks(&mut svg, &car.calls, day);
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The place of a time of the day.
fn x(at: Duration, day: u32) -> f64 {
    LEFT + at.saturating_sub(DAY * day).as_secs_f64() / 3600.0 * HOUR
}

fn hours(svg: &mut String) {
    let bottom = BELIEF_Y + BAND;
    for hour in 0..=24u32 {
        let at = LEFT + f64::from(hour) * HOUR;
        let _ = writeln!(
            svg,
            r#"<line class="grid" x1="{at}" y1="46" x2="{at}" y2="{bottom}"/>"#
        );
        if hour % 2 == 0 {
            let _ = writeln!(
                svg,
                r#"<text x="{at}" y="40" text-anchor="middle">{hour}:00</text>"#
            );
        }
    }
}

fn band(svg: &mut String, name: &str, y: f64, spans: &[(Duration, &'static str)], day: u32) {
    let middle = y + BAND / 2.0 + 4.0;
    let _ = writeln!(
        svg,
        r#"<text x="{}" y="{middle}" text-anchor="end">{name}</text>"#,
        LEFT - 8.0
    );
    let (begin, end) = (DAY * day, DAY * (day + 1));
    for (nth, (since, class)) in spans.iter().enumerate() {
        let until = spans.get(nth + 1).map_or(end, |(at, _)| *at).min(end);
        let since = (*since).max(begin);
        if since >= until {
            continue;
        }
        let (left, width) = (x(since, day), x(until, day) - x(since, day));
        let _ = writeln!(
            svg,
            r#"<rect class="{class}" x="{left:.2}" y="{y}" width="{width:.2}" height="{BAND}"/>"#
        );
    }
}

fn beliefs(car: &CarTrace) -> Vec<(Duration, &'static str)> {
    let class = |state| match state {
        State::Asleep => "asleep",
        State::Waking | State::Idle => "idle",
        State::Quiet => "quiet",
        State::Driving => "driving",
        State::Charging => "charging",
        State::Updating => "updating",
        _ => "unknown",
    };
    let beliefs = car.beliefs.iter();
    beliefs.map(|(at, state)| (*at, class(*state))).collect()
}

fn truths(car: &CarTrace) -> Vec<(Duration, &'static str)> {
    let class = |activity| match activity {
        CarActivity::Asleep => "asleep",
        CarActivity::Idle => "idle",
        CarActivity::Driving => "driving",
        CarActivity::Charging => "charging",
        CarActivity::Updating => "updating",
    };
    let mut spans = vec![(Duration::ZERO, class(car.begins_as))];
    for (at, event) in &car.events {
        let next = match event {
            LifeEvent::FellAsleep => "asleep",
            LifeEvent::DriveStarted => "driving",
            LifeEvent::ChargeStarted => "charging",
            LifeEvent::InstallStarted => "updating",
            LifeEvent::Woke
            | LifeEvent::BriefWake
            | LifeEvent::DriveEnded
            | LifeEvent::ChargeEnded
            | LifeEvent::InstallEnded => "idle",
        };
        spans.push((*at, next));
    }
    spans
}

/// One path a kind, one stroke a call.
fn ticks(svg: &mut String, calls: &[CallMade], day: u32) {
    for (margin, _, class, top, length) in TICKS {
        let mut path = String::new();
        for call in calls.iter().filter(|call| is_on(call.at, day)) {
            if class_of(call) == class {
                let _ = write!(path, "M{:.2} {top}v{length}", x(call.at, day));
            }
        }
        if path.is_empty() {
            continue;
        }
        let _ = writeln!(
            svg,
            r#"<text x="{}" y="{}" text-anchor="end">{margin}</text><path class="{class}" d="{path}"/>"#,
            LEFT - 8.0,
            top + length / 2.0 + 4.0,
        );
    }
}

fn class_of(call: &CallMade) -> &'static str {
    match (call.ask, call.outcome) {
        (Ask::Light, _) => "light",
        (Ask::Data, CallOutcome::Served) => "data",
        (Ask::Data, CallOutcome::Unavailable | CallOutcome::InService) => "refused",
    }
}

fn legend(svg: &mut String) {
    let y = BELIEF_Y + BAND + 24.0;
    let mut at = LEFT;
    for (name, class, _) in COLOURS {
        let _ = writeln!(
            svg,
            r#"<rect class="{class}" x="{at}" y="{}" width="12" height="12"/><text x="{}" y="{}">{name}</text>"#,
            y - 10.0,
            at + 17.0,
            y
        );
        at += 125.0;
    }
    let y = y + 26.0;
    let mut at = LEFT;
    for (_, name, class, ..) in TICKS {
        let _ = writeln!(
            svg,
            r#"<line class="{class}" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{y}">{name}</text>"#,
            at + 6.0,
            y - 12.0,
            at + 6.0,
            y + 2.0,
            at + 17.0,
        );
        at += 125.0;
    }
}
