//! The client id: the same over restarts, different for each installation.
//!
//! Two clients with one id throw each other out for ever, so a fixed name is a trap for whoever
//! runs two bridges; and a new name at every start leaves the broker to fire the will of the old
//! connection after the new one is up.

use std::fs;
use std::io;
use std::path::Path;

use crate::atomic_file;

/// The file in the state directory that keeps the id.
pub(super) const FILE: &str = "mqtt-client-id";

/// The id of this installation: read from `directory`, or made there at the first start. At most
/// 23 letters and digits, which is what every MQTT 3.1.1 broker must accept.
///
/// # Errors
/// The file cannot be written; a bridge can still run with [`random_client_id`].
pub fn client_id(directory: &Path) -> io::Result<String> {
    let path = directory.join(FILE);
    if let Ok(text) = fs::read_to_string(&path) {
        let id = text.trim();
        if (1..=23).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(id.to_owned());
        }
    }
    let id = random_client_id();
    atomic_file::replace(&path, format!("{id}\n").as_bytes())?;
    Ok(id)
}

/// An id that nobody else has.
pub fn random_client_id() -> String {
    let tail = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    format!("tesla2mqtt{:010x}", tail & 0xff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_over_restarts_and_differs_between_installations() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = client_id(here.path()).unwrap();
        assert_eq!(client_id(here.path()).unwrap(), id);
        assert_ne!(client_id(there.path()).unwrap(), id);
        assert!(id.len() <= 23 && id.starts_with("tesla2mqtt"));
    }

    #[test]
    fn a_spoilt_file_is_replaced() {
        let here = tempfile::tempdir().unwrap();
        for spoilt in ["", "two words", "\u{0}\u{1}", &"x".repeat(500)] {
            fs::write(here.path().join(FILE), spoilt).unwrap();
            let id = client_id(here.path()).unwrap();
            assert!(id.starts_with("tesla2mqtt"), "{spoilt:?}");
            assert_eq!(client_id(here.path()).unwrap(), id);
        }
    }

    #[test]
    fn a_directory_that_does_not_exist_is_an_error() {
        assert!(client_id(Path::new("/nonexistent/state")).is_err());
    }
}
