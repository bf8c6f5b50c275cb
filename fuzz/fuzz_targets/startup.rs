#![no_main]

mod targets;

use targets::choices::Choices;
use targets::startup;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    startup::read_all(bytes);
    startup::run(&mut Choices::read_from(bytes));
});
