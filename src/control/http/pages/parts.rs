//! What pages are made of.

use std::time::Duration;

use maud::{Markup, html};

use super::super::sign_in::{FORM_TOKEN, SignedIn};
use super::form::Fields;
use crate::grant::{GrantState, RequestState};
use crate::model::{Timestamp, show_duration};

/// How a badge looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Wait,
    Bad,
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "badge good",
            Self::Wait => "badge wait",
            Self::Bad => "badge bad",
            Self::Plain => "badge",
        }
    }
}

pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class=(tone.class()) { (word) } }
}

pub(super) fn grant_state(state: GrantState) -> Markup {
    let tone = match state {
        GrantState::Active => Tone::Good,
        GrantState::Scheduled => Tone::Wait,
        GrantState::Standing | GrantState::Expired | GrantState::Exhausted => Tone::Plain,
        GrantState::Revoked => Tone::Bad,
    };
    badge(tone, state.as_str())
}

pub(super) fn request_state(state: RequestState) -> Markup {
    let tone = match state {
        RequestState::Pending => Tone::Wait,
        RequestState::Approved => Tone::Good,
        RequestState::Denied => Tone::Bad,
        RequestState::Cancelled | RequestState::Lapsed => Tone::Plain,
    };
    badge(tone, state.as_str())
}

/// A moment, in UTC as everywhere in the log.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M")) " UTC" } }
}

/// The time that is left, which a script counts down.
pub(super) fn left(until: Timestamp, now: Timestamp, what: &str) -> Markup {
    html! {
        time.left datetime=(until) data-until=(until.as_millisecond()) data-what=(what) {
            (words_left(until, now))
        }
    }
}

fn words_left(until: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(until.duration_since(now)) {
        Ok(left) if !left.is_zero() => format!("{} left", rough(left)),
        Ok(_) | Err(_) => "over".to_owned(),
    }
}

/// Without what nobody looks at: `1h 20min`, `12min`, `40s`.
pub(super) fn rough(duration: Duration) -> String {
    let secs = duration.as_secs();
    let unit = match secs {
        0..=59 => 1,
        60..=86_399 => 60,
        _ => 3_600,
    };
    show_duration(Duration::from_secs(secs / unit * unit))
}

/// How long ago.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let since = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    let words =
        if since.as_secs() == 0 { "now".to_owned() } else { format!("{} ago", rough(since)) };
    html! { time datetime=(at) title=(at.strftime("%Y-%m-%d %H:%M:%S UTC")) { (words) } }
}

/// Terms with what is said of each; what is empty is left out.
pub(super) fn facts(list: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (term, said) in list.iter().filter(|(_, said)| !said.0.is_empty()) {
                div { dt { (term) } dd { (said) } }
            }
        }
    }
}

pub(super) fn text(text: &str) -> Markup {
    html! { (text) }
}

pub(super) fn maybe(text: Option<&impl ToString>) -> Markup {
    html! { @if let Some(text) = text { (text.to_string()) } }
}

pub(super) fn code(text: &str) -> Markup {
    html! { code { (text) } }
}

/// What went wrong, in the page.
pub(super) fn trouble(words: &str) -> Markup {
    html! { @if !words.is_empty() { div.trouble role="alert" { p { (words) } } } }
}

pub(super) fn nothing(words: &str) -> Markup {
    html! { p.nothing { (words) } }
}

/// A table in a box of its own, which scrolls where there is no room.
pub(super) fn table(label: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (head, cell) in heads.iter().zip(row) {
                            td data-head=(head) { (cell) }
                        } }
                    }
                }
            }
        }
    }
}

/// What every form that is posted carries.
pub(super) fn ours(who: &SignedIn) -> Markup {
    html! { @if let Some(token) = &who.form_token {
        input type="hidden" name=(FORM_TOKEN) value=(token);
    } }
}

/// One more field of a form: its label, its name, what stands in it, and a word about it.
pub(super) fn field(label: &str, name: &str, value: &str, hint: &str) -> Markup {
    html! {
        label.field {
            span { (label) }
            input type="text" name=(name) value=(value) placeholder=(hint) maxlength="1000"
                autocomplete="off";
        }
    }
}

/// A field without which the form makes no sense.
pub(super) fn needed(label: &str, name: &str, value: &str, hint: &str) -> Markup {
    html! {
        label.field {
            span { (label) }
            input type="text" name=(name) value=(value) placeholder=(hint) maxlength="1000"
                autocomplete="off" required;
        }
    }
}

/// A box that is ticked if the form that was sent said so.
pub(super) fn tick(label: &str, name: &str, value: &str, said: &Fields) -> Markup {
    html! {
        label.tick {
            input type="checkbox" name=(name) value=(value) checked[said.has(name, value)];
            span { (label) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_roughly() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, words) in [
            (100, "over"),
            (99, "over"),
            (140, "40s left"),
            (800, "11min left"),
            (5_000, "1h 21min left"),
            (90_150, "1d 1h left"),
        ] {
            assert_eq!(words_left(at(second), at(100)), words);
        }
    }

    #[test]
    fn what_people_write_is_text_on_a_page() {
        let page = facts(&[("Reason", text("<script>\"&")), ("Ticket", html! {})]).into_string();
        assert!(page.contains("&lt;script&gt;&quot;&amp;") && !page.contains("Ticket"), "{page}");
    }
}
