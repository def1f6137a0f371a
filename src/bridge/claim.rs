//! The state directory, claimed for one process. Two bridges in one would share the client id and
//! throw each other off the broker, and each would take back the other's topics as old ones.

use std::path::Path;

use super::StartError;
use crate::atomic_file::{self, CLAIM, Lock};

/// Nobody else runs with this state directory while this lives.
#[derive(Debug)]
pub struct Claim {
    _lock: Lock,
}

impl Claim {
    /// Makes the directory, private, and claims it.
    pub fn to(directory: &Path) -> Result<Self, StartError> {
        // The file stays when the process ends, its lock does not.
        let locked = atomic_file::state_directory(directory)
            .and_then(|()| atomic_file::try_lock(&directory.join(CLAIM)));
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
    fn a_directory_is_claimed_once_and_free_again_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let claim = Claim::to(&state).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join(CLAIM)), 0o600);
        let refused = Claim::to(&state).unwrap_err().to_string();
        assert!(refused.contains(state.to_str().unwrap()), "{refused}");
        drop(claim);
        Claim::to(&state).unwrap();
    }
}
