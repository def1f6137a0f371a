//! The counter of a charge flaps, drifts and dips; the energy in all does neither.

use super::rig::{Field, play};

/// What the total ever said: it never falls, and ends here.
fn total(field: &Field) -> f64 {
    let said = field.numbers("charge_energy_total");
    assert!(said.is_sorted(), "{said:?}");
    *said.last().expect("a total")
}

fn assert_total(field: &Field, right: f64) {
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
        assert!(charged.iter().all(|kwh| right.contains(kwh)), "{charged:?}");
        let paid = field.numbers("last_charge_cost");
        assert_eq!(paid.len(), 1, "{paid:?}");
        assert!((paid[0] - kwh * 0.30).abs() < 0.01, "{paid:?} for {kwh}");
    });
}
