//! A notice as a letter: plain text, and headers that no name can add to.

use std::time::SystemTime;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use super::notice::Notice;
use super::words::{details, elsewhere, headline};

/// A letter that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the letter cannot be written: {0}")]
pub struct MailError(#[from] lettre::error::Error);

/// What everybody who is told of a notice gets.
pub struct Letter<'a> {
    pub notice: &'a Notice,
    pub from: &'a Mailbox,
}

impl Letter<'_> {
    /// The letter to one of them. The same notice has the same `Message-ID` always, so that
    /// programs which read mail show it once.
    ///
    /// # Errors
    /// [`MailError`].
    pub fn to(&self, recipient: &Mailbox) -> Result<Message, MailError> {
        let Self { notice, from } = self;
        let message = Message::builder()
            .from((*from).clone())
            .to(recipient.clone())
            .subject(format!("[Keyhole] {}", headline(notice)))
            .date(SystemTime::from(notice.at))
            .message_id(Some(format!("<{}@keyhole>", notice.delivery)))
            .raw_header(header("X-Keyhole-Delivery", notice.delivery.clone()))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(self.body())?;
        Ok(message)
    }

    fn body(&self) -> String {
        let notice = self.notice;
        let mut body = format!("{}\n\n", headline(notice));
        for (label, value) in details(notice) {
            body.push_str(&format!("{label}: {value}\n"));
        }
        body.push_str(&format!("\n{}\n", elsewhere(notice)));
        body
    }
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}
