//! See `hyperdex_fuzz::requests`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperdex_fuzz::requests::run(data));
