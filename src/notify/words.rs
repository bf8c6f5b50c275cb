//! The words of a notice for people: a headline, and what else there is to say, line by line.

use std::time::Duration;

use super::notice::{Access, Notice};
use crate::config::NoticeKind;
use crate::model::show_duration;

/// Characters; names of PostgreSQL's are shorter, and shapes of conditions are cut.
const TEXT_CHARS_MAX: usize = 300;
const TICKET_LEN_MAX: usize = 64;

/// The text as it may be shown anywhere: what would end a line, turn the reading direction or hide
/// in it is replaced, and what is too long is cut.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(TEXT_CHARS_MAX).map(visible).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn visible(c: char) -> char {
    let hidden = c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    if hidden { '\u{fffd}' } else { c }
}

/// Whether it is a number in a tracker rather than a sentence about somebody.
pub(super) fn is_safe_ticket(ticket: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '#' | '/' | '.');
    !ticket.is_empty() && ticket.len() <= TICKET_LEN_MAX && ticket.chars().all(safe)
}

/// One line that says what happened.
pub(super) fn headline(notice: &Notice) -> String {
    shown(&sentence(notice))
}

fn sentence(notice: &Notice) -> String {
    let by = notice.by.as_deref().unwrap_or("keyhole");
    let number =
        |what, id: Option<u64>| id.map_or(format!("a {what}"), |id| format!("{what} {id}"));
    let (request, grant) = (number("request", notice.request), number("grant", notice.grant));
    let access = notice.access.as_ref();
    let who = access.map_or("somebody", |access| access.subject.as_str());
    let what = access.map_or_else(|| "access".to_owned(), what);
    match notice.event {
        NoticeKind::Requested => format!("{who} asks for {what} ({request})"),
        NoticeKind::Approved => format!("{by} approved {request}: {what} for {who}"),
        NoticeKind::Denied => format!("{by} denied {request}: {what} for {who}"),
        NoticeKind::Cancelled => format!("{who} took back {request}: {what}"),
        NoticeKind::Lapsed => format!("nobody decided on {request}: {what} for {who}"),
        NoticeKind::Granted => format!("{who} has {what} ({grant})"),
        NoticeKind::BreakGlass => {
            format!("BREAK-GLASS: {who} has {what} ({grant}), which has to be reviewed")
        }
        NoticeKind::Extended => format!("{grant} lasts longer: {what} for {who}"),
        NoticeKind::Reviewed => format!("{by} has reviewed {grant}: {what} for {who}"),
        NoticeKind::Exhausted => format!("{grant} is used up: {what} for {who}"),
        NoticeKind::Revoked => format!("{by} revoked {grant}: {what} for {who}"),
        NoticeKind::Expired => format!("{grant} has expired: {what} for {who}"),
        NoticeKind::Signal => match &notice.signal {
            Some(signal) => {
                let who = signal.user.as_deref().unwrap_or("somebody");
                format!("{} signal: {} by {who}", signal.severity, signal.rule)
            }
            None => "a signal".to_owned(),
        },
    }
}

fn what(access: &Access) -> String {
    format!("{} on {}", access.actions.join(", "), access.resource)
}

/// Everything else, as label and text.
pub(super) fn details(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(access) = &notice.access {
        let database = access.database.clone().unwrap_or_else(|| "every database".to_owned());
        lines.push(("Database", database));
        lines.push(("Resource", access.resource.clone()));
        lines.extend(access.class.clone().map(|class| ("Class", class)));
        lines.push(("Actions", access.actions.join(", ")));
        let every = || "every row".to_owned();
        let shape = access.rows.shape.as_ref();
        lines.push(("Rows", shape.map_or_else(every, |shape| format!("only where {shape}"))));
        let length = access.duration_secs.map(|secs| show_duration(Duration::from_secs(secs)));
        lines.extend(length.map(|length| ("Duration", length)));
        lines.extend(access.not_before.map(|at| ("From", at.to_string())));
        lines.extend(access.expires_at.map(|at| ("Until", at.to_string())));
        let first = access.from_first_use_secs.map(|secs| show_duration(Duration::from_secs(secs)));
        lines.extend(first.map(|span| ("From its first use", span)));
        lines.extend(access.conditions.clone().map(|words| ("Only", words)));
        lines.extend(access.limits.clone().map(|words| ("Limits", words)));
        lines.push(("Requester", access.requester.clone()));
        lines.extend(access.policy.clone().map(|policy| ("Policy", policy)));
    }
    if let Some(approval) = &notice.approval {
        lines.push(("Approvals", format!("{} of {}", approval.given, approval.needed)));
        if !approval.approvers.is_empty() {
            lines.push(("May approve", shown(&approval.approvers.join(", "))));
        }
        if !approval.approved_by.is_empty() {
            lines.push(("Approved by", shown(&approval.approved_by.join(", "))));
        }
    }
    if let Some(signal) = &notice.signal {
        let figures = signal.figures.iter().map(|(name, count)| format!("{name} {count}"));
        lines.push(("Figures", figures.collect::<Vec<_>>().join(", ")));
        lines.extend(signal.session.map(|session| ("Session", session.to_string())));
        let records: Vec<_> = signal.records.iter().map(u64::to_string).collect();
        lines.push(("Records", shown(&records.join(", "))));
        lines.push(("Done", signal.actions.join(", ")));
        lines.push(("Since", signal.since.to_string()));
    }
    lines.extend(notice.ticket.clone().map(|ticket| ("Ticket", ticket)));
    lines.push(("Time", notice.at.to_string()));
    lines
}

/// Where what is not told can be read.
pub(super) fn elsewhere(notice: &Notice) -> String {
    match (&notice.link, notice.event) {
        (_, NoticeKind::Signal) => {
            "The records of the audit log say the rest; SHOW RESTRICTIONS says who is restricted."
                .to_owned()
        }
        (Some(link), NoticeKind::Requested) => {
            format!("The reason is not sent. Read it, and decide, at {link}")
        }
        (Some(link), _) => format!("The reason is not sent. Read it at {link}"),
        (None, _) => {
            "The reason is not sent. Read it with SHOW REQUESTS or SHOW GRANTS in the console."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_in_what_is_shown() {
        for (text, expected) in [
            ("alice", "alice"),
            ("a\r\nBcc: eve@example.com", "a��Bcc: eve@example.com"),
            ("abc\u{202e}def\u{2066}", "abc�def�"),
            ("zero\u{200b}width\u{feff}", "zero�width�"),
            ("tab\tnul\0", "tab�nul�"),
            ("Ж日本 é", "Ж日本 é"),
        ] {
            assert_eq!(shown(text), expected);
        }
        let long = shown(&"x".repeat(5000));
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn tickets_are_numbers_of_trackers() {
        for (ticket, safe) in [
            ("INC-42", true),
            ("org/repo#17", true),
            ("v1.2_3", true),
            ("", false),
            ("refund for Jane Doe", false),
            ("jane@example.com", false),
            ("Ж-1", false),
            ("<!channel>", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_safe_ticket(ticket), safe, "{ticket}");
        }
        assert!(is_safe_ticket(&"x".repeat(64)) && !is_safe_ticket(&"x".repeat(65)));
    }
}
