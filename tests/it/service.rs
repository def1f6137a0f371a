//! What the service manager sees and what signals do, in a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::Duration;

use pretty_assertions::assert_eq;
use tesla2mqtt::service::{self, ProcessSignal, Signals};
use tokio::signal::unix::{SignalKind, signal};

use crate::child;

#[test]
fn systemd_is_told_ready_status_reload_and_stop_and_signals_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let told = || {
        let mut bytes = [0; 512];
        let n = socket.recv(&mut bytes).expect("a note to systemd");
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    };
    let mut child = child::command("service::child_serves")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "30000000")
        .spawn()
        .unwrap();
    assert_eq!(told().trim_end(), "STATUS=watchdog every 15s");
    assert_eq!(told().trim_end(), "READY=1");
    kill("-HUP", &child);
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told().trim_end(), "READY=1");
    kill("-TERM", &child);
    assert_eq!(told().trim_end(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn without_a_service_manager_nothing_is_told_and_ctrl_c_stops() {
    let mut child = child::command("service::child_serves").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines
        .find(|line| line.as_ref().unwrap().contains("listening"))
        .unwrap()
        .unwrap();
    kill("-INT", &child);
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_stop_is_not_lost_behind_reloads_that_wait_and_comes_before_them() {
    let mut child = child::command("service::child_is_busy").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut says = |word: &str| {
        lines
            .find(|line| line.as_ref().unwrap().contains(word))
            .unwrap_or_else(|| panic!("it does not say {word:?}"))
            .unwrap()
    };
    says("busy");
    for n in 1..=6 {
        kill("-HUP", &child);
        says(&format!("hangup {n}"));
    }
    kill("-TERM", &child);
    says("next: Stop");
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_stop_ends_a_reload_that_takes_long_and_reloads_that_wait_are_one() {
    let signals = Signals::default();
    signals.send(ProcessSignal::Reload);
    signals.send(ProcessSignal::Reload);
    assert_eq!(signals.next().await, ProcessSignal::Reload);
    let again = tokio::time::timeout(Duration::from_millis(10), signals.next());
    assert!(again.await.is_err());

    let told = signals.clone();
    let slow = async move {
        told.send(ProcessSignal::Stop);
        std::future::pending::<()>().await;
    };
    let given_up = tokio::time::timeout(Duration::from_secs(20), signals.unless_stopped(slow));
    assert!(given_up.await.is_ok());
    signals.send(ProcessSignal::Reload);
    assert_eq!(signals.next().await, ProcessSignal::Stop);
}

/// Hears nothing of the house's signals until each of them has been delivered.
#[tokio::test]
#[ignore = "a child process of another test"]
async fn child_is_busy() {
    let signals = service::signals(ProcessSignal::Reload).unwrap();
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    println!("busy");
    for n in 1..=6 {
        hangup.recv().await.unwrap();
        // Lets the house take note of it, too.
        tokio::time::sleep(Duration::from_millis(10)).await;
        println!("hangup {n}");
    }
    terminate.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    println!("next: {:?}", signals.next().await);
}

fn kill(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([signal, &pid]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
#[ignore = "a child process of another test"]
async fn child_serves() {
    let signals = service::signals(ProcessSignal::Reload).unwrap();
    if let Some(interval) = service::watchdog_interval() {
        let mut status = service::StatusLine::default();
        // The second is no news, and not told.
        for _ in 0..2 {
            status.set(&format!("watchdog every {interval:?}"));
        }
    }
    service::ready();
    println!("listening");
    loop {
        match tokio::time::timeout(Duration::from_secs(20), signals.next()).await {
            Ok(ProcessSignal::Reload) => {
                service::reloading();
                service::ready();
            }
            Ok(ProcessSignal::Stop) => break,
            other => panic!("no signal: {other:?}"),
        }
    }
    service::stopping();
}
