//! `keyhole openapi`: the document of the HTTP API, without a server.

use std::process::ExitCode;

use super::{failed, say};
use crate::control::http::openapi;

pub(super) fn run() -> ExitCode {
    match serde_json::to_string_pretty(&openapi::document()) {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.to_string()),
    }
}
