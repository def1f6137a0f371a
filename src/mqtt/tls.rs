//! TLS towards the broker: whose certificates are believed, and who we say we are.
//!
//! The client crate gives us packets only, so the `rustls` configuration is built here. Home
//! brokers mostly run on one self-signed certificate, which is not a proper chain
//! (`CaUsedAsEndEntity`), or on one of X.509 version 1, as mosquitto-tls(7) makes them and `webpki`
//! refuses: a certificate that stands in `ca_file` itself is therefore believed as it is, whatever
//! name, dates or version it has; only who has its private key can present it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config;

/// What is wrong with the TLS files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("mqtt.{key}: {path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("mqtt.{key}: {path}: {problem}", path = path.display())]
    Content {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// Only one half of a client certificate is configured.
    #[error(
        "mqtt.{present} is set but mqtt.{missing} is not: a client certificate needs both files"
    )]
    Half {
        /// The key that is set.
        present: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// The system has no CA certificates.
    #[error(
        "the system's CA certificates cannot be used: {0}; install ca-certificates or set mqtt.ca_file"
    )]
    System(String),
}

/// What every certificate has in common, whatever its version: the key that it is about.
fn public_key(
    certificate: &CertificateDer<'static>,
) -> Result<SubjectPublicKeyInfoDer<'static>, rustls::Error> {
    let mut store = RootCertStore::empty();
    store.add(certificate.clone())?;
    Ok(SubjectPublicKeyInfoDer::from(sequence(
        &store.roots[0].subject_public_key_info,
    )))
}

/// The content of a DER SEQUENCE with its head.
fn sequence(content: &[u8]) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![SEQUENCE];
    if !matches!(length, [0..=0x7F]) {
        der.extend(u8::try_from(length.len()).map(|n| 0x80 | n));
    }
    der.extend(length);
    der.extend(content);
    der
}

/// Builds the client configuration. The files are read each time, so that a renewed certificate
/// is used at the next connection.
///
/// # Errors
/// A file is missing or is not what it should be; the text names it.
pub(super) fn client_config(tls: &config::TlsSettings) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs supports TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier(tls, Arc::clone(&provider))?);
    let config = match (&tls.client_cert_file, &tls.client_key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates("client_cert_file", cert)?;
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|e| bad_pem("client_key_file", key, e, "a private key"))?;
            let content = |key: &'static str, path: &Path, problem| TlsError::Content {
                key,
                path: path.to_owned(),
                problem,
            };
            let public = public_key(&chain[0])
                .map_err(|e| content("client_cert_file", cert, format!("certificate 1: {e}")))?;
            let private = provider
                .key_provider
                .load_private_key(private)
                .map_err(|e| content("client_key_file", key, e.to_string()))?;
            if private.public_key().is_some_and(|own| own != public) {
                let problem = format!("does not fit {}", cert.display());
                return Err(content("client_key_file", key, problem));
            }
            // Not `with_client_auth_cert`, which refuses version 1: whether it is good enough is
            // for the broker to say.
            let identity = SingleCertAndKey::from(CertifiedKey::new(chain, private));
            builder.with_client_cert_resolver(Arc::new(identity))
        }
        (Some(_), None) => {
            return Err(TlsError::Half {
                present: "client_cert_file",
                missing: "client_key_file",
            });
        }
        (None, Some(_)) => {
            return Err(TlsError::Half {
                present: "client_key_file",
                missing: "client_cert_file",
            });
        }
    };
    Ok(Arc::new(config))
}

fn verifier(
    tls: &config::TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let Some(path) = &tls.ca_file else {
        let system = rustls_platform_verifier::Verifier::new(provider)
            .map_err(|e| TlsError::System(e.to_string()))?;
        return Ok(Arc::new(system));
    };
    let content = |problem| TlsError::Content {
        key: "ca_file",
        path: path.clone(),
        problem,
    };
    let listed = certificates("ca_file", path)?;
    let mut roots = RootCertStore::empty();
    let mut keys = Vec::new();
    for (n, certificate) in listed.iter().enumerate() {
        let key = roots
            .add(certificate.clone())
            .and_then(|()| public_key(certificate))
            .map_err(|e| content(format!("certificate {} of the file: {e}", n + 1)))?;
        keys.push(key);
    }
    let algorithms = provider.signature_verification_algorithms;
    let pinned = listed.into_iter().zip(keys).collect();
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| content(e.to_string()))?;
    Ok(Arc::new(Listed {
        chain,
        pinned,
        algorithms,
    }))
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wanted = "one or more certificates (`-----BEGIN CERTIFICATE-----`)";
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| bad_pem(key, path, e, wanted))?;
    if found.is_empty() {
        return Err(bad_pem(key, path, pem::Error::NoItemsFound, wanted));
    }
    Ok(found)
}

fn bad_pem(key: &'static str, path: &Path, error: pem::Error, wanted: &str) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => TlsError::Unreadable { key, path, source },
        pem::Error::NoItemsFound => TlsError::Content {
            key,
            path,
            problem: format!("expected {wanted} in PEM form, found none"),
        },
        other => TlsError::Content {
            key,
            path,
            problem: format!("expected {wanted} in PEM form: {other}"),
        },
    }
}

/// Believes a chain to a certificate of the file, and a certificate of the file itself.
#[derive(Debug)]
struct Listed {
    chain: Arc<WebPkiServerVerifier>,
    pinned: Vec<(CertificateDer<'static>, SubjectPublicKeyInfoDer<'static>)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Listed {
    fn key_of(&self, certificate: &CertificateDer<'_>) -> Option<&SubjectPublicKeyInfoDer<'_>> {
        let mut pinned = self.pinned.iter();
        let (_, key) = pinned.find(|(pinned, _)| pinned == certificate)?;
        Some(key)
    }
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.key_of(end_entity).is_some() {
            return Ok(ServerCertVerified::assertion());
        }
        self.chain
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.key_of(cert) {
            Some(key) => verify_tls13_signature_with_raw_key(message, key, dss, &self.algorithms),
            None => self.chain.verify_tls13_signature(message, cert, dss),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
