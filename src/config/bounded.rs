//! Files read with an end. Devices and pipes are refused: they do not say how long they are, and opening one may wait for ever.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// The longest file that is read as one of ours.
pub(super) const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Why there is no text.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) error: Error,
    /// Of what is no UTF-8; counted from 1.
    pub(super) line: Option<usize>,
}

impl From<Error> for Unread {
    fn from(error: Error) -> Unread {
        Unread { error, line: None }
    }
}

/// A file's text.
///
/// # Errors
///
/// As reading a file; and if it is a device, pipe or socket (`InvalidInput`), longer than `bytes_max` (`FileTooLarge`), or no
/// UTF-8 (`InvalidData`).
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<String, Unread> {
    let kind = path.metadata()?.file_type();
    // A folder has an error of its own.
    if !kind.is_file() && !kind.is_dir() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file").into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("it has more than {bytes_max} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, message).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        Unread { error: Error::new(ErrorKind::InvalidData, "it is no UTF-8"), line: Some(line) }
    })
}

/// What to do about what [`read`] says, if that is the same for all files.
pub(super) fn remedy(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::InvalidData => Some("write it in UTF-8"),
        ErrorKind::InvalidInput => Some("name a file, not a device, pipe or socket"),
        _ => None,
    }
}
