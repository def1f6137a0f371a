//! TLS towards the broker: whom we believe, who we are, and what the owner reads when it fails.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tesla2mqtt::broker::Embedded;
use tesla2mqtt::config::{MqttSettings, Protocol, TlsSettings};
use tesla2mqtt::mqtt::{BrokerFailure, BrokerFailureKind, TlsError, check_files, start};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_works_with_an_own_ca_and_a_client_certificate() {
    let home = Home::new();
    for protocol in BOTH {
        let broker = home
            .broker(&home.ca.signed("localhost"), ClientAuth::Certificate)
            .await;
        let mut settings = broker.settings(protocol);
        settings.tls = Some(home.files(&home.ca.pem, Some(&home.ca.signed("car"))));
        let bridge = MqttBridge::start(&settings);
        bridge.state("tesla2mqtt/VIN/a", "1").await;
        let watcher = Watcher::start(broker.plain.addr);
        watcher.until_topic("tesla2mqtt/VIN/a", "1").await;
        assert!(bridge.stop().await.offline_acknowledged);
        watcher
            .until_topic("tesla2mqtt/bridge/state", "offline")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_cas_in_the_file_is_enough() {
    let home = Home::new();
    let broker = home
        .broker(&home.ca.signed("localhost"), ClientAuth::Nothing)
        .await;
    let several = format!(
        "{}\n# ours:\n{}",
        PrivateCa::new("another").pem,
        home.ca.pem
    );
    broker.probe(home.files(&several, None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_believed_when_the_file_holds_it() {
    let home = Home::new();
    // The usual home set-ups: a CA used as the broker's own, and a plain one for another name.
    let as_ca = home.ca.as_server();
    let mut params = CertificateParams::new(vec!["raspberrypi".into()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "raspberrypi");
    let key = KeyPair::generate().unwrap();
    let plain = IssuedCertificate {
        pem: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    };
    for identity in [as_ca, plain] {
        let broker = home.broker(&identity, ClientAuth::Nothing).await;
        broker.probe(home.files(&identity.pem, None)).await.unwrap();
        let stranger = PrivateCa::new("stranger").pem;
        let failure = broker.probe(home.files(&stranger, None)).await.unwrap_err();
        assert_eq!(failure.kind, BrokerFailureKind::Tls, "{failure}");
        assert!(failure.to_string().contains("self-signed"), "{failure}");
    }
}

/// mosquitto-tls(7) makes certificates of X.509 version 1, which were never believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_version_1_is_believed_when_the_file_holds_it() {
    let home = Home::new();
    let broker = home.broker(&version_1(), ClientAuth::Nothing).await;
    broker.probe(home.files(VERSION_1, None)).await.unwrap();
    let failure = broker
        .probe(home.files(&home.ca.pem, None))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, BrokerFailureKind::Tls, "{failure}");
    assert!(failure.to_string().contains("X.509 version 1"), "{failure}");

    // Who shows it must have its key.
    let thief = IssuedCertificate {
        pem: VERSION_1.to_owned(),
        key: home.ca.signed("localhost").key,
    };
    let broker = home.broker(&thief, ClientAuth::Nothing).await;
    let failure = broker.probe(home.files(VERSION_1, None)).await.unwrap_err();
    assert_eq!(failure.kind, BrokerFailureKind::Tls, "{failure}");
}

/// It had been reported as a key that does not fit.
#[tokio::test]
async fn a_client_certificate_of_version_1_is_for_the_broker_to_judge() {
    let home = Home::new();
    let mut settings = settings("127.0.0.1:1".parse().unwrap(), Protocol::V5);
    settings.tls = Some(home.files(&home.ca.pem, Some(&version_1())));
    check_files(&settings).unwrap();
    let others = IssuedCertificate {
        key: home.ca.signed("other").key,
        ..version_1()
    };
    settings.tls = Some(home.files(&home.ca.pem, Some(&others)));
    let error = check_files(&settings).unwrap_err().to_string();
    assert!(error.contains("client_key_file"), "{error}");
    assert!(error.contains("does not fit"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_says_what_to_do() {
    let home = Home::new();
    let good = home.ca.signed("localhost");
    let check = |failure: BrokerFailure, kind: BrokerFailureKind, words: &str| {
        assert!(
            failure.to_string().contains(words),
            "{words:?} in: {failure}"
        );
        assert_eq!(failure.kind, kind, "{failure}");
    };

    let broker = home.broker(&good, ClientAuth::Nothing).await;
    let wrong_ca = home.files(&PrivateCa::new("another").pem, None);
    let failure = broker.probe(wrong_ca).await.unwrap_err();
    check(
        failure,
        BrokerFailureKind::Tls,
        "not signed by any of mqtt.ca_file",
    );

    let failure = broker.probe(TlsSettings::default()).await.unwrap_err();
    check(failure, BrokerFailureKind::Tls, "set mqtt.ca_file");

    let other_name = home
        .broker(&home.ca.signed("mqtt.example"), ClientAuth::Nothing)
        .await;
    let failure = other_name
        .probe(home.files(&home.ca.pem, None))
        .await
        .unwrap_err();
    check(
        failure,
        BrokerFailureKind::Tls,
        "another name than localhost",
    );

    let nameless = home.broker(&home.ca.nameless(), ClientAuth::Nothing).await;
    let failure = nameless
        .probe(home.files(&home.ca.pem, None))
        .await
        .unwrap_err();
    check(failure, BrokerFailureKind::Tls, "no subjectAltName");

    let asks = home.broker(&good, ClientAuth::Certificate).await;
    let failure = asks
        .probe(home.files(&home.ca.pem, None))
        .await
        .unwrap_err();
    check(failure, BrokerFailureKind::Tls, "mqtt.client_cert_file");

    let stranger = PrivateCa::new("another").signed("car");
    let with_stranger = home.files(&home.ca.pem, Some(&stranger));
    let failure = asks.probe(with_stranger).await.unwrap_err();
    check(failure, BrokerFailureKind::Tls, "does not accept ours");

    for protocol in BOTH {
        // A plain client on the TLS port, a TLS client on the plain port.
        let mut plain = settings(broker.addr, protocol);
        plain.tls = None;
        let failure = probe(&plain).await.unwrap_err();
        check(failure, BrokerFailureKind::Slow, "mqtts://");

        let mut tls = settings(broker.plain.addr, protocol);
        tls.tls = Some(home.files(&home.ca.pem, None));
        let failure = probe(&tls).await.unwrap_err();
        assert!(failure.to_string().contains("mqtt://"), "{failure}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_wrong_is_named_before_anything_starts() {
    let home = Home::new();
    let junk = home.write("junk.pem", "not PEM");
    let broken = home.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    );
    let not_a_certificate = home.write(
        "bytes.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let car = home.ca.signed("car");
    let (cert, key) = (
        home.write("car.pem", &car.pem),
        home.write("car.key", &car.key),
    );
    let other_key = home.write("other.key", &home.ca.signed("other").key);
    let missing = PathBuf::from("/nonexistent/ca.pem");
    let tls = |ca: &PathBuf, cert: Option<&PathBuf>, key: Option<&PathBuf>| TlsSettings {
        ca_file: Some(ca.clone()),
        client_cert_file: cert.cloned(),
        client_key_file: key.cloned(),
    };
    let ca = home.write("ca.pem", &home.ca.pem);
    let cases = [
        (
            tls(&missing, None, None),
            "mqtt.ca_file: /nonexistent/ca.pem cannot be read",
        ),
        (tls(&junk, None, None), "found none"),
        (tls(&broken, None, None), "broken.pem"),
        (
            tls(&not_a_certificate, None, None),
            "certificate 1 of the file",
        ),
        (tls(&ca, Some(&cert), None), "mqtt.client_key_file is not"),
        (tls(&ca, None, Some(&key)), "mqtt.client_cert_file is not"),
        (tls(&ca, Some(&cert), Some(&cert)), "expected a private key"),
        (
            tls(&ca, Some(&key), Some(&key)),
            "expected one or more certificates",
        ),
        (tls(&ca, Some(&cert), Some(&other_key)), "does not fit"),
        (
            tls(&ca, Some(&cert), Some(&missing)),
            "mqtt.client_key_file: /nonexistent",
        ),
    ];
    for (files, words) in cases {
        let mut settings = settings("127.0.0.1:1".parse().unwrap(), Protocol::V5);
        settings.tls = Some(files);
        let refused: Result<_, TlsError> =
            start(&settings, "id".into(), vec![], CancellationToken::new());
        let error = refused.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} in: {error}");
    }
}

/// As `openssl x509 -req` makes it without an extension file; for localhost, until 2126.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBMTCB2AIUROu86JB+LopVSIj3DUDGJLUVqFYwCgYIKoZIzj0EAwIwITEfMB0G\n\
A1UEAwwWYXMgdGhlIG1hbnVhbCBtYWtlcyBpdDAgFw0yNjExMjYxNDQ5MzJaGA8y\n\
MTI2MTEwMjE0NDkzMlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0C\n\
AQYIKoZIzj0DAQcDQgAEwRb8Oghe52g/p40RRRUVXNnINbDnTsQYgeWrmfQ91SMA\n\
z7T3FGDmVJHJMZiqAJMLqb6Bh4034gVcpwKKXyGbhTAKBggqhkjOPQQDAgNIADBF\n\
AiAjKQOiR51pXu6vYDrLRHXRyMbb/j6Y7AS2oXnGB+kb0AIhAOyU6o5ohBdddpoo\n\
YyPSpkyjBMUjJpbvyJopUR7rdoQX\n\
-----END CERTIFICATE-----\n\
";
const VERSION_1_KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwKhuYaSO3bSgo6Pl\n\
+gF34P5z45mlAnT576UO86qxAouhRANCAATBFvw6CF7naD+njRFFFRVc2cg1sOdO\n\
xBiB5auZ9D3VIwDPtPcUYOZUkckxmKoAkwupvoGHjTfiBVynAopfIZuF\n\
-----END PRIVATE KEY-----\n\
";

pub fn version_1() -> IssuedCertificate {
    IssuedCertificate {
        pem: VERSION_1.to_owned(),
        key: VERSION_1_KEY.to_owned(),
    }
}

/// `config check` had said ok, and `run` had ended with 1, so that its supervisor tried it for ever.
#[test]
fn check_and_run_refuse_wrong_files_as_a_wrong_configuration() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let key = home.write("other.key", &home.ca.signed("other").key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (&home.ca.pem, "mqtt.client_key_file"),
        (&format!("{}{garbage}", home.ca.pem), "mqtt.ca_file"),
    ];
    for (ca, words) in cases {
        let text = format!(
            "[mqtt]\nurl = \"mqtts://localhost:1\"\nca_file = {:?}\nclient_cert_file = {:?}\n\
             client_key_file = {key:?}\n[state]\ndirectory = {:?}\n\
             [[accounts]]\nname = \"home\"\napi = \"owner\"\n",
            home.write("ca.pem", ca),
            home.write("car.pem", &home.ca.signed("car").pem),
            home.directory.path().join("state"),
        );
        let config = home.write("config.toml", &text);
        for command in [&["config", "check"][..], &["run"]] {
            let ended = Command::new(env!("CARGO_BIN_EXE_tesla2mqtt"))
                .args(command)
                .arg("--config")
                .arg(&config)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(2), "{command:?}: {said}");
            assert!(said.contains(words), "{words} in {said}");
        }
    }
}

/// The certificates and files of one household.
pub struct Home {
    directory: TempDir,
    pub ca: PrivateCa,
}

pub struct PrivateCa {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    key: String,
}

pub struct IssuedCertificate {
    pub pem: String,
    pub key: String,
}

#[derive(Clone, Copy, PartialEq)]
enum ClientAuth {
    Nothing,
    Certificate,
}

/// The embedded broker with TLS in front of it.
struct TlsBroker {
    addr: SocketAddr,
    plain: Embedded,
}

impl PrivateCa {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn signed(&self, name: &str) -> IssuedCertificate {
        self.signed_for(vec![name.into()])
    }

    /// Without a subjectAltName.
    fn nameless(&self) -> IssuedCertificate {
        self.signed_for(Vec::new())
    }

    fn signed_for(&self, names: Vec<String>) -> IssuedCertificate {
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        IssuedCertificate {
            pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn as_server(&self) -> IssuedCertificate {
        IssuedCertificate {
            pem: self.pem.clone(),
            key: self.key.clone(),
        }
    }
}

impl Home {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            ca: PrivateCa::new("home"),
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn files(&self, ca: &str, client: Option<&IssuedCertificate>) -> TlsSettings {
        TlsSettings {
            ca_file: Some(self.write("trusted.pem", ca)),
            client_cert_file: client.map(|c| self.write("client.pem", &c.pem)),
            client_key_file: client.map(|c| self.write("client.key", &c.key)),
        }
    }

    async fn broker(&self, identity: &IssuedCertificate, ask: ClientAuth) -> TlsBroker {
        let plain = open_broker(free_address()).await;
        let to = plain.addr;
        let acceptor = TlsAcceptor::from(Arc::new(self.server_config(identity, ask)));
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut near = acceptor.accept(client).await?;
                    let mut far = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        TlsBroker { addr, plain }
    }

    fn server_config(&self, identity: &IssuedCertificate, ask: ClientAuth) -> ServerConfig {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if ask == ClientAuth::Certificate {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_slice(self.ca.pem.as_bytes()).unwrap();
            roots.add(ca).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = CertificateDer::pem_slice_iter(identity.pem.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        // `with_single_cert` refuses version 1, and a key that does not fit.
        let key = provider.key_provider.load_private_key(key).unwrap();
        let identity = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        builder.with_cert_resolver(Arc::new(identity))
    }
}

impl TlsBroker {
    fn settings(&self, protocol: Protocol) -> MqttSettings {
        let mut settings = settings(self.addr, protocol);
        settings.host = "localhost".into();
        settings
    }

    async fn probe(&self, files: TlsSettings) -> Result<(), BrokerFailure> {
        let mut settings = self.settings(Protocol::V5);
        settings.tls = Some(files);
        probe(&settings).await.map(|_| ())
    }
}
