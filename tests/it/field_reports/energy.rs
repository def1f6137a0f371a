//! The counter of a charge flaps, drifts and dips; the energy in all does neither.

use serde_json::{Value as Json, json};

use super::report::{Answer, Report};
use super::rig::{Field, play, play_report};

/// What the total ever said: it never falls, and ends here.
fn total(field: &Field<'_>) -> f64 {
    let said = field.numbers("charge_energy_total");
    assert!(said.is_sorted(), "{said:?}");
    *said.last().expect("a total")
}

fn assert_total(field: &Field<'_>, right: f64) {
    let kwh = total(field);
    assert!((kwh - right).abs() < 0.005, "{kwh}");
}

#[test]
fn case_01_a_counter_that_flaps_while_unplugged_adds_nothing() {
    play("01-meter-flap-unplugged.json", async |field| {
        field.answered(8).await;
        assert_total(field, 1.0);
    });
}

#[test]
fn case_02_a_counter_that_drifts_down_while_plugged_in_adds_nothing() {
    play("02-meter-drift-down-plugged.json", async |field| {
        field.answered(7).await;
        assert_total(field, 0.0);
        assert_eq!(field.event_names(), [] as [&str; 0]);
    });
}

#[test]
fn case_03_a_dip_while_charging_is_charged_and_paid_once() {
    play("03-meter-dip-while-charging.json", async |field| {
        field.answered(8).await;
        // Up to 8.9 if what the dip took away is counted as spent.
        let right = 7.5..=8.9;
        let kwh = total(field);
        assert!(right.contains(&kwh), "{kwh}");
        let charged = field.numbers("last_charge_energy");
        assert!(!charged.is_empty());
        assert!(charged.iter().all(|kwh| right.contains(kwh)), "{charged:?}");
        let paid = field.numbers("last_charge_cost");
        assert_eq!(paid.len(), 1, "{paid:?}");
        assert!((paid[0] - kwh * 0.30).abs() < 0.01, "{paid:?} for {kwh}");
    });
}

/// What a car that charged shows at each look, and what was charged in the end, kWh.
struct Counter {
    name: &'static str,
    looks: &'static [(&'static str, Shown)],
    right: f64,
}

#[derive(Clone, Copy)]
enum Shown {
    Kwh(f64),
    Text(&'static str),
    Null,
}
use Shown::{Kwh, Null, Text};

const CHARGING: &str = "Charging";
const COMPLETE: &str = "Complete";
const STOPPED: &str = "Stopped";
const UNPLUGGED: &str = "Disconnected";
/// The charging state is null.
const SILENT: &str = "";

#[rustfmt::skip]
const COUNTERS: &[Counter] = &[
    Counter { name: "0 for a look while charging", right: 6.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(24.0)), (CHARGING, Kwh(0.0)), (CHARGING, Kwh(24.5)),
        (CHARGING, Kwh(26.0)), (COMPLETE, Kwh(26.0))] },
    Counter { name: "0 for two looks while charging", right: 6.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(24.0)), (CHARGING, Kwh(0.0)), (CHARGING, Kwh(0.0)),
        (CHARGING, Kwh(25.0)), (COMPLETE, Kwh(26.0))] },
    Counter { name: "flaps while plugged in", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (COMPLETE, Kwh(29.9)), (COMPLETE, Kwh(30.0)),
        (COMPLETE, Kwh(29.98)), (COMPLETE, Kwh(30.0)), (COMPLETE, Kwh(29.7))] },
    Counter { name: "0 and back while unplugged", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(0.0)),
        (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(30.0))] },
    Counter { name: "0 and a next session", right: 4.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(0.0)),
        (CHARGING, Kwh(0.0)), (CHARGING, Kwh(2.0)), (COMPLETE, Kwh(3.0))] },
    Counter { name: "a next session that shows the last one at first", right: 4.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (CHARGING, Kwh(30.0)),
        (CHARGING, Kwh(0.1)), (CHARGING, Kwh(2.0)), (COMPLETE, Kwh(3.0))] },
    Counter { name: "null for a look", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Null), (CHARGING, Kwh(23.0)),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "null at the end", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(24.0)), (COMPLETE, Null),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "negative for a look", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(-0.02)), (CHARGING, Kwh(23.0)),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "more than any battery holds, for a look", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(9999.0)), (CHARGING, Kwh(23.0)),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "more than any charger gives, for a look", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(92.0)), (CHARGING, Kwh(23.0)),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "more than any charger gives, at the end of it", right: 2.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (COMPLETE, Kwh(92.0)), (COMPLETE, Kwh(22.0)),
        (COMPLETE, Kwh(22.0))] },
    Counter { name: "another kind of value for a look", right: 4.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Text("SNA")), (CHARGING, Kwh(23.0)),
        (COMPLETE, Kwh(24.0))] },
    Counter { name: "drains and charges on", right: 3.4, looks: &[
        (CHARGING, Kwh(20.0)), (COMPLETE, Kwh(22.0)), (COMPLETE, Kwh(21.8)), (COMPLETE, Kwh(21.6)),
        (CHARGING, Kwh(21.6)), (CHARGING, Kwh(22.4)), (COMPLETE, Kwh(23.0))] },
    Counter { name: "stops and starts", right: 2.0, looks: &[
        (CHARGING, Kwh(20.0)), (STOPPED, Kwh(21.0)), (CHARGING, Kwh(21.0)), (STOPPED, Kwh(21.5)),
        (CHARGING, Kwh(21.5)), (COMPLETE, Kwh(22.0))] },
    Counter { name: "a charging state that is null for a look", right: 2.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(21.0)), (SILENT, Kwh(21.5)), (CHARGING, Kwh(21.7)),
        (COMPLETE, Kwh(22.0))] },
    Counter { name: "plugged in again and not charged", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(29.9)), (COMPLETE, Kwh(30.0)),
        (UNPLUGGED, Kwh(29.95)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0))] },
    Counter { name: "a state that flaps while the number rests", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (CHARGING, Kwh(30.0)),
        (UNPLUGGED, Kwh(30.0)), (CHARGING, Kwh(30.0)), (UNPLUGGED, Kwh(30.0))] },
];

impl Counter {
    fn answers(&self) -> Vec<Answer> {
        let of_car = Answer::parked(&[("charge_state.charger_power", 7.into())]);
        let mut answers: Vec<Answer> = self.looks.iter().map(look).collect();
        answers[0] = of_car.and_set(&values(&self.looks[0]));
        answers
    }
}

fn look(look: &(&'static str, Shown)) -> Answer {
    Answer::set(&values(look))
}

fn values(&(state, shown): &(&'static str, Shown)) -> [(&'static str, Json); 2] {
    let state = (state != SILENT).then_some(state);
    let counter = match shown {
        Kwh(kwh) => json!(kwh),
        Text(text) => json!(text),
        Null => Json::Null,
    };
    [
        ("charge_state.charging_state", json!(state)),
        ("charge_state.charge_energy_added", counter),
    ]
}

const PRICE: &str = "[tariff]\nprice = 0.30\ncurrency = \"EUR\"\n";

#[test]
fn like_case_01_to_03_no_order_of_flaps_dips_and_zeros_adds_or_loses_energy() {
    let Some(mut report) = Report::of(COUNTERS.iter().map(Counter::answers)) else {
        return;
    };
    report.extra = PRICE.to_owned();
    play_report(&report, async |field| {
        field.all_answered(8).await;
        assert_right(field, COUNTERS).await;
    });
}

async fn assert_right(field: &Field<'_>, counters: &[Counter]) {
    let wrong = |(car, counter): (Field<'_>, &Counter)| is_wrong(&car, counter);
    field
        .nothing_is_wrong(|| field.cars().zip(counters).filter_map(wrong).collect())
        .await;
}

fn is_wrong(car: &Field<'_>, counter: &Counter) -> Option<String> {
    let totals = car.numbers("charge_energy_total");
    // Nothing is right of a car that never told of any.
    let kwh = totals.last().copied().unwrap_or(f64::NAN);
    let sum = |figure: &str| -> f64 {
        let events = car.events();
        let ends = events
            .iter()
            .filter(|event| event["event_type"] == "charge_finished");
        ends.filter_map(|end| end[figure].as_f64()).sum()
    };
    let is_right = totals.is_sorted()
        && (kwh - counter.right).abs() <= 0.3
        && (sum("energy_kwh") - kwh).abs() <= 0.1
        && (sum("cost") - kwh * 0.30).abs() <= 0.05;
    (!is_right).then(|| {
        let (name, right) = (counter.name, counter.right);
        format!("{name}: {totals:?} for {right}: {:?}", car.events())
    })
}

/// A restart in the midst of each, with looks on both sides that show the same.
#[rustfmt::skip]
const OVER_A_RESTART: &[Counter] = &[
    Counter { name: "charging", right: 6.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)),
        (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(24.0)), (CHARGING, Kwh(26.0)),
        (COMPLETE, Kwh(26.0))] },
    Counter { name: "charged meanwhile", right: 6.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)),
        (COMPLETE, Kwh(26.0)), (COMPLETE, Kwh(26.0)), (COMPLETE, Kwh(25.9)), (COMPLETE, Kwh(26.0))] },
    Counter { name: "flaps while unplugged", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(29.98)),
        (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(29.98)), (UNPLUGGED, Kwh(30.0)), (UNPLUGGED, Kwh(29.98))] },
    Counter { name: "zeros at the start", right: 5.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(0.0)),
        (CHARGING, Kwh(0.0)), (CHARGING, Kwh(0.0)), (CHARGING, Kwh(24.0)), (COMPLETE, Kwh(25.0))] },
    Counter { name: "dips at the start", right: 5.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(20.9)),
        (CHARGING, Kwh(20.9)), (CHARGING, Kwh(20.9)), (CHARGING, Kwh(24.0)), (COMPLETE, Kwh(25.0))] },
    Counter { name: "drains while plugged in", right: 1.0, looks: &[
        (CHARGING, Kwh(29.0)), (COMPLETE, Kwh(30.0)), (COMPLETE, Kwh(29.9)), (COMPLETE, Kwh(29.8)),
        (COMPLETE, Kwh(29.7)), (COMPLETE, Kwh(29.6)), (COMPLETE, Kwh(29.5)), (COMPLETE, Kwh(29.4))] },
    Counter { name: "unplugged meanwhile", right: 2.0, looks: &[
        (CHARGING, Kwh(20.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)), (CHARGING, Kwh(22.0)),
        (UNPLUGGED, Kwh(22.0)), (UNPLUGGED, Kwh(22.0)), (UNPLUGGED, Kwh(0.0)), (UNPLUGGED, Kwh(22.0))] },
];

#[test]
fn like_case_01_to_03_a_restart_in_the_midst_neither_adds_nor_loses_energy() {
    let Some(mut report) = Report::of(OVER_A_RESTART.iter().map(Counter::answers)) else {
        return;
    };
    report.extra = PRICE.to_owned();
    play_report(&report, async |field| {
        field.all_answered(3).await;
        field.bridge.lock().await.restart(|_| {}).await;
        field.all_answered(10).await;
        assert_right(field, OVER_A_RESTART).await;
    });
}
