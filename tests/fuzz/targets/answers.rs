//! See `hyperdex_fuzz::answers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperdex_fuzz::answers::run(data));
