//! A file layer under SQLite that keeps book: each write and sync of the log in order, what the disk would hold after a
//! power cut, and syncs and writes that fail on demand. It stands as the default in front of the system's own.
//!
//! The one file with `unsafe`: SQLite's interface for this is C.

#![allow(unsafe_code)]
#![allow(unreachable_pub)] // A module of a test binary.

use crate::disk::{Disk, Part};
use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};

/// What happened to a database, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes went to the log.
    LogWritten,
    /// The log is on the disk.
    LogSynced,
    /// An answer left; the test's own entry.
    Answered(u64),
}

/// How syncs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    Real,
    /// They claim success and do nothing.
    Skipped,
}

/// The book of one database.
pub struct Book {
    path: PathBuf,
    syncs: Syncs,
    /// What the disk would hold after a power cut, byte by byte; [`Book::simulate`] only.
    disk: Option<Mutex<Disk>>,
    state: Mutex<State>,
    /// So many of the next syncs of the log report failure. The bytes reach the disk all the same: the worst case.
    pub fail_syncs: AtomicU32,
    /// So many of the next writes to the log find the disk full.
    pub fail_writes: AtomicU32,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    durable: Durable,
}

/// What a power cut leaves: the file and the log as they were last synced.
#[derive(Clone, Default)]
pub struct Durable {
    file: Vec<u8>,
    log: Vec<u8>,
}

static BOOKS: Mutex<Vec<Arc<Book>>> = Mutex::new(Vec::new());

impl Book {
    /// Keeps book of the database `path` from now on; to be called before it is opened.
    pub fn open(path: &Path, syncs: Syncs) -> Arc<Book> {
        Book::keep(path, syncs, None)
    }

    /// Has a simulated disk under the database `path`; syncs reach no real one.
    pub fn simulate(path: &Path, disk: Disk) -> Arc<Book> {
        Book::keep(path, Syncs::Skipped, Some(Mutex::new(disk)))
    }

    /// No sync of the database `path` reaches a disk: for what is only looked at.
    pub fn hasten(path: &Path) {
        Book::keep(path, Syncs::Skipped, None);
    }

    /// Forgets the databases in `folder`.
    pub fn forget(folder: &Path) {
        BOOKS.lock().unwrap().retain(|book| !book.path.starts_with(folder));
    }

    fn keep(path: &Path, syncs: Syncs, disk: Option<Mutex<Disk>>) -> Arc<Book> {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(register);
        let book = Arc::new(Book {
            path: path.to_owned(),
            syncs,
            disk,
            state: Mutex::default(),
            fail_syncs: AtomicU32::new(0),
            fail_writes: AtomicU32::new(0),
        });
        BOOKS.lock().unwrap().push(Arc::clone(&book));
        book
    }

    /// The simulated disk.
    pub fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.disk.as_ref().expect("a simulated disk").lock().unwrap()
    }

    /// Which of its files a name is.
    fn part(&self, name: &[u8]) -> Option<Part> {
        match name.strip_prefix(self.path.as_os_str().as_bytes())? {
            b"" => Some(Part::File),
            b"-wal" => Some(Part::Log),
            b"-journal" => Some(Part::Journal),
            _ => None,
        }
    }

    pub fn enter(&self, entry: Entry) {
        self.state.lock().unwrap().entries.push(entry);
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.state.lock().unwrap().entries.clone()
    }

    /// What is on the disk at this moment.
    pub fn durable(&self) -> Durable {
        self.state.lock().unwrap().durable.clone()
    }

    /// The file as it is counts as synced: where a test begins.
    pub fn settle(&self) {
        self.state.lock().unwrap().durable =
            Durable { file: std::fs::read(&self.path).unwrap(), log: Vec::new() };
    }

    fn log_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        path.into()
    }

    /// The disk has what the file holds now.
    fn kept(&self, part: Part) {
        let mut state = self.state.lock().unwrap();
        match part {
            Part::File => state.durable.file = std::fs::read(&self.path).unwrap(),
            Part::Log => state.durable.log = std::fs::read(self.log_path()).unwrap(),
            Part::Journal => {}
        }
    }
}

impl Durable {
    /// Writes it down as a database that a machine finds when it comes up again.
    pub fn restore(&self, path: &Path) {
        std::fs::write(path, &self.file).unwrap();
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        std::fs::write(log, &self.log).unwrap();
    }
}

/// Takes one off a counter, if there is one left.
fn strikes(counter: &AtomicU32) -> bool {
    counter.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok()
}

/// Our end of an open file; the system's own follows it in the memory that SQLite gave.
#[repr(C)]
struct File {
    /// INVARIANT: the first field, since SQLite takes a `*mut File` for a `*mut sqlite3_file`.
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`; null if nobody keeps book of this file.
    watched: *mut Watched,
}

struct Watched {
    book: Arc<Book>,
    part: Part,
}

fn watched(name: *const c_char) -> Option<Watched> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite passes a name that ends with NUL and lives as long as the file is open.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let books = BOOKS.lock().unwrap();
    books.iter().find_map(|book| Some(Watched { book: Arc::clone(book), part: book.part(name)? }))
}

fn register() {
    // SAFETY: a null name asks for the default; the result lives for ever. We read a copy, and ours is leaked, so the
    // pointer that SQLite keeps stays valid.
    unsafe {
        let system = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut ours = *system;
        ours.zName = c"bookkeeping".as_ptr();
        ours.pNext = std::ptr::null_mut();
        ours.szOsFile += size_of::<File>() as c_int;
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        SYSTEM.0.store(system, SeqCst);
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1), ffi::SQLITE_OK);
    }
}

struct System(std::sync::atomic::AtomicPtr<ffi::sqlite3_vfs>);

static SYSTEM: System = System(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()));

/// # Safety
/// Called by SQLite: `file` points to `szOsFile` bytes, aligned for any of its structs.
unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let ours = file.cast::<File>();
    // SAFETY: the memory has room for ours and the system's; both are written before they are read. `SYSTEM` was set
    // before this function was registered.
    unsafe {
        (*ours).base.pMethods = std::ptr::null();
        (*ours).watched = std::ptr::null_mut();
        let system = SYSTEM.0.load(SeqCst);
        let code = (*system).xOpen.unwrap()(system, name, inner(file), flags, out_flags);
        if !(*inner(file)).pMethods.is_null() {
            (*ours).base.pMethods = &METHODS;
            let watched = watched(name);
            if let Some(Watched { book, part }) = &watched
                && book.disk.is_some()
            {
                book.disk().opened(*part);
            }
            (*ours).watched =
                watched.map_or(std::ptr::null_mut(), |watched| Box::into_raw(Box::new(watched)));
        }
        code
    }
}

/// # Safety
/// Called by SQLite: `name` ends with NUL.
unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    if let Some(Watched { book, part }) = watched(name)
        && book.disk.is_some()
    {
        book.disk().deleted(part, sync_folder != 0);
    }
    // SAFETY: `SYSTEM` was set before this function was registered.
    unsafe {
        let system = SYSTEM.0.load(SeqCst);
        (*system).xDelete.unwrap()(system, name, 0)
    }
}

/// The system's file behind ours.
///
/// # Safety
/// `file` came to [`open`].
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `open`'s memory is `size_of::<File>()` bytes longer than the system's file.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// # Safety
/// `file` came to [`open`] and was not closed.
unsafe fn watching<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: `watched` is null or a box that `close` frees.
    unsafe { (*file.cast::<File>()).watched.as_ref() }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once and doesn't use it afterwards.
    unsafe {
        let watched = std::mem::replace(&mut (*file.cast::<File>()).watched, std::ptr::null_mut());
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
        let inner = inner(file);
        (*(*inner).pMethods).xClose.unwrap()(inner)
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    // SAFETY: called by SQLite with an open file; arguments go on as they came.
    unsafe {
        if let Some(watched) = watching(file)
            && watched.book.disk.is_some()
        {
            // SAFETY: SQLite's buffer has `bytes` bytes.
            let data = std::slice::from_raw_parts(from.cast::<u8>(), bytes as usize);
            let faults = watched.book.disk().write(watched.part, at as usize, data);
            if let Some((code, written)) = faults {
                let inner = inner(file);
                let part = (*(*inner).pMethods).xWrite.unwrap()(inner, from, written as c_int, at);
                return if part == ffi::SQLITE_OK { code } else { part };
            }
        } else if let Some(watched) = watching(file)
            && watched.part == Part::Log
        {
            if strikes(&watched.book.fail_writes) {
                return ffi::SQLITE_FULL;
            }
            watched.book.enter(Entry::LogWritten);
        }
        let inner = inner(file);
        (*(*inner).pMethods).xWrite.unwrap()(inner, from, bytes, at)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file.
    unsafe {
        let watched = watching(file);
        if let Some(watched) = watched {
            if watched.book.disk.is_some() {
                return watched.book.disk().sync(watched.part).unwrap_or(ffi::SQLITE_OK);
            }
            if watched.book.syncs == Syncs::Skipped {
                return ffi::SQLITE_OK;
            }
            if watched.part == Part::Log && strikes(&watched.book.fail_syncs) {
                watched.book.kept(Part::Log);
                return ffi::SQLITE_IOERR_FSYNC;
            }
        }
        let inner = inner(file);
        let code = (*(*inner).pMethods).xSync.unwrap()(inner, flags);
        if let Some(watched) = watched
            && code == ffi::SQLITE_OK
        {
            watched.book.kept(watched.part);
            if watched.part == Part::Log {
                watched.book.enter(Entry::LogSynced);
            }
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: called by SQLite with an open file.
    unsafe {
        if let Some(watched) = watching(file)
            && watched.book.disk.is_some()
        {
            watched.book.disk().truncate(watched.part, size as usize);
        }
        let inner = inner(file);
        (*(*inner).pMethods).xTruncate.unwrap()(inner, size)
    }
}

/// Methods that only go on to the system's.
macro_rules! pass_on {
    ($($name:ident => $method:ident ( $($argument:ident : $type:ty),* ) $(-> $result:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) $(-> $result)? {
            // SAFETY: called by SQLite with an open file; arguments go on as they came.
            unsafe {
                let inner = inner(file);
                (*(*inner).pMethods).$method.unwrap()(inner $(, $argument)*)
            }
        }
    )*};
}

pass_on! {
    read => xRead(to: *mut c_void, bytes: c_int, at: i64) -> c_int;
    file_size => xFileSize(size: *mut i64) -> c_int;
    lock => xLock(level: c_int) -> c_int;
    unlock => xUnlock(level: c_int) -> c_int;
    check_reserved_lock => xCheckReservedLock(result: *mut c_int) -> c_int;
    file_control => xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size => xSectorSize() -> c_int;
    device_characteristics => xDeviceCharacteristics() -> c_int;
    shm_map => xShmMap(page: c_int, size: c_int, extend: c_int, result: *mut *mut c_void) -> c_int;
    shm_lock => xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    shm_barrier => xShmBarrier();
    shm_unmap => xShmUnmap(delete: c_int) -> c_int;
    fetch => xFetch(at: i64, bytes: c_int, result: *mut *mut c_void) -> c_int;
    unfetch => xUnfetch(at: i64, page: *mut c_void) -> c_int;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};
