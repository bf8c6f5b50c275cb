//! Messages of either side, whole, broken and glued: they are cut by their length and read, or
//! refused. What was read, written again, is what was there: nothing is analysed that is not sent.

use keyhole::wire::backend::{self, DataRow, ErrorFields, RowDescription};
use keyhole::wire::frontend::{self, Frontend};
use keyhole::wire::{FrameHeader, write};

use super::bytes::mutate;
use super::choices::Choices;
use super::messages::{ask, row, tell};

/// Longer frames are refused by their header.
const FRAME_LEN_MAX: usize = 1 << 16;

pub(crate) fn run(choices: &mut Choices<'_>) {
    let mut stream = client_messages(choices);
    let other = server_messages(choices);
    if choices.chance(30) {
        stream.extend_from_slice(&other);
    }
    if choices.chance(90) {
        mutate(&mut stream, &other, choices);
    }
    if choices.chance(5) {
        stream = choices.noise(64);
    }
    read_all(&stream);
}

/// Cuts and reads whatever can be read as either side's messages.
pub(crate) fn read_all(stream: &[u8]) {
    let mut rest = stream;
    while let Ok(Some(header)) = FrameHeader::peek(rest, FRAME_LEN_MAX) {
        assert!(header.len >= 5 && header.len <= FRAME_LEN_MAX, "{header:?}");
        let Some(frame) = rest.get(..header.len) else { return };
        assert_eq!(frame[0], header.tag);
        as_client(frame);
        as_server(&frame[5..]);
        rest = &rest[header.len..];
    }
}

fn as_client(frame: &[u8]) {
    let Ok(message) = frontend::read(frame[0], &frame[5..]) else { return };
    let mut out = Vec::new();
    let written = match message {
        Frontend::Query(sql) => write::query(&mut out, sql),
        Frontend::Parse(parse) => {
            write::parse(&mut out, parse.name, parse.sql, parse.parameter_types.iter())
        }
        Frontend::Bind(bind) => {
            assert_eq!(bind.parameters.iter().count(), bind.parameters.len());
            let (formats, results) = (bind.parameter_formats.iter(), bind.result_formats.iter());
            let values = bind.parameters.iter().collect::<Vec<_>>();
            write::bind(&mut out, bind.portal, bind.statement, formats, values, results)
        }
        Frontend::Describe(target) => write::describe(&mut out, target),
        Frontend::Execute(execute) => write::execute(&mut out, execute.portal, execute.rows_max),
        Frontend::Close(target) => write::close(&mut out, target),
        Frontend::CopyData(data) => write::copy_data(&mut out, data),
        Frontend::Flush | Frontend::Sync | Frontend::Terminate | Frontend::CopyDone => {
            assert_eq!(frame.len(), 5, "a message without a body has none");
            return;
        }
        // Not read further: passed on, or refused, as they are.
        Frontend::CopyFail | Frontend::FunctionCall | Frontend::Password(_) => return,
    };
    assert_eq!(written, Ok(()));
    assert!(out == frame, "{} was read as {}", frame.escape_ascii(), out.escape_ascii());
}

fn as_server(payload: &[u8]) {
    if let Ok(row) = DataRow::read(payload) {
        let fields: Result<Vec<_>, _> = row.fields().collect();
        if let Ok(fields) = fields {
            let mut out = Vec::new();
            assert_eq!(write::data_row(&mut out, fields), Ok(()));
            assert_eq!(&out[5..], payload);
        }
    }
    if let Ok(columns) = RowDescription::read(payload) {
        let mut out = Vec::new();
        assert_eq!(write::row_description(&mut out, columns.fields()), Ok(()));
        assert_eq!(&out[5..], payload);
    }
    if let Ok(fields) = ErrorFields::read(payload) {
        assert!(fields.count() <= payload.len());
    }
    if let Ok(backend::Authentication::Sasl(names)) = backend::authentication(payload) {
        assert!(names.iter().count() <= payload.len());
    }
    let _ = backend::ready_status(payload);
    let _ = backend::parameter_status(payload);
    let _ = backend::backend_key(payload);
    let _ = backend::command_tag(payload);
    let _ = backend::notification(payload);
    let _ = backend::parameter_description(payload).map(|types| types.iter().count());
    let _ = backend::copy_formats(payload);
    let _ = frontend::password(payload);
    let _ = frontend::sasl_initial_response(payload);
}

/// One to three messages of a client.
fn client_messages(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..=choices.below(3) {
        let (name, value) = (choices.of(&["", "s", "é"]), choices.noise(8));
        let written = match choices.below(10) {
            0 => write::query(&mut out, choices.of(&["", "SELECT 1", "SELECT 'é'"])),
            1 => write::parse(&mut out, name, "SELECT $1", [25, 0]),
            2 => write::bind(&mut out, name, "s", [1], [Some(&value[..]), None], [0, 1]),
            3 => write::describe(&mut out, frontend::Target::Portal(name)),
            4 => write::execute(&mut out, name, 7),
            5 => write::close(&mut out, frontend::Target::Statement(name)),
            6 => write::copy_data(&mut out, &value),
            7 => write::copy_fail(&mut out, "no"),
            8 => write::sasl_initial_response(&mut out, "SCRAM-SHA-256", Some(&value)),
            _ => {
                out.extend(ask(|to| to.sync()));
                Ok(())
            }
        };
        assert_eq!(written, Ok(()));
    }
    out
}

fn server_messages(choices: &mut Choices<'_>) -> Vec<u8> {
    tell(|to| match choices.below(6) {
        0 => to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 1)]),
        1 => row(to, &[Some("1"), None, Some("")]),
        2 => to.error("42601", "syntax error"),
        3 => to.ready(b'T'),
        4 => to.takes_no_parameters(),
        _ => to.raw(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
    })
}
