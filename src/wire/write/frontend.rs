use super::{bare, counted, message, string, value};
use crate::model::Oid;
use crate::wire::WireError;
use crate::wire::frontend::{Target, tag};

pub fn query(out: &mut Vec<u8>, sql: &str) -> Result<(), WireError> {
    message(out, tag::QUERY, |out| string(out, sql.as_bytes()))
}

pub fn parse(
    out: &mut Vec<u8>,
    name: &str,
    sql: &str,
    parameter_types: impl IntoIterator<Item = Oid>,
) -> Result<(), WireError> {
    message(out, tag::PARSE, |out| {
        string(out, name.as_bytes())?;
        string(out, sql.as_bytes())?;
        counted(out, parameter_types, |out, oid| {
            out.extend(oid.to_be_bytes());
            Ok(())
        })
    })
}

/// Format codes are written as they are given, under the rules of Bind.
pub fn bind<'p>(
    out: &mut Vec<u8>,
    portal: &str,
    statement: &str,
    parameter_formats: impl IntoIterator<Item = i16>,
    parameters: impl IntoIterator<Item = Option<&'p [u8]>>,
    result_formats: impl IntoIterator<Item = i16>,
) -> Result<(), WireError> {
    let code = |out: &mut Vec<u8>, code: i16| {
        out.extend(code.to_be_bytes());
        Ok(())
    };
    message(out, tag::BIND, |out| {
        string(out, portal.as_bytes())?;
        string(out, statement.as_bytes())?;
        counted(out, parameter_formats, code)?;
        counted(out, parameters, value)?;
        counted(out, result_formats, code)
    })
}

pub fn describe(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), WireError> {
    message(out, tag::DESCRIBE, |out| write_target(out, target))
}

pub fn close(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), WireError> {
    message(out, tag::CLOSE, |out| write_target(out, target))
}

fn write_target(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), WireError> {
    out.push(match target {
        Target::Statement(_) => b'S',
        Target::Portal(_) => b'P',
    });
    string(out, target.name().as_bytes())
}

/// `rows_max`: zero or less means all rows.
pub fn execute(out: &mut Vec<u8>, portal: &str, rows_max: i32) -> Result<(), WireError> {
    message(out, tag::EXECUTE, |out| {
        string(out, portal.as_bytes())?;
        out.extend(rows_max.to_be_bytes());
        Ok(())
    })
}

pub fn flush(out: &mut Vec<u8>) {
    bare(out, tag::FLUSH);
}

pub fn sync(out: &mut Vec<u8>) {
    bare(out, tag::SYNC);
}

pub fn terminate(out: &mut Vec<u8>) {
    bare(out, tag::TERMINATE);
}

pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) -> Result<(), WireError> {
    message(out, tag::COPY_DATA, |out| {
        out.extend(data);
        Ok(())
    })
}

pub fn copy_done(out: &mut Vec<u8>) {
    bare(out, tag::COPY_DONE);
}

pub fn copy_fail(out: &mut Vec<u8>, reason: &str) -> Result<(), WireError> {
    message(out, tag::COPY_FAIL, |out| string(out, reason.as_bytes()))
}

pub fn password(out: &mut Vec<u8>, password: &[u8]) -> Result<(), WireError> {
    message(out, tag::PASSWORD, |out| string(out, password))
}

pub fn sasl_initial_response(
    out: &mut Vec<u8>,
    mechanism: &str,
    data: Option<&[u8]>,
) -> Result<(), WireError> {
    message(out, tag::PASSWORD, |out| {
        string(out, mechanism.as_bytes())?;
        value(out, data)
    })
}

pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) -> Result<(), WireError> {
    message(out, tag::PASSWORD, |out| {
        out.extend(data);
        Ok(())
    })
}
