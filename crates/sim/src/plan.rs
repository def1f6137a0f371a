//! What a simulated car does and when: a period (a day, a week, or the minutes of the demo) that
//! repeats. Times are the car's local time; nothing here knows a clock.

use std::time::Duration;

use tesla2mqtt_core::policy::HoldReason;

/// A repeating list of deeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// After this long everything happens again.
    pub period: Duration,
    /// Where the first period begins.
    pub anchor: Anchor,
    /// Each deed starts up to this much later than written, differently each time (from the
    /// car's seed). Zero for an exact plan.
    pub jitter: Duration,
    /// In the order of their starts.
    pub segments: Vec<Segment>,
}

/// Where periods begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At the car's local midnight; for a week, at Monday's.
    Calendar,
    /// When the car's life begins.
    Start,
}

/// A deed and its start, counted from the beginning of the period.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Offset from the beginning of the period.
    pub start: Duration,
    /// What happens.
    pub deed: Deed,
}

/// What can happen to a car. All but [`Deed::Service`], [`Deed::DeadZone`] and a hold by
/// [`HoldReason::Unlocked`] wake it and keep it awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// In gear; unplugs the car.
    Drive {
        /// From gear to park.
        length: Duration,
        /// Way.
        km: f64,
    },
    /// The owner opens the phone app for a minute.
    AppUse,
    /// Plugged in; an AC cable stays plugged until the next drive.
    Charge {
        /// Charging ends after this long, or earlier at the limit.
        length: Duration,
        /// At the charger.
        kw: f64,
        /// A fast charger.
        dc: bool,
        /// Plugged in and waiting this long for its scheduled start; it may sleep meanwhile.
        scheduled_in: Option<Duration>,
    },
    /// One of the reasons not to sleep.
    Hold {
        /// Which.
        reason: HoldReason,
        /// For how long.
        length: Duration,
    },
    /// A download followed by the installation; out of reach for its middle part.
    Update {
        /// Awake by the download.
        download: Duration,
        /// Installing.
        install: Duration,
    },
    /// At service.
    Service {
        /// For how long.
        length: Duration,
    },
    /// No connection, whatever the car does.
    DeadZone {
        /// For how long.
        length: Duration,
    },
}

const DAY: Duration = Duration::from_hours(24);

/// A deed at an hour and a minute of the day.
fn at(hour: u64, minute: u64, deed: Deed) -> Segment {
    Segment {
        start: Duration::from_mins(hour * 60 + minute),
        deed,
    }
}

fn drive(minutes: u64, km: f64) -> Deed {
    Deed::Drive {
        length: Duration::from_mins(minutes),
        km,
    }
}

fn charge(minutes: u64, kw: f64, dc: bool) -> Deed {
    Deed::Charge {
        length: Duration::from_mins(minutes),
        kw,
        dc,
        scheduled_in: None,
    }
}

fn update(download_s: u64, install_s: u64) -> Deed {
    Deed::Update {
        download: Duration::from_secs(download_s),
        install: Duration::from_secs(install_s),
    }
}

fn hold(reason: HoldReason, seconds: u64) -> Deed {
    Deed::Hold {
        reason,
        length: Duration::from_secs(seconds),
    }
}

impl Plan {
    /// A day of the given segments, exact, by the calendar.
    pub fn day(mut segments: Vec<Segment>) -> Self {
        segments.sort_by_key(|s| s.start);
        Self {
            period: DAY,
            anchor: Anchor::Calendar,
            jitter: Duration::ZERO,
            segments,
        }
    }

    /// The segments once, counted from the beginning of the car's life, then nothing for years.
    pub fn once(segments: Vec<Segment>) -> Self {
        Self {
            period: DAY * 3650,
            anchor: Anchor::Start,
            ..Self::day(segments)
        }
    }

    /// Nothing ever happens.
    pub fn parked() -> Self {
        Self::day(Vec::new())
    }

    /// The day by which policies are compared (sleep policy, section 7): unpolled, a car that
    /// sleeps after 12 minutes is awake for 4.55 h of it. Driving takes about what the night
    /// charges, so that the day repeats for months.
    pub fn model_day() -> Self {
        Self::day(vec![
            at(8, 0, drive(30, 48.0)),
            at(12, 0, Deed::AppUse),
            at(17, 30, drive(30, 48.0)),
            at(19, 0, drive(10, 14.0)),
            at(19, 30, drive(10, 14.0)),
            at(22, 0, charge(120, 11.0, false)),
        ])
    }

    /// Workdays to the office and back, errands, two charges a week at home, preconditioned
    /// mornings; an update once a week.
    pub fn commuter() -> Self {
        let mut week = Vec::new();
        for day in 0..5 {
            week.push(at(day * 24 + 7, 20, hold(HoldReason::Preconditioning, 600)));
            week.push(at(day * 24 + 7, 30, drive(35, 32.0)));
            week.push(at(day * 24 + 17, 15, drive(40, 32.0)));
        }
        week.push(at(24 + 19, 0, drive(12, 7.0)));
        week.push(at(24 + 20, 0, drive(12, 7.0)));
        week.push(at(24 + 22, 0, charge(300, 11.0, false)));
        week.push(at(3 * 24 + 22, 0, charge(300, 11.0, false)));
        week.push(at(
            4 * 24 + 21,
            0,
            Deed::Update {
                download: Duration::from_mins(20),
                install: Duration::from_mins(25),
            },
        ));
        week.push(at(5 * 24 + 10, 0, drive(20, 14.0)));
        week.push(at(5 * 24 + 11, 30, drive(20, 14.0)));
        Self::week(week)
    }

    /// Parked from Monday to Friday, two long trips with fast charging at the weekend.
    pub fn weekender() -> Self {
        let mut week = vec![at(2 * 24 + 18, 0, Deed::AppUse)];
        for day in 5..7 {
            week.push(at(day * 24 + 9, 0, drive(100, 150.0)));
            week.push(at(day * 24 + 10, 42, charge(25, 150.0, true)));
            week.push(at(day * 24 + 11, 15, drive(60, 85.0)));
            week.push(at(day * 24 + 16, 0, hold(HoldReason::SentryMode, 7200)));
        }
        week.push(at(6 * 24 + 20, 0, charge(480, 11.0, false)));
        Self::week(week)
    }

    /// A taxi's day: on the road from six to ten, fast charging twice.
    pub fn taxi() -> Self {
        let mut day: Vec<Segment> = (6..22)
            .filter(|hour| *hour != 13)
            .flat_map(|hour| [at(hour, 0, drive(22, 14.0)), at(hour, 32, drive(24, 16.0))])
            .collect();
        day.push(at(13, 5, charge(35, 120.0, true)));
        day.push(at(22, 10, charge(30, 120.0, true)));
        Self::day(day)
    }

    /// A quarter of an hour in which everything happens that an onlooker wants to see: getting in,
    /// a drive, parking, sleep, an app that wakes the car, a charge, a software update, sleep. For
    /// a car that sleeps after about 100 s. `offset` shifts the round, so that two cars are not in
    /// step. The way is short and the charge gives a little more than a round takes, so that power
    /// and speed are those of real cars and the days repeat for ever.
    pub fn demo_day(offset: Duration, kw: f64, dc: bool) -> Self {
        let period = Duration::from_secs(930);
        let round = [
            (5, hold(HoldReason::DoorOpen, 20)),
            (20, drive(3, 3.2)),
            (200, hold(HoldReason::DoorOpen, 25)),
            (390, hold(HoldReason::Preconditioning, 60)),
            (400, charge(5, kw, dc)),
            (670, update(40, 50)),
        ];
        let mut segments: Vec<Segment> = round
            .into_iter()
            .map(|(second, deed)| {
                let shifted = Duration::from_secs(second) + offset;
                Segment {
                    start: Duration::from_secs(shifted.as_secs() % period.as_secs()),
                    deed,
                }
            })
            .collect();
        segments.sort_by_key(|s| s.start);
        Self {
            period,
            anchor: Anchor::Start,
            jitter: Duration::ZERO,
            segments,
        }
    }

    fn week(segments: Vec<Segment>) -> Self {
        Self {
            period: DAY * 7,
            jitter: Duration::from_mins(4),
            ..Self::day(segments)
        }
    }
}
