#![no_main]

mod targets;

use targets::choices::Choices;
use targets::scram;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    scram::run(&mut Choices::read_from(bytes));
});
