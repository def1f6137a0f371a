//! Keys that name a file: it is there, it holds what is expected, and a secret one is nobody else's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{FileContent, SettingsReader, row};
use crate::config::problem::ConfigProblem;

impl SettingsReader<'_> {
    /// A file of certificates, and a number that stands for its content.
    pub(crate) fn certificates(&mut self, key: &str) -> Option<(PathBuf, u64)> {
        let path = self.path(key)?;
        let content = self.content(key, &path, false)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content.bytes).collect();
        if found.is_ok_and(|found| !found.is_empty()) {
            let mut hasher = DefaultHasher::new();
            content.bytes.hash(&mut hasher);
            return Some((path, hasher.finish()));
        }
        let wanted = "expected one or more certificates in PEM form (\"-----BEGIN CERTIFICATE-----\") in this file";
        self.refuse(key, wanted);
        None
    }

    /// A file with a private key that nobody else can read.
    pub(crate) fn private_key(&mut self, key: &str) -> Option<PathBuf> {
        let path = self.path(key)?;
        let content = self.content(key, &path, true)?;
        if PrivateKeyDer::from_pem_slice(&content.bytes).is_ok() {
            return Some(path);
        }
        let wanted = "expected a private key in PEM form (\"-----BEGIN PRIVATE KEY-----\") without a passphrase in this file";
        self.refuse(key, wanted);
        None
    }

    pub(super) fn content(&mut self, key: &str, path: &Path, secret: bool) -> Option<FileContent> {
        match (self.read_file)(path) {
            // Perhaps the secret itself, and not where it is.
            Err(error) if secret && !is_plainly_a_path(path) => {
                let complaint = format!("expected {}: {}", row(key).expected, reason(&error));
                let origin = self.origin(key);
                self.problems
                    .push(ConfigProblem::new(origin, key, &complaint));
                None
            }
            Err(error) => {
                self.refuse(key, &format!("cannot read this file: {}", reason(&error)));
                None
            }
            Ok(content) => {
                if secret && is_open(path, content.mode) {
                    let (mode, path) = (content.mode.unwrap_or_default() & 0o777, path.display());
                    self.refuse(
                        key,
                        &format!("others can read this secret (mode {mode:04o}): chmod 600 {path}"),
                    );
                }
                Some(content)
            }
        }
    }
}

/// Whether a text that names no file was at least meant to; a token or a password hardly begins so.
fn is_plainly_a_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["/", "./", "../", "~/"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Where systemd and Docker mount secrets for one service alone, with modes of their own.
const PRIVATE_MOUNTS: [&str; 2] = ["/run/credentials", "/run/secrets"];

/// Whether others than the owner may read it.
fn is_open(path: &Path, mode: Option<u32>) -> bool {
    let is_mounted = PRIVATE_MOUNTS.iter().any(|mount| path.starts_with(mount));
    mode.is_some_and(|mode| mode & 0o077 != 0) && !is_mounted
}

/// The words for an I/O error that the owner can act on.
pub(in crate::config) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is none at this path".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}
