//! A head that arrives in two pieces gets the verdict it gets in one; only a refusal may come later.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmill_http1::{FieldStorage, Limits, decode_head};

const LIMITS: Limits = Limits { head_bytes_max: 512, fields_max: 8, target_bytes_max: 64 };

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, input) = (usize::from(input.0).min(input.1.len()), input.1);
    let (mut storage, mut early, mut late) = (FieldStorage::new(), FieldStorage::new(), FieldStorage::new());
    let mut scanned = 0;
    let whole = decode_head(input, &mut 0, &LIMITS, &mut storage);
    let split = match decode_head(&input[..cut], &mut scanned, &LIMITS, &mut early) {
        Ok(None) => decode_head(input, &mut scanned, &LIMITS, &mut late),
        decided => decided,
    };
    assert!(whole == split || (whole.is_err() && split == Ok(None)), "{whole:?} but {split:?}");
});
