//! See `hyperdex_fuzz::shares`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperdex_fuzz::shares::run(data));
