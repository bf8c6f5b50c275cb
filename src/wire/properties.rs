//! What holds for every input: nothing panics, and what is written is read back.

use proptest::prelude::*;

use super::backend::{self, DataRow, ErrorFields, Field, RowDescription};
use super::frontend::{self, Frontend, Target};
use super::startup::{self, StartupPacket};
use super::{FrameHeader, WireError, write};

/// The payload of the only message in `bytes`.
fn only(bytes: &[u8]) -> (u8, &[u8]) {
    let header = FrameHeader::peek(bytes, usize::MAX).unwrap().expect("a header");
    assert_eq!(header.len, bytes.len(), "one whole message");
    (header.tag, &bytes[5..])
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,20}"
}

fn values() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 0..20)
}

fn borrowed(values: &[Option<Vec<u8>>]) -> Vec<Option<&[u8]>> {
    values.iter().map(Option::as_deref).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        tag in any::<u8>(),
        payload in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..64),
    ) {
        let _ = FrameHeader::peek(&payload, 64);
        for tag in [tag].into_iter().chain(*b"QPBDECHSXdcfFp") {
            if let Ok(Frontend::Bind(bind)) = frontend::read(tag, &payload) {
                prop_assert_eq!(bind.parameters.iter().count(), bind.parameters.len());
            }
        }
        if let Ok(row) = DataRow::read(&payload) {
            prop_assert!(row.fields().count() <= row.len());
        }
        if let Ok(columns) = RowDescription::read(&payload) {
            prop_assert_eq!(columns.fields().count(), columns.len());
        }
        let _ = ErrorFields::read(&payload).map(Iterator::count);
        if let Ok(backend::Authentication::Sasl(names)) = backend::authentication(&payload) {
            let _ = names.iter().count();
        }
        let _ = backend::ready_status(&payload);
        let _ = backend::parameter_status(&payload);
        let _ = backend::backend_key(&payload);
        let _ = backend::command_tag(&payload);
        let _ = backend::notification(&payload);
        let _ = backend::parameter_description(&payload).map(|types| types.iter().count());
        let _ = backend::copy_formats(&payload);
        let _ = frontend::password(&payload);
        let _ = frontend::sasl_initial_response(&payload);
    }

    #[test]
    fn no_bytes_make_a_startup_packet_panic(
        code in prop_oneof![0x0003_0000..0x0003_0004_u32, 0x04d2_162c..0x04d2_1632_u32, any::<u32>()],
        body in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..64),
        off_by in -2..3_i32,
    ) {
        let len = (body.len() as i32 + 8 + off_by) as u32;
        let packet = [&len.to_be_bytes()[..], &code.to_be_bytes(), &body].concat();
        let _ = startup::packet_len(&packet);
        match StartupPacket::read(&packet) {
            Ok(_) if off_by != 0 => prop_assert!(false, "the length word was not obeyed"),
            Ok(StartupPacket::Startup(startup)) => {
                let _ = startup.parameters().count();
            }
            Ok(_) | Err(_) => {}
        }
        let _ = StartupPacket::read(&body);
    }

    #[test]
    fn statements_are_read_as_they_were_written(
        name in text(), sql in text(), types in prop::collection::vec(any::<u32>(), 0..9),
    ) {
        let mut out = Vec::new();
        write::query(&mut out, &sql).unwrap();
        let (tag, payload) = only(&out);
        prop_assert_eq!(frontend::read(tag, payload), Ok(Frontend::Query(&sql)));

        out.clear();
        write::parse(&mut out, &name, &sql, types.iter().copied()).unwrap();
        let (tag, payload) = only(&out);
        let Ok(Frontend::Parse(parse)) = frontend::read(tag, payload) else { panic!("not a parse") };
        prop_assert_eq!((parse.name, parse.sql), (&*name, &*sql));
        prop_assert_eq!(parse.parameter_types.iter().collect::<Vec<_>>(), types);
    }

    #[test]
    fn binds_are_read_as_they_were_written(
        portal in text(), statement in text(), values in values(),
        formats in prop::collection::vec(0..2_i16, 0..2),
        results in prop::collection::vec(0..2_i16, 0..9),
    ) {
        let mut out = Vec::new();
        let (formats_in, results_in) = (formats.iter().copied(), results.iter().copied());
        write::bind(&mut out, &portal, &statement, formats_in, borrowed(&values), results_in)
            .unwrap();
        let (tag, payload) = only(&out);
        let Ok(Frontend::Bind(bind)) = frontend::read(tag, payload) else { panic!("not a bind") };
        prop_assert_eq!((bind.portal, bind.statement), (&*portal, &*statement));
        prop_assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), borrowed(&values));
        prop_assert_eq!(bind.parameter_formats.iter().collect::<Vec<_>>(), formats);
        prop_assert_eq!(bind.result_formats.iter().collect::<Vec<_>>(), results);
    }

    #[test]
    fn targets_are_read_as_they_were_written(name in text(), rows_max in any::<i32>()) {
        for target in [Target::Statement(&name), Target::Portal(&name)] {
            let mut out = Vec::new();
            write::describe(&mut out, target).unwrap();
            let (tag, payload) = only(&out);
            prop_assert_eq!(frontend::read(tag, payload), Ok(Frontend::Describe(target)));
            out.clear();
            write::close(&mut out, target).unwrap();
            let (tag, payload) = only(&out);
            prop_assert_eq!(frontend::read(tag, payload), Ok(Frontend::Close(target)));
        }
        let mut out = Vec::new();
        write::execute(&mut out, &name, rows_max).unwrap();
        let (tag, payload) = only(&out);
        let execute = frontend::Execute { portal: &name, rows_max };
        prop_assert_eq!(frontend::read(tag, payload), Ok(Frontend::Execute(execute)));
    }

    #[test]
    fn rows_are_read_as_they_were_written(values in values(), name in text(), oid in any::<u32>()) {
        let mut out = Vec::new();
        write::data_row(&mut out, borrowed(&values)).unwrap();
        let row = DataRow::read(only(&out).1).unwrap();
        let read: Result<Vec<_>, WireError> = row.fields().collect();
        prop_assert_eq!(read, Ok(borrowed(&values)));

        let field = Field {
            name: name.as_bytes(),
            relation: oid,
            column: -1,
            type_oid: oid,
            type_len: -2,
            typmod: 7,
            format: 1,
        };
        let fields = vec![field; values.len()];
        out.clear();
        write::row_description(&mut out, fields.iter().copied()).unwrap();
        let columns = RowDescription::read(only(&out).1).unwrap();
        prop_assert_eq!(columns.fields().collect::<Vec<_>>(), fields);
    }

    #[test]
    fn startup_packets_are_read_as_they_were_written(
        minor in any::<u16>(), pid in any::<i32>(),
        secret in prop::collection::vec(any::<u8>(), 1..=256),
        parameters in prop::collection::vec(("[^\0]{1,9}", text()), 0..9),
    ) {
        let mut out = Vec::new();
        let pairs: Vec<_> = parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        startup::startup(&mut out, minor, pairs.iter().copied()).unwrap();
        let Ok(StartupPacket::Startup(read)) = StartupPacket::read(&out) else {
            panic!("not a startup packet")
        };
        prop_assert_eq!(read.minor, minor);
        prop_assert_eq!(read.parameters().collect::<Vec<_>>(), pairs);

        out.clear();
        startup::cancel_request(&mut out, pid, &secret).unwrap();
        let cancel = startup::CancelRequest { pid, secret: &secret };
        prop_assert_eq!(StartupPacket::read(&out), Ok(StartupPacket::CancelRequest(cancel)));
    }
}
