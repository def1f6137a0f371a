//! The log at `info` is the car's diary: a line for each change of state with its reason, and
//! none for the polls between.

use std::time::Duration;

use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::broker_on;
use crate::rig::{deadline, left};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_is_a_few_lines_however_often_the_car_was_asked() {
    let broker = broker_on(0).await;
    let subscriber = Subscriber::to(broker.addr.port(), "tesla2mqtt-demo/#");
    let url = format!("mqtt://127.0.0.1:{}", broker.addr.port());
    let mut program = Program::prepare();
    program.start_with(&["demo", "--speed", "30", "--broker", &url], &[]);
    let drive_ended = |log: &str| {
        let changes = changes(log);
        changes.iter().any(|change| change.from == "driving")
    };
    let end = deadline(Duration::from_mins(1));
    while !drive_ended(&program.log()) {
        assert!(left(end) > Duration::ZERO, "no drive:\n{}", program.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = program.log();
    program.kill();

    let changes = changes(&log);
    for change in &changes {
        assert_ne!(change.from, change.to, "{change:?}");
        assert!(!change.because.is_empty(), "{change:?}");
    }
    let cars: Vec<&str> = changes.iter().map(|change| change.car.as_str()).collect();
    for car in cars {
        let of_car = changes.iter().filter(|change| change.car == car);
        let before: Vec<&str> = of_car.clone().map(|change| change.to.as_str()).collect();
        let after: Vec<&str> = of_car.skip(1).map(|change| change.from.as_str()).collect();
        assert_eq!(
            before[..after.len()],
            after,
            "no change is left out:\n{log}"
        );
    }

    let n_polls: usize = subscriber
        .topics()
        .iter()
        .filter(|(topic, _)| topic.ends_with("_calls_today"))
        .map(|(_, n)| n.parse::<usize>().expect("a number"))
        .sum();
    assert!(n_polls > changes.len(), "{n_polls} polls:\n{log}");
    let first = log.find("car state changed").expect("a first change");
    let others: Vec<&str> = log[first..]
        .lines()
        .skip(1)
        .filter(|line| !line.contains("car state changed"))
        .collect();
    assert_eq!(others, Vec::<&str>::new(), "nothing but changes");
}

#[derive(Debug)]
struct DiaryChange {
    car: String,
    from: String,
    to: String,
    because: String,
}

fn changes(log: &str) -> Vec<DiaryChange> {
    let part = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}="))?.1;
        let ends = |c: char| c == '"' || c == '}' || c == ' ';
        match rest.strip_prefix('"') {
            Some(quoted) => Some(quoted.split('"').next()?.to_owned()),
            None => Some(rest.split(ends).next()?.to_owned()),
        }
    };
    log.lines()
        .filter(|line| line.contains("car state changed"))
        .map(|line| {
            let part = |name| part(line, name).unwrap_or_else(|| panic!("{name} in {line}"));
            DiaryChange {
                car: part("id"),
                from: part("from"),
                to: part("to"),
                because: part("because"),
            }
        })
        .collect()
}
