//! See `hyperdex_fuzz::lighter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hyperdex_fuzz::lighter::run(data));
