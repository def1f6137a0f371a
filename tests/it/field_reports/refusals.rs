//! One refusal is no verdict: what had just worked is tried again soon.

use serde_json::{Value as Json, json};
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Login, Request};

use super::report::{Answer, Refusal, Report};
use super::rig::{Field, play, play_report};

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
fn minutes_until_answered(field: &Field<'_>, call: CallKind) -> i64 {
    let ledger = field.world.cloud.ledger();
    let calls: Vec<&Request> = ledger.requests().filter(|of| of.call == call).collect();
    let refused = calls.iter().rposition(|call| is_refused(call));
    let refused = refused.expect("a refusal");
    let answered = calls[refused..].iter().find(|call| call.status == 200);
    let answered = answered.expect("an answer after it");
    answered.at.duration_since(calls[refused].at).as_mins()
}

/// The token's own scopes are complete: whoever is told that they are not signs in for nothing.
fn assert_names_no_missing_permission(said: &str) {
    for words in [
        "the login does not allow",
        "tick every permission",
        "MissingScope",
    ] {
        assert!(!said.contains(words), "{said}");
    }
}

#[test]
fn case_13_one_403_does_not_cost_the_position() {
    let name = "13-one-403-costs-the-position-for-ever.json";
    let log = play(name, async |field| {
        field
            .until("the position is asked for again", || {
                let calls = field.world.calls(field.vin);
                let refused = calls.iter().position(is_refused);
                let after = refused.map_or(&[] as &[_], |refused| &calls[refused..]);
                after
                    .iter()
                    .any(|call| call.status == 200 && asks_for_the_position(call))
            })
            .await;
        assert_names_no_missing_permission(&field.errors().concat());
    });
    assert_names_no_missing_permission(&log.unwrap_or_default());
}

#[test]
fn case_14_two_403_in_the_middle_of_a_drive_do_not_stop_the_data() {
    play("14-two-403-stop-data-for-an-hour.json", async |field| {
        field.answered(4).await;
        let trouble = format!("car {}: Tesla refuses what the login has", field.vin);
        let errors = field.errors();
        let is_told = errors.iter().any(|error| error.starts_with(&trouble));
        assert!(is_told, "{errors:?}");
        // The last contact is minutes old, not an hour.
        let availability = field.said("availability");
        let is_online = |word: &String| word == "online";
        let is_honest = availability.iter().all(is_online) && !availability.is_empty();
        assert!(is_honest, "{availability:?}");
        let minutes = minutes_until_answered(field, CallKind::Data);
        assert!(minutes < SOON_MINUTES, "{minutes}");
        let healthy = field.said("healthy");
        assert!(healthy.contains(&"off".to_owned()), "{healthy:?}");
        field
            .until("all is well again", || {
                field.is("healthy", "on") && field.last_error().is_some_and(|error| error == "none")
            })
            .await;
    });
}

#[test]
fn case_15_one_403_of_the_first_list_does_not_cost_the_cars() {
    let log = play("15-one-403-of-the-first-list.json", async |field| {
        field.answered(1).await;
        let minutes = minutes_until_answered(field, CallKind::Products);
        assert!(minutes < SOON_MINUTES, "{minutes}");
        assert_names_no_missing_permission(&field.errors().concat());
    });
    assert_names_no_missing_permission(&log.unwrap_or_default());
}

#[test]
fn case_16_a_car_that_is_not_found_by_its_number_is_asked_by_its_vin() {
    let log = play("16-owner-api-id-404-vin-works.json", async |field| {
        field.answered(2).await;
        assert_eq!(field.newest("battery_level").as_deref(), Some("77"));
        assert_eq!(field.newest("healthy").as_deref(), Some("on"));
    });
    let said = "does not find the car by the id on its own list, but by its VIN";
    if let Some(log) = log {
        assert!(log.contains(said), "{log}");
    }
}

#[test]
fn case_17_an_answer_about_another_car_is_refused() {
    play("17-answer-about-another-car.json", async |field| {
        field.answered(5).await;
        assert_eq!(field.said("battery_level"), ["77"]);
    });
}

/// A refusal of calls that had worked, and which of them.
struct Refused {
    call: CallKind,
    nth: &'static [u64],
    fault: fn() -> Fault,
}

const fn refused(call: CallKind, nth: &'static [u64], fault: fn() -> Fault) -> Refused {
    Refused { call, nth, fault }
}

const ONE: &[u64] = &[3];
const TWO: &[u64] = &[3, 4];

const REFUSED: &[Refused] = &[
    refused(CallKind::Data, ONE, missing_scopes),
    refused(CallKind::Data, TWO, missing_scopes),
    refused(CallKind::Data, ONE, forbidden),
    refused(CallKind::Data, TWO, forbidden),
    refused(CallKind::Data, TWO, || Fault::Html(403)),
    refused(CallKind::Data, ONE, not_found),
    refused(CallKind::Data, TWO, not_found),
    refused(CallKind::Data, ONE, || Fault::status(410, "gone")),
    refused(CallKind::Data, ONE, || Fault::status(412, "not here")),
    refused(CallKind::Data, ONE, || Fault::status(402, "no plan")),
    refused(CallKind::Data, ONE, || Fault::status(451, "privacy")),
    refused(CallKind::Light, ONE, missing_scopes),
    refused(CallKind::Light, TWO, forbidden),
    refused(CallKind::Light, TWO, not_found),
];

fn missing_scopes() -> Fault {
    Fault::status(403, "Unauthorized missing scopes")
}

fn forbidden() -> Fault {
    Fault::status(403, "forbidden")
}

fn not_found() -> Fault {
    Fault::status(404, "not_found")
}

/// A car that drives where data is refused, and stands where light calls are.
fn refused_car(refused: &Refused) -> Vec<Answer> {
    let parked = Answer::parked(&[("vehicle_state.odometer", json!(1000))]);
    match refused.call {
        CallKind::Light => vec![parked],
        _ => vec![parked, Answer::driving(1001.0)],
    }
}

#[test]
fn like_case_14_no_refusal_stops_for_long_what_had_just_worked() {
    let Some(mut report) = Report::of(REFUSED.iter().map(refused_car)) else {
        return;
    };
    let refusals = REFUSED.iter().enumerate().map(|(car, refused)| Refusal {
        car,
        call: refused.call,
        nth: refused.nth,
        fault: (refused.fault)(),
    });
    report.refusals = refusals.collect();
    play_report(&report, async |field| {
        let mut wrong = Vec::new();
        for (car, refused) in field.cars().zip(REFUSED) {
            let waited = || minutes_until_well(&car, refused);
            car.until("an answer after the refusal", || waited().is_some())
                .await;
            let minutes = waited().expect("waited for");
            if minutes >= SOON_MINUTES {
                wrong.push((refused.call, refused.nth, (refused.fault)(), minutes));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        let is_well = |car: Field<'_>| car.is("healthy", "on");
        field
            .until("all are well", || field.cars().all(is_well))
            .await;
    });
}

/// The minutes from the last refusal to the first answer after it, once there is one.
fn minutes_until_well(car: &Field<'_>, refused: &Refused) -> Option<i64> {
    let calls = car.world.calls(car.vin);
    let calls: Vec<&Request> = calls.iter().filter(|of| of.call == refused.call).collect();
    let is_refused = |call: &&&Request| call.status != 200;
    if calls.iter().filter(is_refused).count() < refused.nth.len() {
        return None;
    }
    let last = calls.iter().rposition(|call| is_refused(&call))?;
    let answer = calls[last..].iter().find(|call| call.status == 200)?;
    Some(answer.at.duration_since(calls[last].at).as_mins())
}

/// Whether all calls about the cars are answered again.
fn answered_since(field: &Field<'_>, call: CallKind, since: jiff::Timestamp) -> bool {
    field.cars().all(|car| {
        let calls = car.world.calls(car.vin);
        calls
            .iter()
            .any(|of| of.call == call && of.status == 200 && of.at > since)
    })
}

#[test]
fn like_case_14_a_token_that_is_refused_although_it_had_just_worked_is_no_verdict() {
    let parked = || vec![Answer::parked(&[])];
    let Some(report) = Report::of([parked(), parked()]) else {
        return;
    };
    play_report(&report, async |field| {
        field.all_answered(2).await;
        let since = field.world.cloud.now();
        // Both tries of a call of each kind, and one of each more.
        for call in [CallKind::Data, CallKind::Light, CallKind::Data] {
            let fault = Fault::status(401, "invalid bearer token");
            field.world.cloud.fail_next(2, &Aim::at(&[call]), &fault);
        }
        let n_refused = || {
            let ledger = field.world.cloud.ledger();
            ledger.requests().filter(|of| of.status == 401).count()
        };
        field.until("the refusals", || n_refused() >= 4).await;
        field
            .until("all is answered again", || {
                answered_since(field, CallKind::Data, since)
            })
            .await;
        let is_well = |car: Field<'_>| car.is("healthy", "on");
        field
            .until("all are well", || field.cars().all(is_well))
            .await;
        let waited = field.world.cloud.now().duration_since(since).as_mins();
        assert!(waited < 4 * SOON_MINUTES, "{waited} min");
        assert!(!field.world.cloud.family("home", Login::Owner).revoked);
    });
}

/// Each kind of refusal that passes, one after the other, before there was any list.
#[test]
fn like_case_15_a_list_that_is_refused_in_every_way_is_asked_for_soon_each_time() {
    let Some(mut report) = Report::of([vec![Answer::parked(&[])]]) else {
        return;
    };
    report.api = Some("fleet".to_owned());
    report.list_faults = vec![
        missing_scopes(),
        Fault::Html(502),
        Fault::status(401, "invalid bearer token"),
        Fault::status(401, "invalid bearer token"),
        Fault::Garbage,
        Fault::Empty,
    ];
    play_report(&report, async |field| {
        field.answered(1).await;
        let ledger = field.world.cloud.ledger();
        let lists = ledger.requests().filter(|of| of.call == CallKind::Products);
        let at: Vec<_> = lists.map(|list| list.at).collect();
        assert!(at.len() > report.list_faults.len(), "{at:?}");
        let waited = at.windows(2).map(|two| two[1].duration_since(two[0]));
        let longest = waited.map(|wait| wait.as_mins()).max();
        assert!(longest.is_some_and(|of| of < SOON_MINUTES), "{longest:?}");
    });
}

#[test]
fn like_case_16_a_number_that_is_forgotten_in_the_midst_is_made_up_for_by_the_vin() {
    let car = || vec![Answer::parked(&[("vehicle_state.odometer", json!(1000))])];
    let Some(report) = Report::of([car(), car()]) else {
        return;
    };
    play_report(&report, async |field| {
        field.all_answered(2).await;
        let [lost, away] = [field.of(0), field.of(1)];
        field.world.cloud.forget_number(lost.vin);
        // And one that is found by neither, for two calls of each kind.
        let aim = Aim {
            calls: vec![CallKind::Data, CallKind::Light],
            vin: Some(away.vin.clone()),
        };
        field.world.cloud.fail_next(8, &aim, &not_found());
        let since = field.world.cloud.now();
        for call in [CallKind::Data, CallKind::Light] {
            field
                .until("both are found", || answered_since(field, call, since))
                .await;
        }
        lost.answered(lost.answers().len() + 2).await;
        let by_vin = field.world.calls(lost.vin).into_iter();
        let by_vin = by_vin.filter(|of| of.path.contains(lost.vin.as_str()));
        assert!(by_vin.count() > 2);
        for car in field.cars() {
            car.until("it is well", || car.is("healthy", "on")).await;
        }
    });
}

#[test]
fn like_case_17_the_vin_decides_and_without_one_the_id() {
    let own = || Answer::parked(&[("charge_state.battery_level", json!(77))]);
    let ids = || [("id", json!(5)), ("id_s", json!("5"))];
    let vin = |vin: Json| [("vin", vin)];
    let other_vin = || vin(json!("LRW3E7EK5PC000099"));
    let no_vin = || vin(Json::Null);
    let refused = [
        Answer::once(&other_vin()),
        Answer::once(&other_vin()).but_once(&ids()),
        Answer::once(&no_vin()).but_once(&ids()),
    ];
    let taken = [
        Answer::once(&ids()),
        Answer::once(&no_vin()),
        Answer::once(&vin(json!("?"))),
    ];
    let level = [("charge_state.battery_level", json!(78))];
    let story = |answer: &Answer, n: usize| {
        let mut story = vec![own()];
        story.extend(vec![answer.clone().but_once(&level); n]);
        story
    };
    let refused = refused.iter().map(|answer| story(answer, 2));
    let n_refused = refused.len();
    let stories = refused.chain(taken.iter().map(|answer| story(answer, 100)));
    let Some(report) = Report::of(stories) else {
        return;
    };
    play_report(&report, async |field| {
        for car in field.cars().skip(n_refused) {
            car.until("what is its own", || car.is("battery_level", "78"))
                .await;
        }
        for car in field.cars().take(n_refused) {
            car.answered(5).await;
            assert_eq!(car.said("battery_level"), ["77"], "{}", car.vin);
        }
    });
}

/// Its values have stopped: the owner is told, until they come again.
#[test]
fn like_case_17_a_car_of_which_only_anothers_answers_come_is_not_healthy_and_it_is_said_why() {
    let anothers = Answer::once(&[("vin", json!("LRW3E7EK5PC000099"))]);
    let mut story = vec![Answer::parked(&[])];
    story.extend(vec![anothers; 4]);
    let Some(report) = Report::of([story]) else {
        return;
    };
    play_report(&report, async |field| {
        field
            .until("it is not healthy", || field.is("healthy", "off"))
            .await;
        field
            .until("it is said why", || {
                let error = field.last_error();
                error.is_some_and(|error| error.contains("another car"))
            })
            .await;
        field
            .until("all is well again", || field.is("healthy", "on"))
            .await;
    });
}
