//! What the service manager sees and what signals do, in a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::Duration;

use pretty_assertions::assert_eq;
use tesla2mqtt::service::{self, Signal};

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

fn kill(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args([signal, &pid]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
#[ignore = "a child process of another test"]
async fn child_serves() {
    let mut signals = service::signals(Signal::Reload).unwrap();
    if let Some(interval) = service::watchdog_interval() {
        service::status(&format!("watchdog every {interval:?}"));
    }
    service::ready();
    println!("listening");
    loop {
        match tokio::time::timeout(Duration::from_secs(20), signals.recv()).await {
            Ok(Some(Signal::Reload)) => {
                service::reloading();
                service::ready();
            }
            Ok(Some(Signal::Stop)) => break,
            other => panic!("no signal: {other:?}"),
        }
    }
    service::stopping();
}
