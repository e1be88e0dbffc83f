//! Whether the files under our connections are still those that bear the database's name. SQLite holds descriptors: of a
//! file that was deleted or replaced it goes on writing the old one, and what it acknowledges then is gone with the process.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The database, its log and the log's index, as they were when they were opened.
pub(crate) struct Files {
    /// As it was given: a link in it may come to lead elsewhere.
    given: PathBuf,
    /// Where it led.
    paths: [PathBuf; 3],
    opened: [Option<Identity>; 3],
    /// The database, to look into its header; `None` if we may not. Only closed when no connection has that file: closing any
    /// descriptor of a file gives up all locks that the process has on it (POSIX, fcntl(2)).
    header: Option<File>,
    /// Bytes of the database at the last look at which it was whole.
    length: u64,
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
    /// What was opened, and shorter than it says that it is.
    Cut,
    /// Another database, or ours without its log.
    Other,
}

impl Files {
    /// To be called after a connection has read from the database: its log is there then.
    pub(crate) fn of(path: &Path) -> Files {
        let mut files = Files::without_header(path);
        files.header = File::open(&files.paths[0]).ok();
        files
    }

    fn without_header(path: &Path) -> Files {
        let given = path.to_owned();
        // SQLite follows a link and puts the log beside its target.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| given.clone());
        let beside = |suffix: &str| {
            let mut name = OsString::from(&path);
            name.push(suffix);
            PathBuf::from(name)
        };
        let paths = [path.clone(), beside("-wal"), beside("-shm")];
        let opened = [database(&paths[0]).as_ref().map(of), identity(&paths[1]), identity(&paths[2])];
        let length = database(&paths[0]).map_or(0, |metadata| metadata.len());
        Files { given, paths, opened, header: None, length }
    }

    /// What a new connection has open, of the same path; no connection has another file than that by now.
    pub(crate) fn renew(&mut self) {
        let mut now = Files::without_header(&self.given);
        now.header = match self.header.take() {
            Some(header) if now.opened[0] == self.opened[0] => Some(header),
            _ => File::open(&now.paths[0]).ok(),
        };
        *self = now;
    }

    /// Deletes the log of a damaged file, which could not be copied into it, if it stands beside another database now: SQLite would
    /// mix its pages into that one's.
    pub(crate) fn remove_log_left_behind(&self) {
        let is_another = database(&self.paths[0]).is_some_and(|now| Some(of(&now)) != self.opened[0]);
        for file in [1, 2] {
            let is_own = self.opened[file].is_some() && identity(&self.paths[file]) == self.opened[file];
            if is_another && is_own {
                let _ = std::fs::remove_file(&self.paths[file]);
            }
        }
    }

    /// Four calls of stat(2), and a read of the database's header if it became shorter.
    pub(crate) fn look(&mut self) -> Seen {
        match self.look_at_database() {
            Seen::Same if [1, 2].iter().any(|&file| identity(&self.paths[file]) != self.opened[file]) => {
                Seen::Other
            }
            seen => seen,
        }
    }

    /// For a writer without a connection: the log may have gone with the last one, as it should.
    pub(crate) fn look_at_database(&mut self) -> Seen {
        let Some(now) = database(&self.given) else { return Seen::Gone };
        // The name that it was opened by may be gone while another still leads to it: its log belongs to that one.
        let is_same = Some(of(&now)) == self.opened[0] && identity(&self.paths[0]) == self.opened[0];
        match is_same {
            false => Seen::Other,
            // VACUUM makes it shorter too, and says so in the header first.
            true if now.len() < self.length && self.is_cut() => Seen::Cut,
            true => {
                self.length = now.len();
                Seen::Same
            }
        }
    }

    /// Whether the database has fewer bytes than its header counts (SQLite's file format, section 1.3).
    #[cold]
    fn is_cut(&self) -> bool {
        const HEADER_BYTES: usize = 100;
        let mut header = [0; HEADER_BYTES];
        let Some(file) = &self.header else { return false };
        if file.read_exact_at(&mut header, 0).is_err() {
            return true;
        }
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            bytes => u64::from(bytes),
        };
        // The count stands if it was written with the last change; releases before 3.7.0 left it alone.
        let is_counted = number(24) == number(92);
        let bytes = page_bytes * u64::from(number(28));
        is_counted && file.metadata().is_ok_and(|metadata| metadata.len() < bytes)
    }
}

/// Of a file that may be a database: one that was opened has at least its header, so that an empty one was emptied since.
fn database(path: &Path) -> Option<Metadata> {
    std::fs::metadata(path).ok().filter(|metadata| metadata.len() > 0)
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().as_ref().map(of)
}

fn of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}
