//! The heartbeat: a file in the state directory that the bridge's loop touches, for whoever asks
//! whether it still turns (`tesla2mqtt health`, a container's health check).
//!
//! It says nothing of Tesla or the broker, so that an outage of theirs does not restart a bridge
//! that is only waiting.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock;

/// Name of the file in the state directory.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// A bridge that has not touched it for so long hangs.
const STALE_AFTER: Duration = Duration::from_secs(90);

/// Says that the bridge is alive. An error is a full or read-only disk: worth one log line.
pub(crate) fn beat(state_directory: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(state_directory.join(HEARTBEAT))?;
    // Creating does not change the time of an empty file that is there already.
    file.set_modified(std::time::SystemTime::from(clock::now().wall))
}

/// Says that the bridge has ended, so that nobody takes its last beat for life.
pub(crate) fn end(state_directory: &Path) -> std::io::Result<()> {
    std::fs::remove_file(state_directory.join(HEARTBEAT))
}

/// Whether the heartbeat is fresh at `now`; otherwise why not.
pub(crate) fn check(state_directory: &Path, now: Timestamp) -> Result<(), String> {
    let path = state_directory.join(HEARTBEAT);
    let changed_at = std::fs::metadata(&path)
        .and_then(|metadata| metadata.modified())
        .map_err(|_| format!("no bridge runs: there is no {}", path.display()))?;
    let changed_at = Timestamp::try_from(changed_at)
        .map_err(|_| format!("the time of {} is out of range", path.display()))?;
    let age = now.duration_since(changed_at).unsigned_abs();
    if age > STALE_AFTER {
        return Err(format!(
            "the bridge gave no sign of life for {} s",
            age.as_secs()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_is_alive_until_its_heartbeat_is_stale() {
        let state = tempfile::tempdir().unwrap();
        let now = clock::now().wall;
        assert!(
            check(state.path(), now)
                .unwrap_err()
                .contains("no bridge runs")
        );
        beat(state.path()).unwrap();
        beat(state.path()).unwrap();
        assert_eq!(check(state.path(), now), Ok(()));
        assert_eq!(check(state.path(), now + Duration::from_mins(1)), Ok(()));
        let late = check(state.path(), now + Duration::from_mins(2)).unwrap_err();
        assert!(late.contains("no sign of life for 1"), "{late}");
        end(state.path()).unwrap();
        assert!(check(state.path(), now).is_err());
    }
}
