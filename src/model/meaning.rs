//! What each SQLSTATE of the proxy's own means, and what to do about it: the reference of errors.

use super::report::SqlState;

/// Of one SQLSTATE, as far as the proxy itself says it; PostgreSQL's own mean what they always do.
#[derive(Clone, Copy, Debug)]
pub struct Meaning {
    pub state: SqlState,
    pub when: &'static str,
    pub remedy: &'static str,
}

const fn meaning(state: SqlState, when: &'static str, remedy: &'static str) -> Meaning {
    Meaning { state, when, remedy }
}

/// Every SQLSTATE that the proxy says by itself, in their order.
pub const MEANINGS: [Meaning; 24] = [
    meaning(
        SqlState::CONNECTION_FAILURE,
        "the database, the directory or the issuer of tokens is out of reach, or the database \
         closed the connection",
        "try again; the proxy's log and /readyz say which of them it is",
    ),
    meaning(
        SqlState::PROTOCOL_VIOLATION,
        "a message that PostgreSQL's protocol does not know in this place",
        "look at the driver, or at what stands between it and the proxy",
    ),
    meaning(
        SqlState::FEATURE_NOT_SUPPORTED,
        "something that the proxy cannot do, such as TLS that is not configured, or PAUSE",
        "the HINT names another way",
    ),
    meaning(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        "a text that is not in the encoding it claims",
        "send UTF-8, or set client_encoding to what is sent",
    ),
    meaning(
        SqlState::INVALID_PARAMETER_VALUE,
        "a request, a GRANT or a configuration says something that cannot be meant",
        "the message names the field and what is expected",
    ),
    meaning(
        SqlState::IDLE_IN_TRANSACTION_TIMEOUT,
        "a session rested in a transaction for longer than idle_in_transaction_timeout in [data]",
        "connect again; end transactions",
    ),
    meaning(
        SqlState::INVALID_AUTHORIZATION,
        "nobody is let in this way: no TLS where it is required, no rule, no role \"control\", a \
         group that is missing, a certificate or token that does not fit",
        "DETAIL and HINT say which; [[login]], [[user]] and [[group]] decide",
    ),
    meaning(
        SqlState::INVALID_PASSWORD,
        "the password, or token, is wrong, or there is no such user",
        "several wrong ones slow down further ones; wait, and try the right one",
    ),
    meaning(
        SqlState::INVALID_CATALOG_NAME,
        "no [[database]] has this name",
        "SHOW DATABASES on the console lists them",
    ),
    meaning(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "personal data is touched in a way that masks cannot serve, without a covering grant; a \
         grant ended while its result was sent; a policy says no; nobody approves their own",
        "DETAIL says why, HINT is a statement that asks for access",
    ),
    meaning(
        SqlState::SYNTAX_ERROR,
        "a statement that mentions personal data cannot be parsed, or text that is no command of \
         the console",
        "the position is told; on the console, SHOW HELP",
    ),
    meaning(
        SqlState::UNDEFINED_OBJECT,
        "no such request, grant, session, column or table",
        "SHOW REQUESTS, SHOW GRANTS, SHOW SESSIONS or keyhole.catalog lists what there is",
    ),
    meaning(
        SqlState::UNDEFINED_TABLE,
        "a name in a statement over personal data that cannot be resolved for certain",
        "qualify it with its schema",
    ),
    meaning(
        SqlState::TOO_MANY_CONNECTIONS,
        "more clients than connections_max, connections_per_user or connections_per_address allow",
        "the HINT names the limit",
    ),
    meaning(
        SqlState::CONFIGURATION_LIMIT_EXCEEDED,
        "more values looked up in a minute than lookups_per_minute in [enforcement] allows",
        "wait a minute",
    ),
    meaning(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "a message longer than frame_len_max, too many prepared statements, or more changes than \
         the store takes",
        "send less at a time",
    ),
    meaning(
        SqlState::STATEMENT_TOO_COMPLEX,
        "a statement over personal data with more tokens or deeper nesting than is looked into",
        "split it",
    ),
    meaning(
        SqlState::OBJECT_IN_USE,
        "over HTTP: a request with the same Idempotency-Key is still under way",
        "ask again in a moment",
    ),
    meaning(
        SqlState::QUERY_CANCELED,
        "the client cancelled while the proxy held the statement back, or its login took too long",
        "login_timeout in [data] is the limit of a login",
    ),
    meaning(
        SqlState::ADMIN_SHUTDOWN,
        "KILL SESSION, a drain, a token of a login that expired, or a first catalog that was loaded",
        "connect again",
    ),
    meaning(
        SqlState::CANNOT_CONNECT_NOW,
        "the proxy is not ready: the schema of the database could not be read",
        "/readyz says what it waits for",
    ),
    meaning(
        SqlState::IDLE_SESSION_TIMEOUT,
        "a session rested for longer than idle_timeout in [data]",
        "connect again",
    ),
    meaning(
        SqlState::IO_ERROR,
        "the audit log cannot be written: nothing raw is shown without a record",
        "look at the disk of [audit] dir; /readyz and the log say more",
    ),
    meaning(
        SqlState::INTERNAL_ERROR,
        "a mistake of the proxy",
        "its log says more; please report it",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants themselves, read from their file.
    #[test]
    fn every_sqlstate_has_its_meaning_once_and_in_order() {
        let source = include_str!("report.rs");
        let mut constants: Vec<&str> = source
            .lines()
            .filter(|line| line.trim_start().starts_with("pub const "))
            .filter_map(|line| line.split("(*b\"").nth(1)?.get(..5))
            .collect();
        constants.sort_unstable();
        let told: Vec<String> =
            MEANINGS.iter().map(|meaning| meaning.state.as_str().to_owned()).collect();
        assert_eq!(told, constants);
        assert!(MEANINGS.iter().all(|one| !one.when.is_empty() && !one.remedy.is_empty()));
    }
}
