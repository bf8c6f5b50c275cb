#![no_main]

mod targets;

use targets::choices::Choices;
use targets::values;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| values::run(&mut Choices::read_from(bytes)));
