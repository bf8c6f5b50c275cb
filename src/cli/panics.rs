//! What is said of a panic. The message of one is made of whatever was worked on: a slice that is
//! out of bounds repeats the text, and here texts are values and statements.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use super::report;

/// From here on a panic says where it was, and no more than what the code says by itself; with
/// `RUST_BACKTRACE=1` how it got there, too.
pub(super) fn withhold_messages() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let words = words(info.payload());
        if tracing::dispatcher::has_been_set() {
            tracing::error!(%place, "panicked: {words}");
        } else {
            report(format_args!("panicked at {place}: {words}"));
        }
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            report(trace);
        }
    }));
}

/// A message without arguments is a constant of the code.
fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("what it says may repeat data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_data_in_it_is_withheld() {
        let of = |run: fn()| panic::catch_unwind(run).expect_err("it panics");
        let sliced = of(|| {
            let value = std::hint::black_box("secret-é");
            let _ = &value[..8];
        });
        assert_eq!(words(&*sliced), "what it says may repeat data");
        let formatted = of(|| panic!("{}", std::hint::black_box("secret")));
        assert_eq!(words(&*formatted), "what it says may repeat data");
        let constant = of(|| panic!("a constant"));
        assert_eq!(words(&*constant), "a constant");
    }
}
