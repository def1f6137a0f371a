//! Answers that are long for no good reason: what they leave in memory.

use std::fmt::Write;

use serde_json::json;
use tesla2mqtt::api::Account;
use tesla2mqtt::config::Api;
use tesla2mqtt::failure::ApiFailure;
use tesla2mqtt::model::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::api_rig::*;
use crate::child::in_a_process_of_its_own;

const MIB: usize = 1024 * 1024;
/// Private memory after answers of this kind was 85 MB.
const MOST_KIB: u64 = 16 * 1024;

/// A server that gives tokens, and for anything else an answer of so many bytes of members that
/// nobody knows, with what a car says behind them. It keeps none of it.
async fn answers_with_strangers(n_bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, n_bytes));
        }
    });
    format!("http://{address}")
}

async fn answer(mut stream: TcpStream, n_bytes: usize) -> std::io::Result<()> {
    let mut request = vec![0; 8192];
    let n = stream.read(&mut request).await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let request = String::from_utf8_lossy(&request[..n]).into_owned();
    if request.starts_with("POST") {
        let tokens = token_body("a1", "r1").to_string();
        return stream.write_all(tokens.as_bytes()).await;
    }
    let (begin, end) = if request.contains("/products") {
        (
            r#"{"response":[{"#,
            format!(r#""vin":"{VIN}","state":"online"}}]}}"#),
        )
    } else {
        let rest = json!({"vin": VIN, "state": "online", "charge_state": {"battery_level": 77}});
        (r#"{"response":{"#, format!("{}}}", &rest.to_string()[1..]))
    };
    stream.write_all(begin.as_bytes()).await?;
    let mut n_sent = 0;
    while n_sent < n_bytes {
        let mut strangers = String::new();
        for n in 0..1000 {
            let _ = write!(strangers, r#""k{}":{{"a":[{n}]}},"#, n_sent + n);
        }
        stream.write_all(strangers.as_bytes()).await?;
        n_sent += strangers.len();
    }
    stream.write_all(end.as_bytes()).await
}

/// Private memory of this process, as Linux counts it; `None` where it does not.
fn private_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn ask_for_everything(account: &Account) -> [Option<ApiFailure>; 3] {
    let list = account.products().await;
    let light = account.vehicle(&car()).await;
    let data = account.vehicle_data(&car(), &["charge_state"]).await;
    if let Ok(read) = &data.outcome {
        let of_car = read
            .observations
            .iter()
            .filter(|seen| seen.source == Source::Data);
        let n_signals: usize = of_car.map(|seen| seen.signals.len()).sum();
        assert_eq!(n_signals, 2, "{read:?}");
    }
    let kind = |error: Option<&tesla2mqtt::api::ApiError>| error.map(|error| error.kind);
    [
        kind(list.outcome.as_ref().err()),
        kind(light.outcome.as_ref().err()),
        kind(data.outcome.as_ref().err()),
    ]
}

#[test]
fn members_that_nobody_knows_leave_nothing_in_memory() {
    in_a_process_of_its_own("long_answers::child_asks_for_long_answers");
}

#[tokio::test]
#[ignore = "run by members_that_nobody_knows_leave_nothing_in_memory"]
async fn child_asks_for_long_answers() {
    let cases = [
        (MIB / 2, [None; 3]),
        (
            3 * MIB,
            [Some(ApiFailure::Garbled), Some(ApiFailure::Garbled), None],
        ),
        (40 * MIB, [Some(ApiFailure::Garbled); 3]),
    ];
    for (n_bytes, expected) in cases {
        let rig = rig(Api::Fleet, &answers_with_strangers(n_bytes).await);
        let account = rig.open().await;
        for _ in 0..3 {
            assert_eq!(
                ask_for_everything(&account).await,
                expected,
                "{n_bytes} bytes"
            );
        }
        if let Some(kib) = private_kib() {
            println!("{n_bytes} bytes: {kib} KiB of private memory");
            assert!(kib < MOST_KIB, "{n_bytes} bytes left {kib} KiB");
        }
    }
}
