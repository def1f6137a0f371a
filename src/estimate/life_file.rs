//! An owner's own week as a TOML file → a [`Life`]. Text in, a life or every mistake with its line
//! out; who reads the file is not known here.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Time;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{DAY, Life};
use crate::policy::HoldReason;
use crate::sim::{Anchor, Deed, Plan, Segment};

/// The form of a life file, as help and documentation show it.
pub const FORM: &str = r#"# A week that repeats. Times are the car's local time.
jitter = "4m"              # each deed up to this much later than written; default none

[car]                      # every key is optional; these are the defaults
time_to_sleep = "12m"      # from the last use to sleep
brief_wakes = false        # comes online for a moment about once an hour while asleep
# held = true              # data calls keep it awake; --held and --not-held go before it
battery_kwh = 75
battery_level = 50         # percent, at the start
charge_limit = 90          # percent; charging stops here
wh_per_km = 160

[[segments]]
at = "mon-fri 07:30"       # "07:30" every day, "sat 10:00", "mon,wed 18:15"
what = "drive"
for = "35m"
km = 32                    # default: 45 km/h

[[segments]]
at = "tue,thu 22:00"
what = "charge"            # ends earlier when the limit is reached
for = "5h"
kw = 11                    # default 11; from 23 on it is a fast charger
starts_after = "3h"        # plugged in, waiting for its scheduled start; default none

[[segments]]
at = "12:00"
what = "app"               # the owner opens the phone app for a minute

[[segments]]
at = "fri 21:00"
what = "update"
download = "20m"           # default 20m
for = "25m"                # installing

# Others, each with `for`: service, dead_zone (no connection), and what keeps a parked car awake:
# user_present, sentry_mode, preconditioning, climate, climate_keeper, cabin_overheat, door_open,
# trunk_open, power, downloading, unlocked.
[[segments]]
at = "sat-sun 16:00"
what = "sentry_mode"
for = "2h"
"#;

/// Everything that is wrong with a life file: correct it and ask again (exit code 2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", messages.join("\n"))]
pub struct LifeFileErrors {
    /// One message each, in the order of the file.
    pub messages: Vec<String>,
}

const TOP: &[&str] = &["jitter", "car", "segments"];
const CAR: &[&str] = &[
    "time_to_sleep",
    "brief_wakes",
    "held",
    "battery_kwh",
    "battery_level",
    "charge_limit",
    "wh_per_km",
];
const SEGMENT: &[&str] = &["at", "what", "for", "km", "kw", "starts_after", "download"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const HOLDS: [HoldReason; 11] = [
    HoldReason::UserPresent,
    HoldReason::SentryMode,
    HoldReason::Preconditioning,
    HoldReason::Climate,
    HoldReason::ClimateKeeper,
    HoldReason::CabinOverheat,
    HoldReason::DoorOpen,
    HoldReason::TrunkOpen,
    HoldReason::Power,
    HoldReason::Downloading,
    HoldReason::Unlocked,
];
const WEEK: Duration = Duration::from_hours(7 * 24);
const LENGTH: RangeInclusive<Duration> = Duration::from_secs(1)..=WEEK;
/// From here on a charger is a fast one.
const FAST_KW: f64 = 23.0;
const KM_PER_HOUR: f64 = 45.0;
/// Far more than anyone's week has; bounds the time that playing it takes.
const MOST_SEGMENTS: usize = 500;

/// Reads a life; `name` is the file's in messages.
pub fn parse(name: &str, text: &str) -> Result<Life, LifeFileErrors> {
    let mut reader = LifeReader {
        name,
        text,
        problems: Vec::new(),
    };
    let life = match DeTable::parse(text) {
        Ok(table) => reader.life(table.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reader.refuse(at, &format!("not valid TOML: {}", error.message()));
            None
        }
    };
    match life {
        Some(life) if reader.problems.is_empty() => Ok(life),
        _ => {
            reader.problems.sort();
            let messages = reader.problems.into_iter().map(|(_, message)| message);
            Err(LifeFileErrors {
                messages: messages.collect(),
            })
        }
    }
}

struct LifeReader<'a> {
    name: &'a str,
    text: &'a str,
    /// Line and message.
    problems: Vec<(usize, String)>,
}

impl LifeReader<'_> {
    fn life(&mut self, top: &DeTable<'_>) -> Option<Life> {
        self.only(top, TOP, "");
        let mut life = Life::new(self.name, Plan::parked());
        if let Some(car) = top.get("car") {
            match car.get_ref() {
                DeValue::Table(table) => self.car(table, &mut life),
                _ => self.refuse(car.span().start, "car: expected a section [car]"),
            }
        }
        let jitter = self.duration(top, "jitter", Duration::ZERO..=Duration::from_hours(3));
        let segments = top.get("segments");
        let Some(segments) = segments else {
            self.refuse(
                0,
                "no [[segments]]: expected at least one thing that happens",
            );
            return None;
        };
        let at = segments.span().start;
        let DeValue::Array(items) = segments.get_ref() else {
            self.refuse(
                at,
                "segments: expected tables, each with the header [[segments]]",
            );
            return None;
        };
        if items.len() > MOST_SEGMENTS {
            let complaint = format!(
                "segments: expected at most {MOST_SEGMENTS}, found {}",
                items.len()
            );
            self.refuse(at, &complaint);
            return None;
        }
        let mut plan = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => self.segment(item.span().start, table, &mut plan),
                _ => self.refuse(item.span().start, "segments: expected [[segments]] tables"),
            }
        }
        plan.sort_by_key(|segment: &Segment| segment.start);
        life.plan = Plan {
            period: WEEK,
            anchor: Anchor::Calendar,
            jitter: jitter.unwrap_or_default(),
            segments: plan,
        };
        Some(life)
    }

    fn car(&mut self, table: &DeTable<'_>, life: &mut Life) {
        self.only(table, CAR, "car.");
        let sleepy = Duration::from_mins(1)..=DAY;
        if let Some(time) = self.duration(table, "time_to_sleep", sleepy) {
            life.time_to_sleep = time;
        }
        if let Some(says) = self.bool(table, "brief_wakes") {
            life.brief_wakes = says;
        }
        life.held = self.bool(table, "held");
        let numbers = [
            ("battery_kwh", 10.0..=300.0, &mut life.battery_kwh),
            ("battery_level", 2.0..=100.0, &mut life.battery_level),
            ("charge_limit", 50.0..=100.0, &mut life.charge_limit),
            ("wh_per_km", 50.0..=1000.0, &mut life.wh_per_km),
        ];
        for (key, range, target) in numbers {
            if let Some(number) = self.number(table, key, range) {
                *target = number;
            }
        }
    }

    /// One table is a deed on each of its days.
    fn segment(&mut self, at: usize, table: &DeTable<'_>, plan: &mut Vec<Segment>) {
        self.only(table, SEGMENT, "segments.");
        let n_problems = self.problems.len();
        let starts = self.text(table, "at").and_then(|(at, text)| {
            let starts = starts(text);
            if starts.is_none() {
                let expected = "expected a time such as \"07:30\" or \"mon-fri 07:30\"";
                self.refuse(at, &format!("at = {text:?}: {expected}"));
            }
            starts
        });
        let deed = self.deed(table);
        if let (Some(starts), Some(deed)) = (&starts, deed) {
            plan.extend(starts.iter().map(|start| Segment {
                start: *start,
                deed: deed.clone(),
            }));
        } else if self.problems.len() == n_problems {
            let missing = if starts.is_none() { "at" } else { "what" };
            self.refuse(at, &format!("this segment has no `{missing}`"));
        }
    }

    fn deed(&mut self, table: &DeTable<'_>) -> Option<Deed> {
        let (at, what) = self.text(table, "what")?;
        let hold = HOLDS.into_iter().find(|hold| hold.word() == what);
        let keys: &[&str] = match what {
            "app" => &[],
            "drive" => &["for", "km"],
            "charge" => &["for", "kw", "starts_after"],
            "update" => &["for", "download"],
            "service" | "dead_zone" => &["for"],
            _ if hold.is_some() => &["for"],
            _ => {
                self.refuse(at, &format!("what = {what:?}: {}", expected_what(what)));
                return None;
            }
        };
        for (key, value) in table {
            let name: &str = key.get_ref();
            if SEGMENT[2..].contains(&name) && !keys.contains(&name) {
                self.refuse(
                    value.span().start,
                    &format!("{name}: means nothing for {what:?}"),
                );
            }
        }
        if what == "app" {
            return Some(Deed::AppUse);
        }
        if !table.contains_key("for") {
            self.refuse(
                at,
                &format!("what = {what:?}: needs `for`, how long it takes"),
            );
        }
        let length = self.duration(table, "for", LENGTH)?;
        Some(match what {
            "drive" => {
                let km = self.number(table, "km", 0.1..=10_000.0);
                let by_speed = length.as_secs_f64() / 3600.0 * KM_PER_HOUR;
                let km = km.unwrap_or(by_speed);
                Deed::Drive { length, km }
            }
            "charge" => {
                let kw = self.number(table, "kw", 0.5..=1000.0).unwrap_or(11.0);
                Deed::Charge {
                    length,
                    kw,
                    dc: kw >= FAST_KW,
                    scheduled_in: self.duration(table, "starts_after", LENGTH),
                }
            }
            "update" => Deed::Update {
                download: self
                    .duration(table, "download", LENGTH)
                    .unwrap_or(Duration::from_mins(20)),
                install: length,
            },
            "service" => Deed::Service { length },
            "dead_zone" => Deed::DeadZone { length },
            _ => Deed::Hold {
                reason: hold?,
                length,
            },
        })
    }

    fn only(&mut self, table: &DeTable<'_>, known: &[&str], section: &str) {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let meant = near(name, known).map_or_else(
                    || format!("expected one of {}", known.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                self.refuse(
                    key.span().start,
                    &format!("{section}{name}: unknown key, {meant}"),
                );
            }
        }
    }

    fn text<'t>(&mut self, table: &'t DeTable<'_>, key: &str) -> Option<(usize, &'t str)> {
        let value = table.get(key)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some((value.span().start, text));
        }
        self.wrong(key, value, "a text in quotes");
        None
    }

    fn bool(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        if let DeValue::Boolean(says) = value.get_ref() {
            return Some(*says);
        }
        self.wrong(key, value, "true or false");
        None
    }

    fn number(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let value = table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::Float(number) => number.to_string().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            self.wrong(key, value, &format!("a number from {least} to {most}"));
        }
        number
    }

    fn duration(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (at, text) = self.text(table, key)?;
        let parsed = text.trim().parse::<SignedDuration>().ok();
        let duration = parsed.and_then(|duration| Duration::try_from(duration).ok());
        let complaint = match duration {
            Some(duration) if range.contains(&duration) => return Some(duration),
            Some(_) => {
                let (least, most) = range.into_inner();
                format!("expected {} to {}", words(least), words(most))
            }
            None => "expected a duration such as \"35m\" or \"2h\"".to_owned(),
        };
        self.refuse(at, &format!("{key} = {text:?}: {complaint}"));
        None
    }

    fn wrong(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let span = value.span();
        let found: String = self
            .text
            .get(span.clone())
            .unwrap_or("")
            .chars()
            .take(40)
            .collect();
        self.refuse(span.start, &format!("{key} = {found}: expected {expected}"));
    }

    fn refuse(&mut self, at: usize, complaint: &str) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        let message = format!("{}:{line}: {complaint}", self.name);
        self.problems.push((line, message));
    }
}

fn words(duration: Duration) -> String {
    format!(
        "{:#}",
        SignedDuration::try_from(duration).unwrap_or_default()
    )
}

fn near<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), *k));
    let (distance, near) = scored.min()?;
    (distance <= 2).then_some(near)
}

fn expected_what(found: &str) -> String {
    const DEEDS: [&str; 6] = ["drive", "charge", "app", "update", "service", "dead_zone"];
    let words: Vec<&str> = DEEDS
        .into_iter()
        .chain(HOLDS.into_iter().map(HoldReason::word))
        .collect();
    near(found, &words).map_or_else(
        || format!("expected one of {}", words.join(", ")),
        |near| format!("did you mean {near:?}?"),
    )
}

/// `mon-fri 07:30` → five offsets from Monday's midnight.
fn starts(text: &str) -> Option<Vec<Duration>> {
    let mut parts = text.split_whitespace();
    let (first, second) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (days, time) = match second {
        None => ((0..7).collect(), first),
        Some(time) => (weekdays(first)?, time),
    };
    let time = Time::strptime("%H:%M", time).ok()?;
    let minutes = u64::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).ok()?;
    let start = |day| DAY * day + Duration::from_mins(minutes);
    Some(days.into_iter().map(start).collect())
}

fn weekdays(text: &str) -> Option<Vec<u32>> {
    let number = |word: &str| {
        let at = WEEKDAYS
            .iter()
            .position(|day| day.eq_ignore_ascii_case(word))?;
        u32::try_from(at).ok()
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        // `fri-mon` goes over the weekend.
        let n = (last + 7 - first) % 7;
        days.extend((0..=n).map(|ahead| (first + ahead) % 7));
    }
    days.sort_unstable();
    days.dedup();
    Some(days)
}
