//! The directory of a demo's state: new, private, and gone with the demo.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory that is removed when it is dropped.
pub(super) struct TemporaryDirectory {
    path: PathBuf,
}

impl TemporaryDirectory {
    /// A new one below `parent`, under a name that nobody can have foreseen: the directory of
    /// temporary files is everybody's, and process ids are the same in every container.
    pub(super) fn new_in(parent: &Path) -> anyhow::Result<Self> {
        let make = || {
            let path = parent.join(format!("tesla2mqtt-demo-{:016x}", getrandom::u64()?));
            DirBuilder::new().mode(0o700).create(&path)?;
            Ok(path)
        };
        let path = make().map_err(|error: io::Error| {
            anyhow::anyhow!(
                "no temporary folder can be made in {}: {error}; name another one in TMPDIR",
                parent.display()
            )
        })?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What cannot be removed is in the system's own directory.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_temporary_folder_is_new_private_and_removed_by_its_maker_alone() {
        let parent = tempfile::tempdir().unwrap();
        let ours = TemporaryDirectory::new_in(parent.path()).unwrap();
        let other = TemporaryDirectory::new_in(parent.path()).unwrap();
        assert_ne!(ours.path, other.path);
        let mode = fs::metadata(&ours.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(ours);
        let left = fs::read_dir(parent.path()).unwrap();
        assert_eq!(left.count(), 1);
        drop(other);
        assert!(TemporaryDirectory::new_in(&parent.path().join("absent")).is_err());
    }
}
