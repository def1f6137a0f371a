//! The state directory, locked for one process. Two bridges in one would share the client id and
//! throw each other off the broker, and each would take back the other's topics as old ones.

use std::path::Path;

use super::StartError;
use crate::atomic_file::{self, LOCK, Lock};

/// Nobody else runs with this state directory while this lives.
#[derive(Debug)]
pub struct StateDirectoryLock {
    _lock: Lock,
}

impl StateDirectoryLock {
    /// Makes the directory, private, and locks it.
    pub fn take(directory: &Path) -> Result<Self, StartError> {
        // The file stays when the process ends, its lock does not.
        let locked = atomic_file::state_directory(directory)
            .and_then(|()| atomic_file::try_lock(&directory.join(LOCK)));
        let path = directory.to_owned();
        match locked {
            Ok(Some(lock)) => Ok(Self { _lock: lock }),
            Ok(None) => Err(StartError::InUse { path }),
            Err(source) => Err(StartError::StateDirectory { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_is_locked_once_and_free_again_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let lock = StateDirectoryLock::take(&state).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join(LOCK)), 0o600);
        let refused = StateDirectoryLock::take(&state).unwrap_err().to_string();
        assert!(refused.contains(state.to_str().unwrap()), "{refused}");
        drop(lock);
        StateDirectoryLock::take(&state).unwrap();
    }
}
