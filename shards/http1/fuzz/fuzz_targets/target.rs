//! Strict and lossy decoding agree wherever the strict one answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmill_http1::target::{decode_query_value, decode_segment, query_pairs, raw_query_pairs};

fuzz_target!(|raw: &str| {
    assert!(decode_segment(raw).is_none_or(|decoded| decoded.len() <= raw.len()));
    for ((_, strict), (_, lossy)) in raw_query_pairs(raw).zip(query_pairs(raw)) {
        assert!(decode_query_value(strict).is_none_or(|strict| strict == lossy));
    }
});
