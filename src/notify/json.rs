//! The payload of webhooks with `format = "json"`: the fields of [`Notice`], each always there but `signal`.

use super::notice::Notice;

/// The body of one delivery.
pub fn payload(notice: &Notice) -> String {
    // Texts, numbers and times: nothing in it can fail to be written.
    serde_json::to_string(notice).unwrap_or_default()
}
