//! Writes messages: every function appends one whole message to a buffer.
//!
//! Functions that take names, text or values return `Err` and leave the buffer as it was if these
//! cannot be a message: a zero byte in a string (`ZeroInString`), more than 65,535 elements
//! (`Count`) or more than 2 GiB (`Length`).

mod backend;
mod frontend;

pub use backend::{
    FieldSpec, authentication_cleartext_password, authentication_ok, authentication_sasl,
    authentication_sasl_continue, authentication_sasl_final, backend_key_data, bind_complete,
    close_complete, command_complete, data_row, empty_query_response, error,
    negotiate_protocol_version, no_data, notice, notification, parameter_description,
    parameter_status, parse_complete, portal_suspended, ready_for_query, row_description,
};
pub use frontend::{
    bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, parse, password, query,
    sasl_initial_response, sasl_response, sync, terminate,
};

use super::WireError;

/// Appends a message of `tag` whose payload `body` writes.
fn message(
    out: &mut Vec<u8>,
    tag: u8,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    out.push(tag);
    let length_word = start(out);
    let written = body(out);
    finish(out, length_word, written).inspect_err(|_| {
        out.pop();
    })
}

/// A message without a payload.
fn bare(out: &mut Vec<u8>, tag: u8) {
    out.extend([tag, 0, 0, 0, 4]);
}

/// Makes room for a length word; gives its place.
pub(super) fn start(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend([0; 4]);
    at
}

/// Fills in the length word at `at`, or takes everything from there on back.
pub(super) fn finish(
    out: &mut Vec<u8>,
    at: usize,
    written: Result<(), WireError>,
) -> Result<(), WireError> {
    let length =
        written.and_then(|()| i32::try_from(out.len() - at).map_err(|_| WireError::Length));
    match length {
        Ok(length) => {
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(at);
            Err(error)
        }
    }
}

/// Appends a zero-terminated string.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) -> Result<(), WireError> {
    if text.contains(&0) {
        return Err(WireError::ZeroInString);
    }
    out.extend(text);
    out.push(0);
    Ok(())
}

/// Appends a number of elements and then each of them.
fn counted<T>(
    out: &mut Vec<u8>,
    elements: impl IntoIterator<Item = T>,
    mut element: impl FnMut(&mut Vec<u8>, T) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let at = out.len();
    out.extend([0; 2]);
    let mut count: u16 = 0;
    for each in elements {
        count = count.checked_add(1).ok_or(WireError::Count)?;
        element(out, each)?;
    }
    out[at..at + 2].copy_from_slice(&count.to_be_bytes());
    Ok(())
}

/// Appends a value under its length; None is NULL.
fn value(out: &mut Vec<u8>, value: Option<&[u8]>) -> Result<(), WireError> {
    let Some(bytes) = value else {
        out.extend((-1_i32).to_be_bytes());
        return Ok(());
    };
    out.extend(i32::try_from(bytes.len()).map_err(|_| WireError::Length)?.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Report, SqlState};
    use crate::wire::TxStatus;
    use crate::wire::backend::{Authentication, ErrorFields, authentication};

    #[test]
    fn what_cannot_be_a_message_leaves_the_buffer_alone() {
        let mut out = b"before".to_vec();
        let many = || std::iter::repeat_n(None, 65_536);
        let zero = Err(WireError::ZeroInString);
        assert_eq!(query(&mut out, "select 1\0; select 2"), zero);
        assert_eq!(parse(&mut out, "s", "a\0", [23]), zero);
        assert_eq!(bind(&mut out, "p", "s\0", [], [], []), zero);
        assert_eq!(execute(&mut out, "\0", 0), zero);
        assert_eq!(command_complete(&mut out, "SELECT\0"), zero);
        assert_eq!(password(&mut out, b"a\0b"), zero);
        assert_eq!(bind(&mut out, "", "", [], many(), []), Err(WireError::Count));
        assert_eq!(data_row(&mut out, many()), Err(WireError::Count));
        assert_eq!(backend_key_data(&mut out, 1, &[]), Err(WireError::Length));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_report_carries_severity_state_and_texts() {
        let report = Report::fatal(SqlState::INVALID_PASSWORD, "no\0way").detail("d").hint("h");
        let mut out = Vec::new();
        error(&mut out, &report);
        assert_eq!(out, b"E\0\0\0\x28SFATAL\0VFATAL\0C28P01\0Mno way\0Dd\0Hh\0\0");

        out.clear();
        notice(&mut out, &Report::notice("é".repeat(100_000)));
        assert_eq!(out[0], b'N');
        let fields = ErrorFields::read(&out[5..]).unwrap();
        assert_eq!(fields.get(b'S'), Some(&b"NOTICE"[..]));
        assert_eq!(fields.get(b'C'), Some(&b"00000"[..]));
        let text = std::str::from_utf8(fields.get(b'M').unwrap()).unwrap();
        assert_eq!(text.len(), 65_536, "long texts are cut between characters");
    }

    #[test]
    fn fixed_messages_have_the_protocols_bytes() {
        type Write = fn(&mut Vec<u8>);
        for (write, bytes) in [
            (parse_complete as Write, &b"1\0\0\0\x04"[..]),
            (bind_complete, b"2\0\0\0\x04"),
            (close_complete, b"3\0\0\0\x04"),
            (no_data, b"n\0\0\0\x04"),
            (portal_suspended, b"s\0\0\0\x04"),
            (empty_query_response, b"I\0\0\0\x04"),
            (|out| ready_for_query(out, TxStatus::Idle), b"Z\0\0\0\x05I"),
            (|out| ready_for_query(out, TxStatus::InTransaction), b"Z\0\0\0\x05T"),
            (|out| ready_for_query(out, TxStatus::Failed), b"Z\0\0\0\x05E"),
            (authentication_ok, b"R\0\0\0\x08\0\0\0\0"),
            (authentication_cleartext_password, b"R\0\0\0\x08\0\0\0\x03"),
            (flush, b"H\0\0\0\x04"),
            (sync, b"S\0\0\0\x04"),
            (terminate, b"X\0\0\0\x04"),
            (copy_done, b"c\0\0\0\x04"),
        ] {
            let mut out = Vec::new();
            write(&mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn login_messages_have_the_protocols_bytes() {
        let mut out = Vec::new();
        authentication_sasl(&mut out, ["SCRAM-SHA-256"]).unwrap();
        assert_eq!(out, b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
        out.clear();
        authentication_sasl_continue(&mut out, b"r=x").unwrap();
        assert_eq!(authentication(&out[5..]), Ok(Authentication::SaslContinue(b"r=x")));
        out.clear();
        authentication_sasl_final(&mut out, b"v=y").unwrap();
        assert_eq!(authentication(&out[5..]), Ok(Authentication::SaslFinal(b"v=y")));
        out.clear();
        negotiate_protocol_version(&mut out, 2, ["_pq_.a"]).unwrap();
        assert_eq!(out, b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.a\0");
        out.clear();
        backend_key_data(&mut out, 258, b"abcd").unwrap();
        assert_eq!(out, b"K\0\0\0\x0c\0\0\x01\x02abcd");
        out.clear();
        parameter_status(&mut out, "TimeZone", "UTC").unwrap();
        assert_eq!(out, b"S\0\0\0\x11TimeZone\0UTC\0");
        out.clear();
        notification(&mut out, 1, b"c", b"p").unwrap();
        assert_eq!(out, b"A\0\0\0\x0c\0\0\0\x01c\0p\0");
        out.clear();
        sasl_initial_response(&mut out, "X", Some(b"n,,")).unwrap();
        assert_eq!(out, b"p\0\0\0\x0dX\0\0\0\0\x03n,,");
    }
}
