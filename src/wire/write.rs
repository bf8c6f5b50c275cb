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
