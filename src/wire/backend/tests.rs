use super::*;

type Reads = fn(&[u8]) -> Result<(), WireError>;

/// A well-formed payload for every reader, with the name of what is read.
const GOOD: &[(&str, Reads, &[u8])] = &[
    (
        "RowDescription",
        row_description,
        b"\0\x01id\0\0\0\x40\0\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
    ),
    ("RowDescription", row_description, b"\0\0"),
    ("DataRow", data_row, b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0"),
    ("DataRow", data_row, b"\0\0"),
    ("ErrorResponse", error_fields, b"SERROR\0C42501\0Mno \xff\0\0"),
    ("ErrorResponse", error_fields, b"\0"),
    ("AuthenticationOk", auth, b"\0\0\0\0"),
    ("AuthenticationMD5Password", auth, b"\0\0\0\x05salt"),
    ("AuthenticationSASL", auth, b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
    ("ReadyForQuery", |p| ready_status(p).map(drop), b"T"),
    ("ParameterStatus", |p| parameter_status(p).map(drop), b"TimeZone\0UTC\0"),
    ("CommandComplete", |p| command_tag(p).map(drop), b"SELECT 3\0"),
    ("NotificationResponse", |p| notification(p).map(drop), b"\0\0\0\x07ch\0\xff\0"),
    ("ParameterDescription", |p| parameter_description(p).map(drop), b"\0\x01\0\0\0\x19"),
    ("CopyOutResponse", |p| copy_formats(p).map(drop), b"\x01\0\x02\0\x01\0\x01"),
];

fn row_description(payload: &[u8]) -> Result<(), WireError> {
    let read = RowDescription::read(payload)?;
    assert_eq!(read.fields().count(), read.len());
    Ok(())
}

fn data_row(payload: &[u8]) -> Result<(), WireError> {
    let row = DataRow::read(payload)?;
    let values = row.fields().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(values.len(), row.len());
    Ok(())
}

fn error_fields(payload: &[u8]) -> Result<(), WireError> {
    ErrorFields::read(payload).map(drop)
}

fn auth(payload: &[u8]) -> Result<(), WireError> {
    authentication(payload).map(drop)
}

#[test]
fn every_cut_short_message_is_refused() {
    for (name, read, payload) in GOOD {
        assert_eq!(read(payload), Ok(()), "{name}");
        for len in 0..payload.len() {
            assert!(read(&payload[..len]).is_err(), "{name} {:?}", &payload[..len]);
        }
    }
}

#[test]
fn every_byte_left_over_is_refused() {
    for (name, read, payload) in GOOD {
        for extra in [&b"\0"[..], b"x", b"Z\0\0\0\x05I"] {
            let longer = [payload, extra].concat();
            assert_eq!(read(&longer), Err(WireError::Leftover), "{name} {longer:?}");
        }
    }
}

#[test]
fn malformed_messages_are_refused_for_what_is_wrong() {
    for (name, read, payload, expected) in [
        ("row count", data_row as Reads, &b"\xff\xff\0\0\0\0"[..], WireError::Count),
        ("value past the row", data_row, b"\0\x01\0\0\0\x05ab", WireError::Truncated),
        ("value past the row", data_row, b"\0\x01\x7f\xff\xff\xff", WireError::Truncated),
        ("negative length", data_row, b"\0\x01\xff\xff\xff\xfe", WireError::Length),
        ("second value missing", data_row, b"\0\x02\0\0\0\x04\0\0\0\0", WireError::Truncated),
        ("field count", row_description, b"\0\x02a\0", WireError::Count),
        (
            "field format",
            row_description,
            b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\x02",
            WireError::FormatCode,
        ),
        ("field text", error_fields, b"Sx", WireError::Unterminated),
        ("field list", error_fields, b"Sx\0", WireError::Truncated),
        ("mechanism", auth, b"\0\0\0\x0a\xff\0\0", WireError::NotUtf8),
        ("status", |p| ready_status(p).map(drop), b"X", WireError::Value),
        ("setting", |p| parameter_status(p).map(drop), b"a\0\xff\0", WireError::NotUtf8),
        ("copy format", |p| copy_formats(p).map(drop), b"\x02\0\0", WireError::FormatCode),
        ("column format", |p| copy_formats(p).map(drop), b"\0\0\x01\0\x02", WireError::FormatCode),
        ("key", |p| backend_key(p).map(drop), b"\0\0\0\x01", WireError::Truncated),
        ("key", |p| backend_key(p).map(drop), &[1; 261], WireError::Leftover),
    ] {
        assert_eq!(read(payload), Err(expected), "{name} {payload:?}");
    }
}

#[test]
fn a_broken_row_ends_with_its_error() {
    let row = DataRow::read(b"\0\x03\0\0\0\x01a\0\0\0\x09b\0\0\0\0").unwrap();
    assert_eq!(
        row.fields().collect::<Vec<_>>(),
        [Ok(Some(&b"a"[..])), Err(WireError::Truncated)],
        "nothing after the error"
    );
    let row = DataRow::read(b"\0\x01\0\0\0\x01ab").unwrap();
    assert_eq!(row.fields().collect::<Vec<_>>(), [Err(WireError::Leftover)]);
}

#[test]
fn a_row_description_gives_its_columns() {
    let payload = b"\0\x02id\0\0\0\x40\0\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0\
        ?column?\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\x0c\0\x01";
    let fields: Vec<_> = RowDescription::read(payload).unwrap().fields().collect();
    assert_eq!(
        fields,
        [
            Field {
                name: b"id",
                relation: 16_384,
                column: 1,
                type_oid: 23,
                type_len: 4,
                typmod: -1,
                format: 0
            },
            Field {
                name: b"?column?",
                relation: 0,
                column: 0,
                type_oid: 25,
                type_len: -1,
                typmod: 12,
                format: 1
            },
        ]
    );
}

#[test]
fn an_error_gives_its_fields() {
    let mut fields = ErrorFields::read(b"SERROR\0C42501\0Mno\0\0").unwrap();
    assert_eq!(fields.get(b'C'), Some(&b"42501"[..]));
    assert_eq!(fields.get(b'D'), None);
    assert_eq!(fields.next(), Some((b'S', &b"ERROR"[..])));
    assert_eq!(fields.by_ref().count(), 2);
    assert_eq!(fields.next(), None);
}

#[test]
fn an_authentication_request_is_recognised() {
    let Ok(Authentication::Sasl(mechanisms)) = authentication(b"\0\0\0\x0aA-PLUS\0A\0\0") else {
        panic!("not SASL")
    };
    assert_eq!(mechanisms.iter().collect::<Vec<_>>(), ["A-PLUS", "A"]);
    for (payload, expected) in [
        (&b"\0\0\0\0"[..], Authentication::Ok),
        (b"\0\0\0\x03", Authentication::CleartextPassword),
        (b"\0\0\0\x05\x01\x02\x03\x04", Authentication::Md5Password { salt: [1, 2, 3, 4] }),
        (b"\0\0\0\x0br=x", Authentication::SaslContinue(b"r=x")),
        (b"\0\0\0\x0cv=y", Authentication::SaslFinal(b"v=y")),
        (b"\0\0\0\x07", Authentication::Other(7)),
    ] {
        assert_eq!(authentication(payload), Ok(expected));
    }
}
