//! Tables and reports as pgwire's messages.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use futures_util::stream;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;

use super::hint::hint;
use crate::control::table::{Cell, Column, Kind, Table, postgres_micros, postgres_text};
use crate::model::{Report, Severity, SqlState};

/// The columns as RowDescription shows them, in the formats that the client asked for.
///
/// # Errors
/// If the client asked for another number of formats than there are columns.
pub(super) fn fields(columns: &[Column], formats: &Format) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(codes) = formats
        && codes.len() != columns.len()
    {
        return Err(error(Report::error(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message has {} result formats but query has {} columns",
                codes.len(),
                columns.len()
            ),
        )));
    }
    let field = |(index, column): (usize, &Column)| {
        let (datatype, size) = match column.kind {
            Kind::Int8 => (Type::INT8, 8),
            Kind::Text => (Type::TEXT, -1),
            Kind::Timestamptz => (Type::TIMESTAMPTZ, 8),
        };
        FieldInfo::new(column.name.to_owned(), None, None, datatype, formats.format_for(index))
            .with_type_size(size)
    };
    Ok(columns.iter().enumerate().map(field).collect())
}

/// The rows under these fields.
pub(super) fn response(tag: &str, table: &Table, fields: Vec<FieldInfo>) -> QueryResponse {
    let rows: Vec<_> = table.rows.iter().map(|row| Ok(data_row(row, &fields))).collect();
    let mut response = QueryResponse::new(Arc::new(fields), stream::iter(rows));
    response.set_command_tag(tag);
    response
}

fn data_row(row: &[Cell], fields: &[FieldInfo]) -> DataRow {
    let mut out = BytesMut::new();
    for (cell, field) in row.iter().zip(fields) {
        let start = out.len();
        out.put_i32(-1);
        if put(&mut out, cell, field.format()) == Presence::Value {
            // A cell is far shorter than 2 GiB.
            let len = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
            out[start..start + 4].copy_from_slice(&len.to_be_bytes());
        }
    }
    DataRow::new(out, i16::try_from(fields.len()).unwrap_or(i16::MAX))
}

#[derive(PartialEq, Eq)]
enum Presence {
    Value,
    Null,
}

fn put(out: &mut BytesMut, cell: &Cell, format: FieldFormat) -> Presence {
    match (cell, format) {
        (Cell::Null, FieldFormat::Text | FieldFormat::Binary) => return Presence::Null,
        (Cell::Text(text), FieldFormat::Text | FieldFormat::Binary) => out.put(text.as_bytes()),
        (Cell::Int(number), FieldFormat::Text) => out.put(number.to_string().as_bytes()),
        (Cell::Int(number), FieldFormat::Binary) => out.put_i64(*number),
        (Cell::Time(time), FieldFormat::Text) => out.put(postgres_text(*time).as_bytes()),
        (Cell::Time(time), FieldFormat::Binary) => out.put_i64(postgres_micros(*time)),
    }
    Presence::Value
}

/// The report as fields of an ErrorResponse or NoticeResponse.
pub(super) fn info(report: Report) -> ErrorInfo {
    let severity = report.severity.as_str().to_owned();
    let mut info =
        ErrorInfo::new(severity.clone(), report.state.as_str().to_owned(), report.message);
    info.severity_nonlocalized = Some(severity);
    info.detail = report.detail;
    info.hint = match report.severity {
        Severity::Error => report.hint.or_else(|| Some(hint(report.state).to_owned())),
        Severity::Fatal | Severity::Notice => report.hint,
    };
    info
}

pub(super) fn error(report: Report) -> PgWireError {
    PgWireError::UserError(Box::new(info(report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::int("id"), Column::text("name"), Column::time("at")];

    fn bytes(row: &[Cell], formats: Format) -> BytesMut {
        data_row(row, &fields(COLUMNS, &formats).unwrap()).data
    }

    #[test]
    fn cells_go_out_in_the_format_that_was_asked_for() {
        let at = "2000-01-01T00:00:01Z".parse().unwrap();
        let row = [Cell::Int(-7), Cell::Text("é".into()), Cell::Time(at)];
        let mut text = BytesMut::new();
        for field in [&b"-7"[..], "é".as_bytes(), b"2000-01-01 00:00:01+00"] {
            text.put_i32(i32::try_from(field.len()).unwrap());
            text.put(field);
        }
        assert_eq!(bytes(&row, Format::UnifiedText), text);
        let mut binary = BytesMut::new();
        binary.put_i32(8);
        binary.put_i64(-7);
        binary.put_i32(2);
        binary.put("é".as_bytes());
        binary.put_i32(8);
        binary.put_i64(1_000_000);
        assert_eq!(bytes(&row, Format::UnifiedBinary), binary);
        assert_eq!(bytes(&row, Format::Individual(vec![1, 0, 1])), binary);
    }

    #[test]
    fn null_is_no_empty_text() {
        let row = [Cell::Null, Cell::Text(String::new()), Cell::Null];
        let nulls = [-1_i32, 0, -1].map(i32::to_be_bytes).concat();
        assert_eq!(bytes(&row, Format::UnifiedText)[..], nulls);
    }

    #[test]
    fn no_error_leaves_without_a_hint() {
        for state in ["42501", "42704", "22023", "58030", "53400", "08P01", "XX000", "40001"] {
            let state = SqlState::parse(state.as_bytes()).unwrap();
            let hinted = info(Report::error(state, "no")).hint;
            assert!(hinted.is_some_and(|hint| hint.ends_with('.')), "{state}");
        }
        let own = info(Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "no").hint("Mine."));
        assert_eq!(own.hint.as_deref(), Some("Mine."));
        assert_eq!(info(Report::notice("by the way")).hint, None);
    }

    #[test]
    fn too_few_formats_are_refused() {
        assert!(fields(COLUMNS, &Format::Individual(vec![1, 1])).is_err());
    }
}
