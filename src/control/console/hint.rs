//! What to do about an error that does not say so itself.

use crate::control::grammar::HELP_HINT;
use crate::model::SqlState;

/// For every SQLSTATE: no error of the console leaves without a hint.
pub(super) fn hint(state: SqlState) -> &'static str {
    match state {
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "SHOW POLICIES says who may request what, and who approves."
        }
        SqlState::UNDEFINED_OBJECT | SqlState::UNDEFINED_TABLE | SqlState::INVALID_CATALOG_NAME => {
            "SHOW REQUESTS, SHOW GRANTS, SHOW CATALOG and SHOW DATABASES list what there is."
        }
        SqlState::CONNECTION_FAILURE
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::IO_ERROR => {
            "Nothing was changed. /readyz on the HTTP port says what the proxy waits for; try again."
        }
        SqlState::PROGRAM_LIMIT_EXCEEDED
        | SqlState::CONFIGURATION_LIMIT_EXCEEDED
        | SqlState::TOO_MANY_CONNECTIONS => "Try again later, or raise the limit in proxy.toml.",
        SqlState::INVALID_AUTHORIZATION | SqlState::INVALID_PASSWORD => {
            "Log in again: what the configuration says of a user counts at once."
        }
        SqlState::PROTOCOL_VIOLATION => {
            "Commands take no parameters; send each by itself, as psql does."
        }
        SqlState::INTERNAL_ERROR => "This is a mistake of the proxy: its own log says more.",
        // What is left is about the command itself.
        _ => HELP_HINT,
    }
}
