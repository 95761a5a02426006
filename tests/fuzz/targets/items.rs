//! See `hyperdex_fuzz::items`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperdex_fuzz::items::run(data));
