//! The connection itself: HTTP/2 over TLS 1.3 first, older only where the server cannot.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tesla2mqtt::api::install_provider;
use tesla2mqtt::config::Api;
use tesla2mqtt::failure::ApiFailure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};

use crate::api_rig::*;

const BODY: &str = r#"{"response":[]}"#;

struct Server {
    url: String,
    ca_pem: String,
    /// TLS version and ALPN of each connection.
    connections: mpsc::UnboundedReceiver<(Option<ProtocolVersion>, Option<Vec<u8>>)>,
}

/// A TLS server that answers every request with [`BODY`], in whichever protocol was agreed on.
async fn serve(versions: &[&'static SupportedProtocolVersion], alpn: &[&[u8]]) -> Server {
    install_provider();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let mut config = ServerConfig::builder_with_protocol_versions(versions)
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, seen) = (acceptor.clone(), seen.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    return;
                };
                let agreed = stream.get_ref().1;
                let alpn = agreed.alpn_protocol().map(<[u8]>::to_vec);
                let _ = seen.send((agreed.protocol_version(), alpn.clone()));
                let mut bytes = vec![0; 16 * 1024];
                let mut n = 0;
                while n < 24 {
                    n += stream.read(&mut bytes[n..]).await.unwrap_or(24);
                }
                let answer = if alpn.as_deref() == Some(b"h2") {
                    http2_answer()
                } else {
                    http1_answer()
                };
                let _ = stream.write_all(&answer).await;
                let _ = stream.flush().await;
                while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    Server {
        url: format!("https://localhost:{port}"),
        ca_pem: certificate.pem(),
        connections,
    }
}

fn http1_answer() -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
    .into_bytes()
}

/// Settings, their acknowledgement, then stream 1: `:status 200` (static table entry 8) and the body.
fn http2_answer() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    let (settings, headers, data) = (4, 1, 0);
    let (ack, end_headers, end_stream) = (1, 4, 1);
    [
        frame(settings, 0, 0, b""),
        frame(settings, ack, 0, b""),
        frame(headers, end_headers, 1, &[0x88]),
        frame(data, end_stream, 1, BODY.as_bytes()),
    ]
    .concat()
}

/// An account with a living token whose API is `server`.
fn signed_in(server: &Server) -> ApiRig {
    let mut rig = rig(Api::Fleet, &server.url);
    rig.keep(&serde_json::json!({
        "refresh_token": "r1", "seed": "r0-secret", "access_token": "a1-secret",
        "issued_at": "2020-01-01T00:00:00Z", "access_expires_at": "2099-01-01T00:00:00Z",
    }));
    let ca_file = rig.state.path().join("ca.pem");
    std::fs::write(&ca_file, &server.ca_pem).unwrap();
    rig.settings.ca_file = Some(ca_file);
    rig
}

#[tokio::test]
async fn a_server_that_can_is_spoken_to_in_http2_over_tls_1_3() {
    let mut server = serve(&[&version::TLS12, &version::TLS13], &[b"h2", b"http/1.1"]).await;
    let rig = signed_in(&server);
    let called = rig.open().await.products().await;
    assert_eq!(called.outcome.unwrap().vehicles.len(), 0);
    let agreed = server.connections.recv().await.unwrap();
    assert_eq!(
        agreed,
        (Some(ProtocolVersion::TLSv1_3), Some(b"h2".to_vec()))
    );
}

#[test]
fn the_frames_that_the_libraries_log_at_trace_hold_no_token() {
    passes("api_tls::child_http2_logged_at_trace");
}

#[tokio::test]
#[ignore = "run by the_frames_that_the_libraries_log_at_trace_hold_no_token"]
async fn child_http2_logged_at_trace() {
    let server = serve(&[&version::TLS13], &[b"h2"]).await;
    let rig = signed_in(&server);
    let captured = Captured::default();
    let _guard = tracing::subscriber::set_default(captured.subscriber());
    rig.open().await.products().await.outcome.unwrap();
    let text = captured.text();
    assert!(text.contains("h2::") && text.contains("answered"));
    assert!(!text.contains("a1-secret"));
}

#[tokio::test]
async fn an_old_server_is_spoken_to_in_http1_over_tls_1_2() {
    let mut server = serve(&[&version::TLS12], &[]).await;
    let rig = signed_in(&server);
    rig.open().await.products().await.outcome.unwrap();
    assert_eq!(
        server.connections.recv().await.unwrap(),
        (Some(ProtocolVersion::TLSv1_2), None)
    );
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_given_the_token() {
    let (server, other) = (
        serve(&[&version::TLS13], &[b"h2"]).await,
        serve(&[&version::TLS13], &[b"h2"]).await,
    );
    let rig = signed_in(&server);
    std::fs::write(rig.settings.ca_file.as_ref().unwrap(), &other.ca_pem).unwrap();
    let error = rig.open().await.products().await.outcome.unwrap_err();
    assert_eq!(error.kind, ApiFailure::Untrusted, "{error}");
    assert!(error.sentence().contains("ca_file"), "{error}");
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_named() {
    let server = serve(&[&version::TLS13], &[b"h2"]).await;
    let rig = signed_in(&server);
    let ca_file = rig.settings.ca_file.clone().unwrap();
    for text in ["", "nonsense"] {
        std::fs::write(&ca_file, text).unwrap();
        let error = rig.try_open().await.unwrap_err();
        assert_eq!(error.kind, ApiFailure::Setup);
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
    std::fs::remove_file(&ca_file).unwrap();
    assert_eq!(rig.try_open().await.unwrap_err().kind, ApiFailure::Setup);
}
