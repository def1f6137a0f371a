//! Which topics a car declares.

use pretty_assertions::assert_eq;

use super::*;

#[test]
fn a_row_that_the_car_turns_out_not_to_have_is_declared_no_more() {
    let mut rig = TopicsRig::new();
    let heater = |heaters: i64| {
        [
            ("vehicle_config.rear_seat_heaters", int(heaters)),
            ("climate_state.seat_heater_rear_left", int(2)),
        ]
    };
    let news = rig.see(Source::Data, &heater(1));
    assert!(news.contains(&(format!("{VIN}/seat_heater_rear_left"), "medium".into())));
    let topic = rig.topics.paths().of("seat_heater_rear_left");
    let declared = |rig: &TopicsRig| rig.declared(&Announced::default());
    assert!(declared(&rig).contains(&topic));
    rig.later(1);
    let news = rig.see(Source::Data, &heater(0));
    assert!(!declared(&rig).contains(&topic));
    assert!(!news.last().unwrap().1.contains("seat_heater_rear_left"));
}

#[test]
fn what_the_car_does_not_have_is_not_declared_unless_home_assistant_still_knows_of_it() {
    let mut rig = TopicsRig::new();
    rig.see(
        Source::Data,
        &[
            ("vehicle_state.odometer", int(100)),
            ("vehicle_config.rear_seat_heaters", int(0)),
            ("climate_state.seat_heater_rear_left", int(2)),
        ],
    );
    let announced = ["no_such_row", "odometer", "seat_heater_rear_left"];
    let announced = Announced {
        components: announced
            .map(|key| (key.to_owned(), "sensor".to_owned()))
            .into(),
        ..Announced::default()
    };
    let declared = rig.declared(&announced);
    let has = |key: &str| declared.contains(&rig.topics.paths().of(key));
    assert!(has("odometer") && has("snapshot") && has("availability"));
    assert!(has("no_such_row") && !has("seat_heater_rear_left"));
    let without = rig.declared(&Announced::default());
    let fewer: Vec<&String> = declared.difference(&without).collect();
    assert_eq!(fewer, [&rig.topics.paths().of("no_such_row")]);
}
