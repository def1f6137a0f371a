//! The energy counter, whatever it shows.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

/// From look to look.
const MINUTES_APART: i64 = 5;

/// What a car shows of its charge, and what it truly took.
struct Charger {
    rig: TripsRig,
    /// The session's counter, as it should be.
    session: f64,
    /// What it shows until the next session's shows.
    old: Option<f64>,
    plugged: bool,
    charging: bool,
    odometer: f64,
    /// Minutes until the next look.
    gap: i64,
    charged: f64,
    shown_total: f64,
    cost: f64,
}

/// One thing that happens to it.
#[derive(Debug, Clone, Copy)]
enum MeterAct {
    /// Current flows until the next look: kWh.
    Charge(f64),
    /// The counter is this much too low for one look, and comes back.
    Dip(f64),
    /// It shows 0 for one look.
    Zero,
    /// It is null for one look.
    Null,
    /// Nobody looks for so many minutes: what follows begins with that.
    Away(i64),
    /// The car's own use.
    Drain(f64),
    Stop,
    Unplug,
    Drive,
    Look,
}

impl Charger {
    fn new() -> Self {
        let mut charger = Self {
            rig: TripsRig::new(),
            session: 12.0,
            old: None,
            plugged: false,
            charging: false,
            odometer: 1000.0,
            gap: MINUTES_APART,
            charged: 0.0,
            shown_total: 0.0,
            cost: 0.0,
        };
        charger.look(0.0);
        charger
    }

    fn act(&mut self, act: MeterAct) {
        match act {
            MeterAct::Charge(kwh) => {
                if !self.plugged {
                    // The cable goes in, and the last session's value is seen once more.
                    self.plugged = true;
                    self.charging = true;
                    self.old = Some(self.session);
                    self.session = 0.0;
                    self.look(0.0);
                    self.old = None;
                }
                self.charging = true;
                for _ in 0..4 {
                    self.session += kwh / 4.0;
                    self.charged += kwh / 4.0;
                    self.look(0.0);
                }
            }
            MeterAct::Dip(kwh) => {
                // A dip shows while current flows; else it is a flap of the rounding.
                let kwh = if self.charging { kwh } else { kwh.min(0.02) };
                self.look(kwh.min(self.session / 2.0));
                self.look(0.0);
            }
            MeterAct::Zero => {
                self.look(self.session);
                self.look(0.0);
            }
            MeterAct::Null => self.look_at(&[]),
            MeterAct::Away(minutes) => self.gap = minutes,
            MeterAct::Drain(kwh) => {
                self.stop();
                self.session = (self.session - kwh).max(0.0);
                self.look(0.0);
                // What was drained is seen to stay so.
                self.look(0.0);
            }
            MeterAct::Stop => self.stop(),
            MeterAct::Unplug => self.unplug(),
            MeterAct::Drive => {
                self.unplug();
                self.odometer += 5.0;
                self.look(0.0);
            }
            MeterAct::Look => self.look(0.0),
        }
    }

    fn stop(&mut self) {
        self.charging = false;
        self.look(0.0);
    }

    fn unplug(&mut self) {
        self.stop();
        self.plugged = false;
        self.look(0.0);
    }

    fn look(&mut self, less: f64) {
        let counter = self.old.unwrap_or(self.session) - less;
        self.look_at(&[("charge_energy_added", counter)]);
    }

    /// A look that shows this of the counter, and a restart of the bridge after it.
    fn look_at(&mut self, counter: &[(&str, f64)]) {
        let words = match (self.plugged, self.charging) {
            (false, _) => PARKED,
            (true, true) => CHARGING,
            (true, false) => STOPPED,
        };
        let no_counter = [("charge_state.charge_energy_added", "")];
        let nulls: &[_] = if counter.is_empty() { &no_counter } else { &[] };
        let words = [words, nulls].concat();
        let numbers = [&[("odometer", self.odometer)], counter].concat();
        let gap = std::mem::replace(&mut self.gap, MINUTES_APART);
        for finding in self.rig.after(gap, &words, &numbers) {
            if let Finding::Charge(charge) = finding {
                self.cost += charge.cost.expect("a cost");
            }
        }
        let total = self.rig.figure("charge_energy_total").unwrap();
        assert!(
            total >= self.shown_total,
            "{total} after {}",
            self.shown_total
        );
        self.shown_total = total;
    }
}

fn act() -> impl Strategy<Value = MeterAct> {
    prop_oneof![
        4 => (0.5_f64..8.0).prop_map(MeterAct::Charge),
        2 => (0.01_f64..1.5).prop_map(MeterAct::Dip),
        1 => Just(MeterAct::Zero),
        1 => Just(MeterAct::Null),
        2 => (6_i64..24 * 60).prop_map(MeterAct::Away),
        1 => (0.05_f64..0.3).prop_map(MeterAct::Drain),
        1 => Just(MeterAct::Stop),
        1 => Just(MeterAct::Unplug),
        1 => Just(MeterAct::Drive),
        1 => Just(MeterAct::Look),
    ]
}

proptest! {
    #[test]
    fn the_total_is_what_was_charged_whatever_the_counter_shows(
        acts in prop::collection::vec(act(), 0..30),
    ) {
        let mut charger = Charger::new();
        for act in acts {
            charger.act(act);
            let wrong = (charger.shown_total - charger.charged).abs();
            prop_assert!(wrong <= 0.3, "{} of {}", charger.shown_total, charger.charged);
        }
        charger.unplug();
        let wrong = (charger.cost - charger.shown_total * 0.30).abs();
        prop_assert!(wrong <= 0.02, "{} for {}", charger.cost, charger.shown_total);
    }
}

/// The counter and the state of each look, a minute apart; the total after the last, and the cost of
/// the charges that ended.
fn play(looks: &[(&[(&str, &str)], f64)]) -> (f64, f64) {
    let mut rig = TripsRig::new();
    let mut cost = 0.0;
    for (words, counter) in looks {
        for finding in rig.after(1, words, &[("charge_energy_added", *counter)]) {
            if let Finding::Charge(charge) = finding {
                cost += charge.cost.unwrap();
            }
        }
    }
    (rig.figure("charge_energy_total").unwrap(), cost)
}

#[test]
fn flaps_of_an_unplugged_car_add_nothing() {
    let looks = [
        (CHARGING, 29.0),
        (COMPLETE, 30.0),
        (PARKED, 30.0),
        (PARKED, 29.98),
        (PARKED, 30.0),
        (PARKED, 29.7),
        (PARKED, 30.0),
        (PARKED, 0.0),
        (PARKED, 30.0),
        (PARKED, 28.5),
        (PARKED, 30.0),
        (STOPPED, 30.0),
        (STOPPED, 29.98),
        (STOPPED, 28.0),
        (STOPPED, 30.0),
    ];
    for n in 5..=looks.len() {
        assert!(close(play(&looks[..n]).0, 1.0), "{n} looks");
    }
}

#[test]
fn the_cars_own_drain_adds_nothing() {
    let looks: Vec<_> = (0..40)
        .map(|n| (COMPLETE, 36.6 - 0.1 * f64::from(n)))
        .collect();
    assert_eq!(play(&looks), (0.0, 0.0));
    // What is charged after it counts from there.
    let mut looks = looks;
    looks.push((CHARGING, 33.2));
    looks.push((COMPLETE, 34.7));
    let (total, cost) = play(&looks);
    assert!(close(total, 2.0), "{total}");
    assert!(close(cost, 0.6), "{cost}");
}

#[test]
fn a_dip_while_charging_is_charged_and_paid_once() {
    let looks = [
        (CHARGING, 20.0),
        (CHARGING, 26.95),
        (CHARGING, 25.53),
        (CHARGING, 26.2),
        (CHARGING, 27.4),
        (COMPLETE, 27.5),
    ];
    let (total, cost) = play(&looks);
    assert!(close(total, 7.5), "{total}");
    assert!(close(cost, 2.25), "{cost}");
}

#[test]
fn a_counter_that_stays_low_is_another_session_although_nobody_saw_the_cable() {
    let looks = [
        (CHARGING, 20.0),
        (CHARGING, 26.0),
        (CHARGING, 0.5),
        (CHARGING, 1.0),
        (CHARGING, 1.5),
        (COMPLETE, 2.0),
    ];
    assert!(close(play(&looks).0, 8.0));
}

#[test]
fn a_leap_that_no_charger_makes_waits_for_the_next_look() {
    let looks = [
        (CHARGING, 20.0),
        (CHARGING, 395.0),
        (CHARGING, 20.5),
        (COMPLETE, 21.0),
    ];
    assert!(close(play(&looks).0, 1.0));
}

#[test]
fn what_was_charged_unseen_counts_once() {
    type Look = (i64, &'static [(&'static str, &'static str)], f64, f64);
    let check = |rows: &[Look], expected: f64| {
        let mut rig = TripsRig::new();
        for (minutes, words, counter, level) in rows {
            let shown = [("charge_energy_added", *counter), ("battery_level", *level)];
            rig.after(*minutes, words, &shown);
        }
        let total = rig.figure("charge_energy_total").unwrap();
        assert!(close(total, expected), "{rows:?}: {total}");
    };
    // Plugged in all the time.
    check(&[(0, STOPPED, 5.0, 40.0), (600, COMPLETE, 8.0, 45.0)], 3.0);
    // Plugged in and out again between two looks, at home.
    check(&[(0, PARKED, 12.0, 40.0), (600, PARKED, 8.0, 52.0)], 8.0);
    check(&[(0, PARKED, 12.0, 40.0), (600, PARKED, 18.0, 68.0)], 18.0);
    // As much as the last time.
    check(&[(0, PARKED, 12.0, 40.0), (600, PARKED, 12.0, 56.0)], 12.0);
    // Nothing was charged.
    check(&[(0, PARKED, 12.0, 40.0), (600, PARKED, 11.5, 39.0)], 0.0);
    // And the cable is still in.
    check(&[(0, PARKED, 12.0, 40.0), (600, COMPLETE, 8.0, 52.0)], 8.0);
}
