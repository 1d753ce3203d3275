//! See `tests/parsers/entries.rs`.
#![no_main]

#[allow(dead_code, reason = "each target uses its part")]
#[path = "../../tests/parsers/entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::a_ref(bytes));
