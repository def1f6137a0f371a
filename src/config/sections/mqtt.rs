//! `[mqtt]` and `[broker]`: the broker that the bridge talks to, and the one inside it.

use std::time::Duration;

use crate::config::reader::SettingsReader;
use crate::config::settings::{BrokerSettings, MqttSettings, Protocol, TlsSettings};
use crate::config::texts::{broker_address, listen, not_empty};
use crate::config::topic::topic;

pub(super) fn mqtt(
    reader: &mut SettingsReader<'_>,
    broker: Option<&BrokerSettings>,
) -> Option<MqttSettings> {
    let address = reader.text("mqtt.url", broker_address);
    let username = reader.text("mqtt.username", not_empty);
    let password = reader.secret("mqtt.password", Some("mqtt.password"));
    let client_id = reader.text("mqtt.client_id", |text| {
        let legal = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if legal {
            Ok(text.to_owned())
        } else {
            Err(String::new())
        }
    });
    let protocol = reader
        .integer("mqtt.protocol", 4..=5)
        .map(|version| match version {
            4 => Protocol::V4,
            _ => Protocol::V5,
        });
    let base_topic = reader.text("mqtt.base_topic", topic);
    let range = Duration::from_secs(5)..=Duration::from_mins(20);
    let keep_alive = reader.duration("mqtt.keep_alive", range);
    let tls = tls(reader, address.as_ref().is_none_or(|address| address.tls));
    if password.is_some() && username.is_none() && !reader.is_given("mqtt.username") {
        reader.warn(
            "mqtt.password",
            "has no effect with most brokers without mqtt.username",
        );
    }
    let mut mqtt = MqttSettings {
        tls: address.as_ref()?.tls.then_some(tls),
        port: address.as_ref()?.port,
        host: address?.host,
        username,
        password,
        client_id,
        protocol: protocol?,
        base_topic: base_topic?,
        keep_alive: keep_alive?,
    };
    // Whoever switches the broker on and names no other means that one.
    if let Some(own) = broker.filter(|own| own.enabled && !reader.is_given("mqtt.url")) {
        mqtt.host = match own.listen.ip() {
            ip if !ip.is_unspecified() => ip.to_string(),
            ip if ip.is_ipv6() => "::1".to_owned(),
            _ => "127.0.0.1".to_owned(),
        };
        mqtt.port = own.listen.port();
        if mqtt.username.is_none() && mqtt.password.is_none() {
            mqtt.username.clone_from(&own.username);
            mqtt.password.clone_from(&own.password);
        }
    }
    Some(mqtt)
}

fn tls(reader: &mut SettingsReader<'_>, wanted: bool) -> TlsSettings {
    let keys = [
        "mqtt.ca_file",
        "mqtt.client_cert_file",
        "mqtt.client_key_file",
    ];
    if !wanted {
        for key in keys {
            if reader.is_given(key) {
                reader.refuse(
                    key,
                    "has no effect without TLS: expected mqtt.url to start with \"mqtts://\"",
                );
            }
        }
        return TlsSettings::default();
    }
    let tls = TlsSettings {
        ca_file: reader.certificates(keys[0]).map(|(path, _)| path),
        client_cert_file: reader.certificates(keys[1]).map(|(path, _)| path),
        client_key_file: reader.private_key(keys[2]),
    };
    match (reader.is_given(keys[1]), reader.is_given(keys[2])) {
        (true, false) => reader.refuse(keys[1], "expected mqtt.client_key_file beside it"),
        (false, true) => reader.refuse(keys[2], "expected mqtt.client_cert_file beside it"),
        _ => {}
    }
    tls
}

pub(super) fn broker(reader: &mut SettingsReader<'_>) -> Option<BrokerSettings> {
    let enabled = reader.bool("broker.enabled");
    let listen = reader.text("broker.listen", listen);
    let username = reader.text("broker.username", not_empty);
    let password = reader.secret("broker.password", Some("broker.password"));
    let is_open = listen.is_some_and(|listen| !listen.ip().is_loopback());
    match (
        reader.is_given("broker.username"),
        reader.is_sourced("broker.password"),
    ) {
        (false, false) if is_open => reader.refuse(
            "broker.listen",
            "whoever reaches this address could command your cars: expected broker.username and broker.password, or a loopback address",
        ),
        (false, true) => reader.missing("broker.username", "broker.password is set: "),
        (true, false) => reader.missing_secret(
            "broker.password",
            Some("broker.password"),
            "broker.username is set: ",
        ),
        _ => {}
    }
    Some(BrokerSettings {
        enabled,
        listen: listen?,
        username,
        password,
    })
}
