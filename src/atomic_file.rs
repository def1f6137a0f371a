//! Files that must survive a kill at any instant: written beside, synced, renamed over, and the
//! directory synced. A reader sees the old file or the new one, never a mixture.
//!
//! What root makes belongs to the owner of the directory that it is made in. Under systemd the
//! state directory is that of a user who exists only while the service runs, so that its owner has
//! to be root to sign in; a login that root alone could read would end the bridge.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown,
};
use std::path::Path;

use tracing::{debug, warn};

/// The file in the state directory by which a bridge locks it.
pub const LOCK: &str = "lock";

/// Replaces the file at `path`; mode 0600. Returns when it is on the disk.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // A left-over of a kill may be there with any mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = make_file(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory_of(path))?.sync_all()
}

/// Makes a directory of ours (and its parents) that only we can look into; one that exists is
/// tightened to 0700.
pub fn private_directory(path: &Path) -> io::Result<()> {
    make_directory(path)?;
    tighten(path)
}

/// Makes the state directory, private. One that exists may be anybody's: it is closed to others only
/// if nothing but ours is in it, and refused if everybody may put files there.
pub fn state_directory(path: &Path) -> io::Result<()> {
    make_directory(path)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    if mode & 0o1002 != 0 {
        return Err(io::Error::other(format!(
            "everybody may put files there (mode {mode:o}), so that no login would be safe"
        )));
    }
    let is_ours = path.join(LOCK).is_file() || fs::read_dir(path)?.next().is_none();
    if is_ours { tighten(path) } else { Ok(()) }
}

/// A file locked against other processes; released when dropped, also by a kill.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Locks the file at `path` (made with mode 0600) if no other process has it.
pub fn try_lock(path: &Path) -> io::Result<Option<Lock>> {
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match make_file(path) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).open(path)
            }
            made => made,
        },
        found => found,
    }?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that is not there yet, for its directory's owner alone.
fn make_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let made = file.metadata()?;
    hand_over(&made, path, |user, group| fchown(&file, user, group))?;
    Ok(file)
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let parent = directory_of(path);
    if parent != path {
        make_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        // Not through a link that somebody may have put in its place since.
        Ok(()) => hand_over(&fs::symlink_metadata(path)?, path, |user, group| {
            lchown(path, user, group)
        }),
    }
}

/// Root's new file or directory becomes that of the owner of the place. Nobody else can give away
/// what they made.
fn hand_over(
    made: &fs::Metadata,
    path: &Path,
    give: impl FnOnce(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    let place = fs::metadata(directory_of(path))?;
    if made.uid() != 0 || place.uid() == 0 {
        return Ok(());
    }
    match give(Some(place.uid()), Some(place.gid())) {
        // Root without its powers, in a container: the bridge is this same root then.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            debug!(path = %path.display(), %error, "cannot be given to the owner of its directory");
            Ok(())
        }
        done => done,
    }
}

fn tighten(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?.permissions().mode() & 0o7777;
    let of_others = found & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(0o700)) {
        // A volume that belongs to another and is lent to our group (fsGroup of Kubernetes).
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && found & 0o002 == 0 => {
            warn!(path = %path.display(), mode = format!("{found:o}"), %error, "others can look into this directory; it cannot be closed to them");
            Ok(())
        }
        done => done,
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_replaced_file_is_whole_private_and_leaves_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("car.json");
        fs::write(path.with_extension("new"), "left over").unwrap();
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_others_can_read_is_tightened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        fs::create_dir(&path).unwrap();
        set_mode(&path, 0o755);
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    /// `/var/lib`, by mistake, was closed to everybody else.
    #[test]
    fn a_state_directory_is_closed_only_if_nothing_but_ours_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let check = |content: Option<&str>, expected: u32| {
            let path = folder.path().join("state");
            fs::create_dir(&path).unwrap();
            set_mode(&path, 0o755);
            if let Some(name) = content {
                fs::write(path.join(name), "").unwrap();
            }
            state_directory(&path).unwrap();
            assert_eq!(mode(&path), expected, "{content:?}");
            fs::remove_dir_all(&path).unwrap();
        };
        check(None, 0o700);
        check(Some(LOCK), 0o700);
        check(Some("of-somebody-else"), 0o755);
        let deep = folder.path().join("not/there/yet");
        state_directory(&deep).unwrap();
        assert_eq!(mode(&deep), 0o700);
    }

    /// `/tmp`, by mistake, was closed to everybody else as well.
    #[test]
    fn a_directory_into_which_everybody_may_put_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for open in [0o1777, 0o777, 0o1755] {
            set_mode(folder.path(), open);
            let error = state_directory(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {open:o}")), "{error}");
            assert_eq!(mode(folder.path()), open);
        }
        set_mode(folder.path(), 0o700);
    }

    /// What `sudo tesla2mqtt login` left could not be read by the service that it was left for.
    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        state_directory(&state).unwrap();
        let service = (4711, 4712);
        if lchown(&state, Some(service.0), Some(service.1)).is_err() {
            // Only root can play root.
            return;
        }
        let accounts = state.join("a/b");
        private_directory(&accounts).unwrap();
        let (file, locked) = (accounts.join("home.json"), accounts.join("home.lock"));
        replace(&file, b"{}").unwrap();
        drop(try_lock(&locked).unwrap());
        for path in [&state.join("a"), &accounts, &file, &locked] {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), service, "{}", path.display());
        }
        // A link in the place of a lock leads nowhere that is given away.
        let (of_root, link) = (folder.path().join("shadow"), state.join("link"));
        fs::write(&of_root, "").unwrap();
        std::os::unix::fs::symlink(&of_root, &link).unwrap();
        drop(try_lock(&link).unwrap());
        assert_eq!(fs::metadata(&of_root).unwrap().uid(), 0);
    }
}
