#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| linchpin_fuzz_props::proxy(input));
