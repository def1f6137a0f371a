//! What charges cost.

use pretty_assertions::assert_eq;

use super::*;

/// The rig's first minute is 22:13 UTC.
fn night(rig: &mut TripsRig, offset_s: f64) {
    rig.tariff.cheap = Some(Cheap {
        price: 0.10,
        hours: vec![Hours {
            from: 23 * 60 + 30,
            until: 6 * 60,
        }],
    });
    rig.car.apply(&Observation {
        source: Source::Data,
        at: at(0),
        whole_groups: Vec::new(),
        signals: vec![(
            Signal::new("vehicle_config.utc_offset"),
            Some(Value::Float(offset_s)),
        )],
    });
}

#[test]
fn a_charge_into_the_night_costs_each_kilowatt_hour_by_its_hour() {
    let mut rig = TripsRig::new();
    // An hour ahead of UTC: it begins at 23:13 by the car.
    night(&mut rig, 3600.0);
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    rig.after(10, CHARGING, &[("charge_energy_added", 0.0)]);
    // To 23:30, and from then to 0:30.
    rig.after(7, CHARGING, &[("charge_energy_added", 2.0)]);
    rig.after(60, CHARGING, &[("charge_energy_added", 12.0)]);
    let found = rig.after(1, COMPLETE, &[("charge_energy_added", 12.0)]);
    assert_eq!(found[0].event().unwrap().1["cost"], 1.6);
    assert!(close(rig.figure("last_charge_cost").unwrap(), 1.6));
}

#[test]
fn a_price_that_changes_under_way_holds_from_then_on() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    rig.after(10, CHARGING, &[("charge_energy_added", 0.0)]);
    rig.after(30, CHARGING, &[("charge_energy_added", 5.0)]);
    rig.tariff.price = Some(0.40);
    let found = rig.after(30, COMPLETE, &[("charge_energy_added", 10.0)]);
    assert_eq!(found[0].event().unwrap().1["cost"], 3.5);
}

#[test]
fn the_last_sessions_energy_costs_nothing_again() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    // Tesla's counter falls some time into the session.
    rig.after(10, CHARGING, &[("charge_energy_added", 20.0)]);
    rig.after(1, CHARGING, &[("charge_energy_added", 0.1)]);
    let found = rig.after(60, COMPLETE, &[("charge_energy_added", 10.0)]);
    assert_eq!(found[0].event().unwrap().1["cost"], 3);
}

/// A charge that the car's first look, at 23:33 of its time, shows at 11 kWh.
fn begun_unseen(charger_kw: f64) -> Json {
    let mut rig = TripsRig::new();
    night(&mut rig, 0.0);
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    let shown = [("charge_energy_added", 11.0), ("charger_power", charger_kw)];
    assert_eq!(rig.after(80, CHARGING, &shown), []);
    let found = rig.after(60, COMPLETE, &[("charge_energy_added", 21.0)]);
    found[0].event().unwrap().1["cost"].clone()
}

#[test]
fn what_came_before_the_first_look_is_not_priced_at_the_minute_of_the_look() {
    // In an hour at 11 kW, of which 3 minutes were cheap; then 10 kWh in cheap hours.
    assert_eq!(begun_unseen(11.0), 4.19);
    // In the 3 minutes.
    assert_eq!(begun_unseen(220.0), 2.1);
    // At any time since 22:13.
    assert_eq!(begun_unseen(0.0), Json::Null);
}

#[test]
fn a_counter_that_falls_late_is_priced_since_the_look_before_the_charge() {
    let cost = |tariff: fn(&mut TripsRig)| {
        let mut rig = TripsRig::new();
        tariff(&mut rig);
        rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
        rig.after(70, CHARGING, &[("charge_energy_added", 20.0)]);
        rig.after(10, CHARGING, &[("charge_energy_added", 2.0)]);
        let found = rig.after(30, COMPLETE, &[("charge_energy_added", 10.0)]);
        found[0].event().unwrap().1["cost"].clone()
    };
    assert_eq!(cost(|_| ()), 3);
    assert_eq!(cost(|rig| night(rig, 0.0)), Json::Null);
    assert_eq!(cost(|rig| night(rig, 7200.0)), 1);
}

#[test]
fn a_charge_that_the_first_look_of_all_finds_under_way_costs_what_it_still_takes() {
    let mut rig = TripsRig::new();
    rig.after(0, CHARGING, &[("charge_energy_added", 12.0)]);
    let found = rig.after(60, COMPLETE, &[("charge_energy_added", 22.0)]);
    let (_, figures) = found[0].event().unwrap();
    assert_eq!(
        (&figures["energy_kwh"], &figures["cost"]),
        (&10.into(), &3.into())
    );
}

#[test]
fn where_a_price_is_missing_the_cost_is_not_known() {
    let mut rig = TripsRig::new();
    rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
    rig.after(10, CHARGING, &[("charge_energy_added", 0.0)]);
    rig.tariff.price = None;
    rig.after(30, CHARGING, &[("charge_energy_added", 5.0)]);
    rig.tariff.price = Some(0.30);
    let found = rig.after(30, COMPLETE, &[("charge_energy_added", 10.0)]);
    // Half of it would be a lie.
    assert_eq!(found[0].event().unwrap().1["cost"], Json::Null);
    assert_eq!(rig.figure("last_charge_cost"), None);
}

#[test]
fn a_figure_that_the_last_drive_or_charge_has_not_does_not_show_an_earlier_ones() {
    let shown = |rig: &mut TripsRig, name: &str| {
        rig.car.apply(&rig.trips.observation(at(rig.minute)));
        rig.car.number(&format!("derived.{name}"))
    };
    let mut rig = TripsRig::new();
    rig.after(
        0,
        PARKED,
        &[
            ("odometer", 1000.0),
            ("battery_level", 80.0),
            ("battery_range", 240.0),
            ("charge_energy_added", 14.5),
            ("charge_miles_added_rated", 66.5),
        ],
    );
    rig.after(10, DRIVING, &[]);
    rig.after(
        10,
        PARKED,
        &[("odometer", 1005.0), ("battery_range", 234.0)],
    );
    rig.after(10, CHARGING, &[("charge_energy_added", 0.1)]);
    rig.after(10, COMPLETE, &[("charge_energy_added", 5.0)]);
    assert!(
        shown(&mut rig, "last_drive_efficiency").is_some()
            && shown(&mut rig, "last_charge_cost").is_some()
    );
    // Too short for an efficiency, and no price any more.
    rig.after(10, DRIVING, &[]);
    rig.after(
        10,
        PARKED,
        &[("odometer", 1005.3), ("battery_range", 233.0)],
    );
    rig.tariff.price = None;
    rig.after(10, CHARGING, &[("charge_energy_added", 0.1)]);
    rig.after(10, COMPLETE, &[("charge_energy_added", 5.0)]);
    assert_eq!(shown(&mut rig, "last_drive_efficiency"), None);
    assert_eq!(shown(&mut rig, "last_charge_cost"), None);
}

#[test]
fn a_fast_charger_has_its_own_price() {
    let charge = |fast_price| {
        let mut rig = TripsRig::new();
        rig.tariff.fast_price = fast_price;
        rig.after(0, PARKED, &[("charge_energy_added", 20.0)]);
        let dc = [("charge_energy_added", 0.0), ("fast_charger_present", 1.0)];
        rig.after(10, CHARGING, &dc);
        let unplugged = [("charge_energy_added", 10.0), ("fast_charger_present", 0.0)];
        let found = rig.after(30, COMPLETE, &unplugged);
        found[0].event().unwrap().1["cost"].clone()
    };
    assert_eq!(charge(Some(0.60)), 6);
    assert_eq!(charge(None), Json::Null);
}
