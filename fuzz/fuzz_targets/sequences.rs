#![no_main]

mod targets;

use targets::choices::Choices;
use targets::sequences;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sequences::run(&mut Choices::read_from(bytes));
});
