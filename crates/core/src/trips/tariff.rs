//! What a charge costs: the price of a kilowatt-hour by charger and time of day.
//!
//! Hours are the car's local time, which it tells by its offset from UTC (tesla-api.md, quirk 12).

use jiff::Timestamp;

/// The owner's prices of a kilowatt-hour, all in one currency.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tariff {
    /// The currency's name.
    pub currency: Option<String>,
    /// At an AC charger.
    pub price: Option<f64>,
    /// At an AC charger in the cheap hours.
    pub cheap: Option<Cheap>,
    /// At a DC fast charger.
    pub fast_price: Option<f64>,
    /// Of what an AC charger's meter counts, this share never reaches the battery.
    pub ac_loss: f64,
}

/// A price for some hours of each day.
#[derive(Debug, Clone, PartialEq)]
pub struct Cheap {
    /// Of a kilowatt-hour.
    pub price: f64,
    /// When.
    pub hours: Vec<Hours>,
}

/// A part of the day, in minutes after midnight; it may reach over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first minute.
    pub from: u16,
    /// The first minute after it.
    pub until: u16,
}

/// Energy that reached the battery between two times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// How much.
    pub kwh: f64,
    /// From a DC charger.
    pub is_dc: bool,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// Evenly in between; else at no known time of it.
    pub is_even: bool,
    /// The car's local time, from UTC, seconds.
    pub utc_offset_s: Option<i64>,
}

const MINUTES_A_DAY: i64 = 24 * 60;
/// Nobody charges for longer between two looks; a broken clock does not keep us busy.
const MINUTES_AT_MOST: i64 = 7 * MINUTES_A_DAY;

impl Tariff {
    /// The cost of energy; `None` if a price that it needs is not set, or the hour not known and
    /// not the same at all hours.
    pub fn cost(&self, flow: &Flow) -> Option<f64> {
        if flow.is_dc {
            return self.fast_price.map(|price| price * flow.kwh);
        }
        let price = match &self.cheap {
            None => self.price?,
            Some(cheap) => {
                let share = cheap.share(flow)?;
                let is_one_price = share <= 0.0 || share >= 1.0;
                (flow.is_even || is_one_price).then_some(())?;
                cheap.price * share + self.price? * (1.0 - share)
            }
        };
        Some(price * flow.kwh / (1.0 - self.ac_loss))
    }
}

impl Cheap {
    /// Which part of the time lies in these hours, to the minute.
    #[expect(clippy::cast_precision_loss, reason = "minutes of a week")]
    fn share(&self, flow: &Flow) -> Option<f64> {
        let offset = flow.utc_offset_s?;
        let local = |at: Timestamp| (at.as_second() + offset).div_euclid(60);
        let last = local(flow.until);
        let first = local(flow.from).clamp(last - MINUTES_AT_MOST, last);
        let is_cheap = |minute: &i64| self.hours.iter().any(|hours| hours.has(*minute));
        // The minute that has just begun counts only if it is the only one.
        let minutes = first..last.max(first + 1);
        let n_all = minutes.end - minutes.start;
        Some(minutes.filter(is_cheap).count() as f64 / n_all as f64)
    }
}

impl Hours {
    /// Whether a minute, counted from any midnight, is one of them.
    fn has(self, minute: i64) -> bool {
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        let minute = minute.rem_euclid(MINUTES_A_DAY);
        if from <= until {
            (from..until).contains(&minute)
        } else {
            minute >= from || minute < until
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHT: Hours = Hours {
        from: 23 * 60 + 30,
        until: 5 * 60 + 30,
    };
    const NOON: Hours = Hours {
        from: 12 * 60,
        until: 14 * 60,
    };

    fn tariff(cheap: &[Hours]) -> Tariff {
        Tariff {
            currency: Some("EUR".into()),
            price: Some(0.30),
            cheap: (!cheap.is_empty()).then(|| Cheap {
                price: 0.10,
                hours: cheap.to_vec(),
            }),
            fast_price: Some(0.60),
            ac_loss: 0.0,
        }
    }

    /// Ten kilowatt-hours between two local times, two hours east of Greenwich.
    fn ten(from: &str, until: &str) -> Flow {
        let local = |at: &str| format!("{at}:00+02:00").parse().unwrap();
        Flow {
            kwh: 10.0,
            is_dc: false,
            from: local(from),
            until: local(until),
            is_even: true,
            utc_offset_s: Some(7200),
        }
    }

    #[track_caller]
    fn costs(tariff: &Tariff, flow: &Flow, expected: Option<f64>) {
        let cost = tariff.cost(flow);
        let rounded = cost.map(|cost| (cost * 1000.0).round() / 1000.0);
        assert_eq!(rounded, expected);
    }

    #[test]
    fn energy_costs_what_its_hour_says() {
        let check = |hours: &[Hours], from, until, expected| {
            costs(&tariff(hours), &ten(from, until), Some(expected));
        };
        check(&[], "2026-11-23T03:00", "2026-11-23T04:00", 3.0);
        check(&[NIGHT], "2026-11-23T20:00", "2026-11-23T21:00", 3.0);
        check(&[NIGHT], "2026-11-23T23:30", "2026-11-24T05:30", 1.0);
        check(&[NIGHT], "2026-11-23T00:00", "2026-11-23T01:00", 1.0);
        // Half of it is cheap, at either end.
        check(&[NIGHT], "2026-11-23T22:30", "2026-11-24T00:30", 2.0);
        check(&[NIGHT], "2026-11-24T05:00", "2026-11-24T06:00", 2.0);
        // A quarter of a day, and two hours of two.
        check(&[NIGHT], "2026-11-23T06:00", "2026-11-24T06:00", 2.5);
        check(&[NIGHT, NOON], "2026-11-23T12:00", "2026-11-23T14:00", 1.0);
        check(
            &[NIGHT, NOON],
            "2026-11-23T06:00",
            "2026-11-24T06:00",
            2.333,
        );
        // Hours that overlap count once.
        check(&[NIGHT, NIGHT], "2026-11-23T06:00", "2026-11-24T06:00", 2.5);
    }

    #[test]
    fn a_moment_has_the_price_of_its_minute() {
        let check = |at, expected| costs(&tariff(&[NIGHT]), &ten(at, at), Some(expected));
        check("2026-11-23T23:29", 3.0);
        check("2026-11-23T23:30", 1.0);
        check("2026-11-24T05:29", 1.0);
        check("2026-11-24T05:30", 3.0);
    }

    #[test]
    fn energy_of_no_known_time_has_a_cost_where_all_of_the_time_has_one_price() {
        let check = |tariff: &Tariff, from, until, expected| {
            let flow = Flow {
                is_even: false,
                ..ten(from, until)
            };
            costs(tariff, &flow, expected);
        };
        let night = tariff(&[NIGHT]);
        check(&night, "2026-11-23T06:00", "2026-11-23T23:30", Some(3.0));
        check(&night, "2026-11-23T23:30", "2026-11-24T05:30", Some(1.0));
        check(&night, "2026-11-23T22:00", "2026-11-23T23:31", None);
        check(
            &tariff(&[]),
            "2026-11-23T22:00",
            "2026-11-23T23:31",
            Some(3.0),
        );
    }

    #[test]
    fn a_fast_charger_has_its_own_price_at_every_hour_and_no_loss() {
        let flow = Flow {
            is_dc: true,
            ..ten("2026-11-23T00:00", "2026-11-23T01:00")
        };
        let with_loss = Tariff {
            ac_loss: 0.1,
            ..tariff(&[NIGHT])
        };
        costs(&with_loss, &flow, Some(6.0));
        let without = Tariff {
            fast_price: None,
            ..tariff(&[])
        };
        costs(&without, &flow, None);
    }

    #[test]
    fn what_the_charger_lost_is_paid_for_too() {
        let lossy = Tariff {
            ac_loss: 0.1,
            ..tariff(&[])
        };
        let flow = ten("2026-11-23T10:00", "2026-11-23T11:00");
        costs(&lossy, &flow, Some(3.333));
    }

    #[test]
    fn without_a_price_or_the_cars_hour_there_is_no_cost() {
        let flow = ten("2026-11-23T10:00", "2026-11-23T11:00");
        costs(&Tariff::default(), &flow, None);
        let nowhere = Flow {
            utc_offset_s: None,
            ..flow
        };
        costs(&tariff(&[NIGHT]), &nowhere, None);
        costs(&tariff(&[]), &nowhere, Some(3.0));
        let free = Tariff {
            price: Some(0.0),
            ..Tariff::default()
        };
        costs(&free, &flow, Some(0.0));
    }

    proptest::proptest! {
        #[test]
        fn a_cost_lies_between_the_cheapest_and_the_dearest(
            from: i32, seconds in -1_000_000_i64..1_000_000_000, offset in proptest::num::i32::ANY,
        ) {
            let from = Timestamp::from_second(from.into()).unwrap();
            let flow = Flow {
                kwh: 10.0,
                is_dc: false,
                from,
                until: Timestamp::from_second(from.as_second() + seconds).unwrap(),
                is_even: true,
                utc_offset_s: Some(offset.into()),
            };
            let cost = tariff(&[NIGHT, NOON]).cost(&flow).unwrap();
            proptest::prop_assert!((0.999..=3.001).contains(&cost), "{cost}");
        }
    }
}
