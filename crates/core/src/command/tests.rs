use proptest::prelude::*;

use super::*;

const BASE: &str = "tesla2mqtt";
const VIN: &str = "LRW3E7EK5PC000001";

fn parsed(topic: &str, payload: &[u8]) -> Result<OwnerCommand, Refusal> {
    let id = |text| DeviceId::new(text).unwrap();
    let devices = [(VIN, id(VIN)), ("rakete", id("LRW3E7EK5PC000002"))];
    parse(topic, payload, BASE, &BTreeMap::from(devices))
}

#[test]
fn every_name_is_understood_with_any_payload() {
    let payloads: &[(&[u8], Json)] = &[
        (b"", Json::Null),
        (b"PRESS", Json::Null),
        (b"\xff\xfe\x00", Json::Null),
        (b"{\"id\":", Json::Null),
        (b"[1,2]", Json::Null),
        (b"{}", Json::Null),
        (b"{\"id\":null}", Json::Null),
        (b"{\"id\":\"a-7\"}", json!("a-7")),
        (b"{\"id\":17,\"more\":[]}", json!(17)),
        (b"{\"id\":{\"n\":1}}", json!({"n": 1})),
    ];
    for (name, verb) in VERBS {
        for (payload, id) in payloads {
            let topic = format!("{BASE}/rakete/command/{name}");
            let command = parsed(&topic, payload).unwrap();
            assert_eq!(command.verb, *verb);
            assert_eq!(command.device.as_str(), "LRW3E7EK5PC000002");
            assert_eq!(command.reply.topic, format!("{topic}/result"));
            assert_eq!(command.reply.id.unwrap_or_default(), *id, "{payload:?}");
        }
    }
}

#[test]
fn what_is_no_command_is_refused_with_a_reason() {
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(300));
    let huge = vec![b' '; 5000];
    let check = |topic: &str, payload: &[u8], reason: &str, answered: bool| {
        let refusal = parsed(topic, payload).unwrap_err();
        assert!(refusal.reason.contains(reason), "{topic}: {refusal:?}");
        assert_eq!(refusal.reply.is_some(), answered, "{topic}: {refusal:?}");
    };
    check("", b"", "not a command", false);
    check("tesla2mqtt", b"", "not a command", false);
    check("other/rakete/command/pause", b"", "not a command", false);
    check(
        "tesla2mqtt2/rakete/command/pause",
        b"",
        "not a command",
        false,
    );
    check(
        "tesla2mqtt/rakete/command/pause/result",
        b"",
        "not a command",
        false,
    );
    check("tesla2mqtt/rakete/command", b"", "not a command", false);
    check("tesla2mqtt/ghost/command/pause", b"", "no such car", true);
    check("tesla2mqtt/bridge/command/pause", b"", "no such car", true);
    check("tesla2mqtt//command/pause", b"", "no such car", true);
    check(
        "tesla2mqtt/rakete/command/unlock",
        b"",
        "no command \"unlock\"",
        true,
    );
    check("tesla2mqtt/rakete/command/", b"", "no command", true);
    check("tesla2mqtt/rakete/command/PAUSE", b"", "no command", true);
    check("tesla2mqtt/rakete/command/a+b", b"", "no command", false);
    check(
        "tesla2mqtt/rakete/command/pause",
        &huge,
        "payload is longer",
        true,
    );
    check(
        "tesla2mqtt/rakete/command/pause",
        long.as_bytes(),
        "id is longer",
        true,
    );
}

#[test]
fn a_refusal_gives_the_id_back_and_knows_the_car() {
    let refusal = parsed("tesla2mqtt/rakete/command/fly", b"{\"id\":3}").unwrap_err();
    assert_eq!(refusal.device.unwrap().as_str(), "LRW3E7EK5PC000002");
    let reply = refusal.reply.unwrap();
    let payload: Json =
        serde_json::from_str(&reply.payload(&Err("because".to_owned()), 12)).unwrap();
    let expected = json!({"ok": false, "reason": "because", "ms": 12, "id": 3});
    assert_eq!(payload, expected);
    let payload: Json = serde_json::from_str(&reply.payload(&Ok(()), 0)).unwrap();
    assert_eq!(
        payload,
        json!({"ok": true, "reason": null, "ms": 0, "id": 3})
    );
}

proptest! {
    #[test]
    fn any_message_gives_a_command_or_a_bounded_legal_answer(
        topic in prop_oneof![
            any::<String>(),
            "tesla2mqtt/(rakete|ghost|\\PC{0,20})/command/(pause|hint|\\PC{0,80})",
            "tesla2mqtt(/\\PC{0,5}){0,6}",
        ],
        payload in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "\\{\"id\":\\PC{0,40}\\}".prop_map(String::into_bytes),
        ],
    ) {
        match parsed(&topic, &payload) {
            Ok(command) => {
                prop_assert!(topic.starts_with(BASE));
                prop_assert!(is_legal_topic(&command.reply.topic));
            }
            Err(refusal) => {
                prop_assert!(!refusal.reason.is_empty() && refusal.reason.len() < 600);
                if let Some(reply) = refusal.reply {
                    prop_assert!(is_legal_topic(&reply.topic));
                    prop_assert!(reply.payload(&Err(refusal.reason), 1).len() < 1500);
                }
            }
        }
    }
}
