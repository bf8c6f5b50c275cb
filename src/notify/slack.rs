//! The payload of webhooks with `format = "slack"`: one text for notifications, blocks for the
//! channel. Names cannot mention anybody, link anywhere or look like something else than text.

use serde_json::{Value, json};

use super::notice::Notice;
use super::words::{details, elsewhere, headline};

/// What Slack takes in one section.
const FIELDS_MAX: usize = 10;

/// The body of one delivery.
pub fn payload(notice: &Notice) -> String {
    let headline = text(&headline(notice));
    let mut blocks = vec![json!({"type": "section", "text": markdown(&format!("*{headline}*"))})];
    let fields: Vec<Value> = details(notice)
        .iter()
        .map(|(label, value)| markdown(&format!("*{label}*\n{}", text(value))))
        .collect();
    for fields in fields.chunks(FIELDS_MAX) {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if let Some(link) = &notice.link {
        let label = json!({"type": "plain_text", "text": "Open in Keyhole"});
        let button = json!({"type": "button", "text": label, "url": link});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    blocks.push(json!({"type": "context", "elements": [markdown(&text(&elsewhere(notice)))]}));
    json!({
        "text": headline,
        "blocks": blocks,
        "mrkdwn": false,
        "link_names": false,
        "parse": "none",
        "unfurl_links": false,
        "unfurl_media": false,
    })
    .to_string()
}

/// `verbatim`: addresses and names in it are not made links.
fn markdown(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// As Slack wants it: three characters escaped. What would be set in type (`*bold*`) gets an
/// invisible character before it, and so does the `@` of a mention, for receivers that look for
/// it whatever they are told.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("@\u{200b}"),
            '*' | '~' | '`' => {
                escaped.push('\u{200b}');
                escaped.push(c);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_mentioned() {
        for (raw, expected) in [
            ("<!channel>", "&lt;!channel&gt;"),
            ("<@U024BE7LH>", "&lt;@\u{200b}U024BE7LH&gt;"),
            ("@here & @everyone", "@\u{200b}here &amp; @\u{200b}everyone"),
            ("<https://evil.example|console>", "&lt;https://evil.example|console&gt;"),
            ("*bold*", "\u{200b}*bold\u{200b}*"),
            ("&lt;", "&amp;lt;"),
        ] {
            assert_eq!(text(raw), expected);
        }
    }
}
