//! A line on standard error that says something is still going on: after a second, on a terminal
//! only, gone when it is over.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Whatever is over sooner needs no line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two drawings.
const PACE: Duration = Duration::from_millis(120);

const FRAMES: [char; 8] = ['⠋', '⠙', '⠸', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// What is counted, and up to how many if that is known.
#[derive(Clone, Copy)]
struct Counted {
    what: &'static str,
    total: Option<u64>,
}

/// Dropped, it takes its line away.
pub(super) struct Progress {
    counted: Arc<AtomicU64>,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to count; `doing` is what the line says.
    pub(super) fn of(doing: impl Into<String>) -> Self {
        Self::counting(doing, Counted { what: "records", total: None })
    }

    /// Of so many tables.
    pub(super) fn of_tables(doing: impl Into<String>, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        Self::counting(doing, Counted { what: "tables", total: Some(total) })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long it takes is shown, and decides nothing"
    )]
    fn counting(doing: impl Into<String>, counts: Counted) -> Self {
        if !io::stderr().is_terminal() {
            return Self::none();
        }
        let counted = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = channel();
        let (doing, count) = (doing.into(), Arc::clone(&counted));
        let draw = move || {
            let start = Instant::now();
            let mut wait = PATIENCE;
            let mut drawn = 0;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let counted = count.load(Ordering::Relaxed);
                let line = line(drawn, &doing, counted, counts, start.elapsed());
                let mut terminal = io::stderr().lock();
                let _ = write!(terminal, "\r\x1b[K{line}").and_then(|()| terminal.flush());
                drawn += 1;
                wait = PACE;
            }
            if drawn > 0 {
                let mut terminal = io::stderr().lock();
                let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
            }
        };
        // Without a thread there is no line, and all else goes on.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(draw);
        Self { counted, drawing: thread.ok().map(|thread| (stop, thread)) }
    }

    /// [`Progress::of`], for who prints meanwhile: nothing is drawn where that can be seen.
    pub(super) fn beside_output(doing: impl Into<String>) -> Self {
        if io::stdout().is_terminal() { Self::none() } else { Self::of(doing) }
    }

    fn none() -> Self {
        Self { counted: Arc::default(), drawing: None }
    }

    /// One more of what is counted. May be called on any thread.
    pub(super) fn count(&self) {
        if self.drawing.is_some() {
            self.counted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.drawing.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn line(drawn: usize, doing: &str, counted: u64, counts: Counted, since: Duration) -> String {
    let frame = FRAMES[drawn % FRAMES.len()];
    let time = match since.as_secs() {
        secs @ 0..60 => format!("{secs} s"),
        secs => format!("{}:{:02} min", secs / 60, secs % 60),
    };
    match counted {
        0 => format!("{frame} {doing}  {time}"),
        counted => {
            let of = counts.total.map_or(String::new(), |total| format!(" of {}", grouped(total)));
            format!("{frame} {doing}  {}{of} {}, {time}", grouped(counted), counts.what)
        }
    }
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_how_many_and_how_long() {
        let secs = Duration::from_secs;
        let records = Counted { what: "records", total: None };
        assert_eq!(line(0, "waiting", 0, records, secs(2)), "⠋ waiting  2 s");
        assert_eq!(line(9, "reading", 999, records, secs(59)), "⠙ reading  999 records, 59 s");
        assert_eq!(
            line(1, "reading", 1_234_567, records, secs(61)),
            "⠙ reading  1,234,567 records, 1:01 min"
        );
        let tables = Counted { what: "tables", total: Some(1_000) };
        assert_eq!(line(0, "scanning", 7, tables, secs(3)), "⠋ scanning  7 of 1,000 tables, 3 s");
    }

    #[test]
    fn without_a_terminal_nothing_is_counted_or_drawn() {
        let progress = Progress::none();
        progress.count();
        assert_eq!(progress.counted.load(Ordering::Relaxed), 0);
    }
}
