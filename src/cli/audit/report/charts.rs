//! Charts of the page, drawn as SVG in words. Colours are the style sheet's.

use std::fmt::Write;

use jiff::ToSpan;
use jiff::civil::Date;

use super::page::grouped;
use super::sheets::WEEKDAYS;
use crate::audit::report::{Sums, Table, Tally, parts};
use crate::cli::audit::cells::{cut, escaped};

const WIDTH: u32 = 560;
/// Bars of a chart.
const TOP: usize = 10;
/// Bars of time.
const BARS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 30;

/// Parts of a stack: names and classes of the style sheet.
const KEYS: [&str; 3] = ["raw", "masked", "refused"];

/// Statements that showed personal data raw, or would have.
fn stack(tally: &Tally) -> [u64; 3] {
    let Tally { raw, masked, refused, .. } = *tally;
    // One that shows one column raw and another masked is one of the raw ones.
    [raw, masked.min(tally.statements.saturating_sub(raw + refused)), refused]
}

fn sum(stack: [u64; 3]) -> u64 {
    stack.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

fn figure(id: &str, title: &str, told: &str, keys: &[&str], height: u32, drawn: &str) -> String {
    let mut figure = format!("<figure>\n<figcaption>{title}</figcaption>\n");
    if !keys.is_empty() {
        figure.push_str("<p class=\"keys\">");
        for key in keys {
            let _ = write!(
                figure,
                "<span><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\">\
                 <rect class=\"fill-{key}\" width=\"10\" height=\"10\" rx=\"2\"/></svg>{key}</span>"
            );
        }
        figure.push_str("</p>\n");
    }
    let _ = write!(
        figure,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
         <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{}</desc>\n{drawn}</svg>\n\
         </figure>\n",
        escaped(told)
    );
    figure
}

/// A round number that is not less, to divide the axis by four.
fn ceiling(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [4, 8, 12, 20] {
            let edge = unit.saturating_mul(step);
            if edge >= most || edge == u64::MAX {
                return edge;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// How long a part of a whole is.
fn share(part: u64, whole: u64, length: f64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * length }
}

/// Statements of a day, or of some, from the first to the last.
fn buckets(days: &Table) -> Vec<(Date, u32, [u64; 3])> {
    let dated: Vec<(Date, [u64; 3])> = days
        .ranked()
        .rows
        .iter()
        .filter_map(|(day, row)| Some((day.parse().ok()?, stack(&row.tally))))
        .collect();
    let (Some(first), Some(last)) =
        (dated.iter().map(|(day, _)| *day).min(), dated.iter().map(|(day, _)| *day).max())
    else {
        return Vec::new();
    };
    let number = |day: Date| {
        day.since(first).ok().and_then(|span| usize::try_from(span.get_days()).ok()).unwrap_or(0)
    };
    let span = number(last) + 1;
    let each = [1, 7, 28, 91, 364].into_iter().find(|each| span <= each * BARS_MAX).unwrap_or(3640);
    let mut sums = vec![[0; 3]; span.div_ceil(each)];
    for (day, counts) in dated {
        for (sum, count) in sums[number(day) / each].iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let each = u32::try_from(each).unwrap_or(1);
    let bucket = |(at, sum): (usize, [u64; 3])| {
        let day = first.saturating_add(i64::from(each).saturating_mul(at as i64).days());
        (day, each, sum)
    };
    sums.into_iter().enumerate().map(bucket).collect()
}

/// What happened when.
pub(super) fn days(sums: &Sums) -> String {
    const HEIGHT: u32 = 250;
    let (left, top, width, height) = (46.0, 12.0, f64::from(WIDTH) - 52.0, 200.0);
    let buckets = buckets(&sums.days);
    let most = ceiling(buckets.iter().map(|(_, _, counts)| sum(*counts)).max().unwrap_or(0));
    let mut drawn = String::new();
    for quarter in 0..=4 {
        let y = top + height - f64::from(quarter as u32) * height / 4.0;
        let _ = writeln!(
            drawn,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"end\" x=\"{:.0}\" y=\"{:.1}\">{}</text>",
            left + width,
            left - 6.0,
            y + 4.0,
            grouped(most / 4 * quarter)
        );
    }
    let step = width / buckets.len().max(1) as f64;
    let bar = (step * 0.8).min(28.0);
    for (at, (day, each, counts)) in buckets.iter().enumerate() {
        let x = left + step * at as f64 + (step - bar) / 2.0;
        let [raw, masked, refused] = *counts;
        let named = if *each == 1 { format!("{day}") } else { format!("{each} days from {day}") };
        let _ = write!(
            drawn,
            "<g><title>{named}: {raw} raw, {masked} masked, {refused} refused</title>"
        );
        let mut y = top + height;
        for (class, count) in KEYS.iter().zip(counts) {
            let tall = share(*count, most, height);
            y -= tall;
            if *count > 0 {
                let _ = write!(
                    drawn,
                    "<rect class=\"fill-{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" \
                     height=\"{tall:.1}\"/>"
                );
            }
        }
        drawn.push_str("</g>\n");
    }
    if let (Some((first, ..)), Some((last, ..))) = (buckets.first(), buckets.last()) {
        let y = top + height + 20.0;
        let _ = writeln!(drawn, "<text x=\"{left}\" y=\"{y}\">{first}</text>");
        if buckets.len() > 1 {
            let x = left + width;
            let _ = writeln!(drawn, "<text class=\"end\" x=\"{x}\" y=\"{y}\">{last}</text>");
        }
    }
    let [raw, masked, refused] = stack(&sums.all.tally);
    let told = format!(
        "Stacked bars over time: {raw} statements raw, {masked} masked, {refused} refused in all. \
         The table of days has the figures."
    );
    figure("chart-days", "Statements on personal data by day", &told, &KEYS, HEIGHT, &drawn)
}

/// When in the week.
pub(super) fn hours(sums: &Sums) -> String {
    const HEIGHT: u32 = 250;
    let (left, top, wide, tall) = (46, 24, 21, 26);
    let most = sums.hours.iter().flatten().map(|tally| tally.statements).max().unwrap_or(0);
    let mut drawn = String::new();
    for hour in (0..24).step_by(3) {
        let _ = write!(drawn, "<text x=\"{}\" y=\"16\">{hour:02}</text>", left + hour * wide);
    }
    drawn.push('\n');
    for (day, (name, hours)) in WEEKDAYS.iter().zip(&sums.hours).enumerate() {
        let y = top + day * tall;
        let _ = write!(
            drawn,
            "<text class=\"end\" x=\"{}\" y=\"{}\">{}</text>",
            left - 8,
            y + 17,
            &name[..3]
        );
        for (hour, tally) in hours.iter().enumerate() {
            let count = tally.statements;
            // Some at all is told from none.
            let level = share(count, most, 5.0).ceil();
            let _ = write!(
                drawn,
                "<rect class=\"heat h{level:.0}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" \
                 rx=\"2\"><title>{name} {hour:02}:00: {count} statements, {} raw</title></rect>",
                left + hour * wide,
                wide - 2,
                tall - 2,
                tally.raw
            );
        }
        drawn.push('\n');
    }
    let y = top + 7 * tall + 22;
    let _ = writeln!(
        drawn,
        "<text x=\"{left}\" y=\"{y}\">from none to {} statements in an hour of the week, UTC</text>",
        grouped(most)
    );
    let busiest = WEEKDAYS.iter().zip(&sums.hours).flat_map(|(day, hours)| {
        hours.iter().enumerate().map(move |(hour, tally)| (tally.statements, *day, hour))
    });
    let told = match busiest.max_by_key(|(count, ..)| *count).filter(|(count, ..)| *count > 0) {
        Some((count, day, hour)) => format!(
            "A field for each hour of the week. Most statements, {count}, were on {day} at \
             {hour:02}:00. The table of hours has the figures."
        ),
        None => "A field for each hour of the week. There were no statements.".to_owned(),
    };
    figure("chart-hours", "Statements by hour of the week", &told, &[], HEIGHT, &drawn)
}

pub(super) fn columns(sums: &Sums) -> String {
    let ranked = sums.columns.ranked();
    let named = ranked.rows.iter().map(|(key, row)| {
        // Without the schema most are told apart, and all are in the table.
        let (_, column) = parts(key);
        (column.split_once('.').map_or(column, |(_, rest)| rest), &row.tally)
    });
    bars("chart-columns", "Columns shown most", named)
}

pub(super) fn people(sums: &Sums) -> String {
    let ranked = sums.people.ranked();
    let named = ranked.rows.iter().map(|(person, row)| (*person, &row.tally));
    bars("chart-people", "People who were shown most", named)
}

/// Bars from the left, the first of those that touched personal data.
fn bars<'a>(id: &str, title: &str, named: impl Iterator<Item = (&'a str, &'a Tally)>) -> String {
    const TALL: usize = 24;
    let (left, right) = (190.0, 60.0);
    let width = f64::from(WIDTH) - left - right;
    let rows: Vec<(&str, [u64; 3])> = named
        .map(|(name, tally)| (name, stack(tally)))
        .filter(|(_, counts)| sum(*counts) > 0)
        .take(TOP)
        .collect();
    let most = rows.iter().map(|(_, counts)| sum(*counts)).max().unwrap_or(0);
    let mut drawn = String::new();
    let mut told = vec!["Bars by number of statements.".to_owned()];
    for (at, (name, counts)) in rows.iter().enumerate() {
        let [raw, masked, refused] = *counts;
        let y = at * TALL;
        let said = format!("{name}: {raw} raw, {masked} masked, {refused} refused");
        let _ = write!(
            drawn,
            "<g><title>{}</title><text class=\"end name\" x=\"{:.0}\" y=\"{}\">{}</text>",
            escaped(&said),
            left - 8.0,
            y + 16,
            escaped(&cut(name, NAME_CHARS_MAX))
        );
        let mut x = left;
        for (class, count) in KEYS.iter().zip(counts) {
            let long = share(*count, most, width);
            if *count > 0 {
                let _ = write!(
                    drawn,
                    "<rect class=\"fill-{class}\" x=\"{x:.1}\" y=\"{}\" width=\"{long:.1}\" \
                     height=\"{}\"/>",
                    y + 4,
                    TALL - 8
                );
            }
            x += long;
        }
        let _ = writeln!(
            drawn,
            "<text x=\"{:.1}\" y=\"{}\">{}</text></g>",
            x + 6.0,
            y + 16,
            grouped(sum(*counts))
        );
        told.push(said + ".");
    }
    if rows.is_empty() {
        drawn.push_str("<text x=\"0\" y=\"16\">none</text>\n");
    }
    let height = u32::try_from(rows.len().max(1) * TALL + 8).unwrap_or(WIDTH);
    figure(id, title, &told.join(" "), &KEYS, height, &drawn)
}
