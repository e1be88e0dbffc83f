//! A chunked body that arrives in two pieces is the body it is in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmill_http1::{BodyDecoder, BodyFraming};

const BODY_BYTES_MAX: usize = 256;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, input) = (usize::from(input.0).min(input.1.len()), input.1);
    let (mut whole, mut split) =
        (BodyDecoder::new(BodyFraming::Chunked), BodyDecoder::new(BodyFraming::Chunked));
    let (mut whole_body, mut split_body) = (vec![], vec![]);
    let at_once = whole.decode(input, &mut whole_body, BODY_BYTES_MAX);
    let _ = split.decode(&input[..cut], &mut split_body, BODY_BYTES_MAX);
    let at_last = split.decode(&input[cut..], &mut split_body, BODY_BYTES_MAX);
    assert_eq!((whole, whole_body, at_once.is_err()), (split, split_body, at_last.is_err()));
});
