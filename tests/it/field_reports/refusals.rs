//! One refusal is no verdict: what had just worked is tried again soon.

use tesla2mqtt::sim::cloud::{CallKind, Request};

use super::rig::{Field, play};

/// It was half an hour and more; soon is a minute or so, and a machine that is busy may take its
/// time.
const SOON_MINUTES: i64 = 15;

fn asks_for_the_position(request: &Request) -> bool {
    request.query.contains("location_data")
}

fn is_refused(request: &Request) -> bool {
    request.status == 403
}

/// The minutes from the last refusal of a call to the first answer after it.
fn minutes_until_answered(field: &Field, call: CallKind) -> i64 {
    let ledger = field.world.cloud.ledger();
    let calls: Vec<&Request> = ledger.requests().filter(|of| of.call == call).collect();
    let refused = calls.iter().rposition(|call| is_refused(call));
    let refused = refused.expect("a refusal");
    let answered = calls[refused..].iter().find(|call| call.status == 200);
    let answered = answered.expect("an answer after it");
    answered.at.duration_since(calls[refused].at).as_mins()
}

#[test]
fn case_13_one_403_does_not_cost_the_position() {
    let name = "13-one-403-costs-the-position-for-ever.json";
    play(name, async |field| {
        field
            .until("the position is asked for again", || {
                let calls = field.world.calls(&field.vins[0]);
                let refused = calls.iter().position(is_refused);
                let after = refused.map_or(&[] as &[_], |refused| &calls[refused..]);
                after
                    .iter()
                    .any(|call| call.status == 200 && asks_for_the_position(call))
            })
            .await;
    });
}

#[test]
fn case_14_two_403_in_the_middle_of_a_drive_do_not_stop_the_data() {
    play("14-two-403-stop-data-for-an-hour.json", async |field| {
        field.answered(4).await;
        let minutes = minutes_until_answered(field, CallKind::Data);
        assert!(minutes < SOON_MINUTES, "{minutes}");
        let healthy = field.said("healthy");
        assert!(healthy.contains(&"off".to_owned()), "{healthy:?}");
        field
            .until("all is well again", || {
                field.newest("healthy").as_deref() == Some("on")
            })
            .await;
    });
}

#[test]
fn case_15_one_403_of_the_first_list_does_not_cost_the_cars() {
    play("15-one-403-of-the-first-list.json", async |field| {
        field.answered(1).await;
        let minutes = minutes_until_answered(field, CallKind::Products);
        assert!(minutes < SOON_MINUTES, "{minutes}");
    });
}

#[test]
fn case_16_a_car_that_is_not_found_by_its_number_is_asked_by_its_vin() {
    play("16-owner-api-id-404-vin-works.json", async |field| {
        field.answered(2).await;
        assert_eq!(field.newest("battery_level").as_deref(), Some("77"));
        assert_eq!(field.newest("healthy").as_deref(), Some("on"));
    });
}

#[test]
fn case_17_an_answer_about_another_car_is_refused() {
    play("17-answer-about-another-car.json", async |field| {
        field.answered(5).await;
        assert_eq!(field.said("battery_level"), ["77"]);
    });
}
