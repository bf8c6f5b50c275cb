use super::{bare, counted, message, string, value};
use crate::model::{Oid, Report};
use crate::wire::WireError;
use crate::wire::backend::{Field, SECRET_LEN_MAX, TxStatus, tag};

/// What a RowDescription is written from: a column as [`Field`] reads it.
pub use crate::wire::backend::Field as FieldSpec;

/// An ErrorResponse, whatever the report's severity. Never fails, as it is the last resort.
pub fn error(out: &mut Vec<u8>, report: &Report) {
    write_report(out, tag::ERROR_RESPONSE, report);
}

/// A NoticeResponse. Never fails.
pub fn notice(out: &mut Vec<u8>, report: &Report) {
    write_report(out, tag::NOTICE_RESPONSE, report);
}

/// The longest text of one field of a report; what is longer is cut.
const REPORT_TEXT_LEN_MAX: usize = 64 * 1024;

fn write_report(out: &mut Vec<u8>, tag: u8, report: &Report) {
    let Report { severity, state, message: text, detail, hint, position } = report;
    let position = position.map(|position| position.to_string());
    let fields = [
        (b'S', Some(severity.as_str())),
        (b'V', Some(severity.as_str())),
        (b'C', Some(state.as_str())),
        (b'M', Some(text.as_str())),
        (b'D', detail.as_deref()),
        (b'H', hint.as_deref()),
        (b'P', position.as_deref()),
    ];
    let written = message(out, tag, |out| {
        for (code, text) in fields {
            let Some(text) = text else { continue };
            out.push(code);
            let cut = &text[..text.floor_char_boundary(REPORT_TEXT_LEN_MAX)];
            // A zero byte would end the field early.
            out.extend(cut.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
            out.push(0);
        }
        out.push(0);
        Ok(())
    });
    debug_assert_eq!(written, Ok(()), "the fields are shorter than a message may be");
}

pub fn row_description<'f>(
    out: &mut Vec<u8>,
    fields: impl IntoIterator<Item = Field<'f>>,
) -> Result<(), WireError> {
    message(out, tag::ROW_DESCRIPTION, |out| {
        counted(out, fields, |out, field| {
            let Field { name, relation, column, type_oid, type_len, typmod, format } = field;
            string(out, name)?;
            out.extend(relation.to_be_bytes());
            out.extend(column.to_be_bytes());
            out.extend(type_oid.to_be_bytes());
            out.extend(type_len.to_be_bytes());
            out.extend(typmod.to_be_bytes());
            out.extend(format.to_be_bytes());
            Ok(())
        })
    })
}

pub fn data_row<'v>(
    out: &mut Vec<u8>,
    values: impl IntoIterator<Item = Option<&'v [u8]>>,
) -> Result<(), WireError> {
    message(out, tag::DATA_ROW, |out| counted(out, values, value))
}

pub fn parameter_description(
    out: &mut Vec<u8>,
    types: impl IntoIterator<Item = Oid>,
) -> Result<(), WireError> {
    message(out, tag::PARAMETER_DESCRIPTION, |out| {
        counted(out, types, |out, oid| {
            out.extend(oid.to_be_bytes());
            Ok(())
        })
    })
}

pub fn command_complete(out: &mut Vec<u8>, command_tag: &str) -> Result<(), WireError> {
    message(out, tag::COMMAND_COMPLETE, |out| string(out, command_tag.as_bytes()))
}

pub fn ready_for_query(out: &mut Vec<u8>, status: TxStatus) {
    let status = match status {
        TxStatus::Idle => b'I',
        TxStatus::InTransaction => b'T',
        TxStatus::Failed => b'E',
    };
    out.extend([tag::READY_FOR_QUERY, 0, 0, 0, 5, status]);
}

pub fn parameter_status(out: &mut Vec<u8>, name: &str, setting: &str) -> Result<(), WireError> {
    message(out, tag::PARAMETER_STATUS, |out| {
        string(out, name.as_bytes())?;
        string(out, setting.as_bytes())
    })
}

pub fn backend_key_data(out: &mut Vec<u8>, pid: i32, secret: &[u8]) -> Result<(), WireError> {
    message(out, tag::BACKEND_KEY_DATA, |out| {
        if secret.is_empty() || secret.len() > SECRET_LEN_MAX {
            return Err(WireError::Length);
        }
        out.extend(pid.to_be_bytes());
        out.extend(secret);
        Ok(())
    })
}

pub fn notification(
    out: &mut Vec<u8>,
    pid: i32,
    channel: &[u8],
    payload: &[u8],
) -> Result<(), WireError> {
    message(out, tag::NOTIFICATION_RESPONSE, |out| {
        out.extend(pid.to_be_bytes());
        string(out, channel)?;
        string(out, payload)
    })
}

pub fn parse_complete(out: &mut Vec<u8>) {
    bare(out, tag::PARSE_COMPLETE);
}

pub fn bind_complete(out: &mut Vec<u8>) {
    bare(out, tag::BIND_COMPLETE);
}

pub fn close_complete(out: &mut Vec<u8>) {
    bare(out, tag::CLOSE_COMPLETE);
}

pub fn no_data(out: &mut Vec<u8>) {
    bare(out, tag::NO_DATA);
}

pub fn portal_suspended(out: &mut Vec<u8>) {
    bare(out, tag::PORTAL_SUSPENDED);
}

pub fn empty_query_response(out: &mut Vec<u8>) {
    bare(out, tag::EMPTY_QUERY_RESPONSE);
}

pub fn authentication_ok(out: &mut Vec<u8>) {
    out.extend([tag::AUTHENTICATION, 0, 0, 0, 8, 0, 0, 0, 0]);
}

pub fn authentication_cleartext_password(out: &mut Vec<u8>) {
    out.extend([tag::AUTHENTICATION, 0, 0, 0, 8, 0, 0, 0, 3]);
}

pub fn authentication_sasl<'m>(
    out: &mut Vec<u8>,
    mechanisms: impl IntoIterator<Item = &'m str>,
) -> Result<(), WireError> {
    message(out, tag::AUTHENTICATION, |out| {
        out.extend(10_u32.to_be_bytes());
        mechanisms.into_iter().try_for_each(|name| string(out, name.as_bytes()))?;
        out.push(0);
        Ok(())
    })
}

pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) -> Result<(), WireError> {
    authentication_data(out, 11, data)
}

pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) -> Result<(), WireError> {
    authentication_data(out, 12, data)
}

fn authentication_data(out: &mut Vec<u8>, code: u32, data: &[u8]) -> Result<(), WireError> {
    message(out, tag::AUTHENTICATION, |out| {
        out.extend(code.to_be_bytes());
        out.extend(data);
        Ok(())
    })
}

/// The minor version of protocol 3 that will be spoken, and the options that are not known.
/// PostgreSQL sends the whole version where the protocol chapter says "minor version", and never
/// one that is newer than what the client asked for: libpq takes that for an error.
pub fn negotiate_protocol_version<'o>(
    out: &mut Vec<u8>,
    minor: u16,
    options: impl IntoIterator<Item = &'o str>,
) -> Result<(), WireError> {
    message(out, tag::NEGOTIATE_PROTOCOL_VERSION, |out| {
        out.extend(((3 << 16) | u32::from(minor)).to_be_bytes());
        let at = out.len();
        out.extend([0; 4]);
        let mut count: u32 = 0;
        for option in options {
            count = count.checked_add(1).ok_or(WireError::Count)?;
            string(out, option.as_bytes())?;
        }
        out[at..at + 4].copy_from_slice(&count.to_be_bytes());
        Ok(())
    })
}
