//! Whether the files under our connections are still those that bear the database's name. SQLite holds descriptors: of a
//! file that was deleted or replaced it goes on writing the old one, and what it acknowledges then is gone with the process.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The database, its log and the log's index, as they were when they were opened.
pub(crate) struct Files {
    /// As it was given: a link in it may come to lead elsewhere.
    given: PathBuf,
    /// Where it led.
    paths: [PathBuf; 3],
    opened: [Option<Identity>; 3],
}

/// Device and inode.
type Identity = (u64, u64);

/// What stands there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// What was opened.
    Same,
    /// No database, or an empty file.
    Gone,
    /// Another database, or ours without its log.
    Other,
}

impl Files {
    /// To be called after a connection has read from the database: its log is there then.
    pub(crate) fn of(path: &Path) -> Files {
        let given = path.to_owned();
        // SQLite follows a link and puts the log beside its target.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| given.clone());
        let beside = |suffix: &str| {
            let mut name = OsString::from(&path);
            name.push(suffix);
            PathBuf::from(name)
        };
        let paths = [path.clone(), beside("-wal"), beside("-shm")];
        let opened = [database(&paths[0]), identity(&paths[1]), identity(&paths[2])];
        Files { given, paths, opened }
    }

    /// Four calls of stat(2).
    pub(crate) fn look(&self) -> Seen {
        match self.look_at_database() {
            Seen::Same if [1, 2].iter().any(|&file| identity(&self.paths[file]) != self.opened[file]) => {
                Seen::Other
            }
            seen => seen,
        }
    }

    /// For a writer without a connection: the log may have gone with the last one, as it should.
    pub(crate) fn look_at_database(&self) -> Seen {
        match database(&self.given) {
            None => Seen::Gone,
            // The name that it was opened by may be gone while another still leads to it: its log belongs to that one.
            now if now == self.opened[0] && database(&self.paths[0]) == now => Seen::Same,
            Some(_) => Seen::Other,
        }
    }
}

/// Of a file that may be a database: one that was opened has at least its header, so that an empty one was emptied since.
fn database(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok().filter(|metadata| metadata.len() > 0)?;
    Some((metadata.dev(), metadata.ino()))
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
