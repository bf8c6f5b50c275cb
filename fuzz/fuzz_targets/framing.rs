#![no_main]

mod targets;

use targets::choices::Choices;
use targets::framing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    framing::read_all(bytes);
    framing::run(&mut Choices::read_from(bytes));
});
