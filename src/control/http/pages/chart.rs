//! Bars over time, as SVG: what was raw, masked, refused.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::control::explorer::Tally;
use crate::model::Timestamp;

/// How wide a bar's place is, and how high all of them are, in the units of the picture.
const STEP: usize = 12;
const HEIGHT: u64 = 96;
const FOOT: u64 = 16;

/// A stretch of time in bars of the same length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The beginning of the last bar, in seconds since 1970.
    pub(super) last: i64,
    pub(super) bars: u16,
    pub(super) secs: i64,
}

/// What is counted, by the seconds at which bars of the span begin.
fn gathered(activity: &BTreeMap<i64, Tally>, span: Span) -> Vec<(i64, Tally)> {
    let first = span.last - i64::from(span.bars - 1) * span.secs;
    (0..i64::from(span.bars))
        .map(|bar| {
            let from = first + bar * span.secs;
            let within = activity.range(from..from + span.secs);
            (from, within.fold(Tally::default(), |sum, (_, tally)| sum.and(*tally)))
        })
        .collect()
}

/// `format` names the time of a bar, as `strftime` has it.
pub(super) fn bars(
    title: &str,
    activity: &BTreeMap<i64, Tally>,
    span: Span,
    format: &str,
) -> Markup {
    let bars = gathered(activity, span);
    let highest = bars.iter().map(|(_, tally)| tally.sum()).max().unwrap_or_default().max(1);
    let width = bars.len() * STEP;
    let name = |from: i64| {
        Timestamp::from_second(from).map(|at| at.strftime(format).to_string()).unwrap_or_default()
    };
    let sum = bars.iter().fold(Tally::default(), |sum, (_, tally)| sum.and(*tally));
    let alt = format!(
        "{title}: {} raw, {} masked, {} refused, {} other; at most {highest} at a time",
        sum.raw, sum.masked, sum.refused, sum.other
    );
    html! {
        figure.chart {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {width} {}", HEIGHT + FOOT)) role="img" aria-label=(alt)
                preserveAspectRatio="none" {
                line.axis x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (at, (from, tally)) in bars.iter().enumerate() {
                    g {
                        title { (name(*from)) ": " (words(*tally)) }
                        @for (class, from, high) in stack(*tally, highest) {
                            rect class=(class) x=(at * STEP + 1) width=(STEP - 2)
                                y=(HEIGHT - from - high) height=(high) {}
                        }
                    }
                }
            }
            p.ends {
                span { (bars.first().map(|(from, _)| name(*from)).unwrap_or_default()) }
                span { "most: " (highest) }
                span { (bars.last().map(|(from, _)| name(*from)).unwrap_or_default()) }
            }
        }
    }
}

fn words(tally: Tally) -> String {
    let Tally { raw, masked, refused, other } = tally;
    format!("{raw} raw, {masked} masked, {refused} refused, {other} other")
}

/// Class, height below and height of each part; what is there is seen.
fn stack(tally: Tally, highest: u64) -> Vec<(&'static str, u64, u64)> {
    let Tally { raw, masked, refused, other } = tally;
    let parts = [("raw", raw), ("refused", refused), ("masked", masked), ("other", other)];
    let mut below = 0;
    let mut stacked = Vec::new();
    for (class, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        let high = (count * HEIGHT / highest).max(2).min(HEIGHT - below.min(HEIGHT));
        stacked.push((class, below, high));
        below += high;
    }
    stacked
}

/// What the colours mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend aria-hidden="true" {
            @for class in ["raw", "refused", "masked", "other"] {
                li { svg width="12" height="12" { rect class=(class) width="12" height="12" rx="2" {} }
                    (class) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_gather_into_bars_and_bars_stay_in_the_picture() {
        let hour = |n: i64, raw| (n * 3_600, Tally { raw, masked: 1, ..Tally::default() });
        let activity: BTreeMap<i64, Tally> = [hour(0, 1), hour(23, 2), hour(24, 1_000)].into();
        let span = Span { last: 86_400, bars: 3, secs: 86_400 };
        let sums: Vec<_> = gathered(&activity, span).iter().map(|(_, tally)| tally.sum()).collect();
        assert_eq!(sums, [0, 5, 1_001]);
        for tally in [Tally { raw: 1, masked: 1_000, refused: 1, other: 1 }, Tally::default()] {
            let stacked = stack(tally, 1_003);
            assert!(stacked.iter().all(|(_, from, high)| from + high <= HEIGHT), "{stacked:?}");
        }
        assert_eq!(stack(Tally { raw: 1, masked: 1, refused: 1, other: 1 }, 4).len(), 4);
    }
}
