use super::*;

/// Every message that has fields, well-formed.
const GOOD: &[(u8, &[u8])] = &[
    (tag::QUERY, b"select 1\0"),
    (tag::QUERY, b"\0"),
    (tag::PARSE, b"s\0select $1\0\0\x02\0\0\0\x17\0\0\0\0"),
    (tag::PARSE, b"\0\0\0\0"),
    (tag::BIND, b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\0"),
    (tag::BIND, b"\0\0\0\0\0\0\0\0"),
    (tag::DESCRIBE, b"Sname\0"),
    (tag::CLOSE, b"P\0"),
    (tag::EXECUTE, b"p\0\0\0\0\x05"),
    (tag::COPY_FAIL, b"why \xff\0"),
];

#[test]
fn every_cut_short_message_is_refused() {
    for (tag, payload) in GOOD {
        assert!(read(*tag, payload).is_ok(), "{payload:?}");
        for len in 0..payload.len() {
            assert!(read(*tag, &payload[..len]).is_err(), "{:?}", &payload[..len]);
        }
    }
}

#[test]
fn every_byte_left_over_is_refused() {
    let empty: &[(u8, &[u8])] =
        &[(tag::FLUSH, b""), (tag::SYNC, b""), (tag::TERMINATE, b""), (tag::COPY_DONE, b"")];
    for (tag, payload) in GOOD.iter().chain(empty) {
        assert!(read(*tag, payload).is_ok(), "{payload:?}");
        for extra in [&b"\0"[..], b"x", b"Q\0\0\0\x05\0"] {
            let longer = [payload, extra].concat();
            assert_eq!(read(*tag, &longer), Err(WireError::Leftover), "{longer:?}");
        }
    }
}

#[test]
fn malformed_messages_are_refused_for_what_is_wrong() {
    for (tag, payload, expected) in [
        (tag::QUERY, &b"select 1"[..], WireError::Unterminated),
        (tag::QUERY, b"select 1\0; drop table t\0", WireError::Leftover),
        (tag::QUERY, b"select '\xff'\0", WireError::NotUtf8),
        // An overlong slash, a surrogate, and half of a character.
        (tag::QUERY, b"\xc0\xaf\0", WireError::NotUtf8),
        (tag::QUERY, b"\xed\xa0\x80\0", WireError::NotUtf8),
        (tag::QUERY, b"\xe2\x82\0", WireError::NotUtf8),
        (tag::PARSE, b"\xff\0select 1\0\0\0", WireError::NotUtf8),
        (tag::PARSE, b"\0select \xff\0\0\0", WireError::NotUtf8),
        (tag::PARSE, b"\0select 1\0\0\x01", WireError::Count),
        (tag::PARSE, b"\0select 1\0\xff\xff\0\0\0\x17", WireError::Count),
        (tag::BIND, b"\0\0\0\0\xff\xff\0\0", WireError::Count),
        (tag::BIND, b"\0\0\0\0\0\x01\0\0\0\x05ab\0\0", WireError::Truncated),
        (tag::BIND, b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", WireError::Length),
        (tag::BIND, b"\0\0\0\0\0\x01\x80\0\0\0\0\0", WireError::Length),
        (tag::BIND, b"\0\0\0\x01\0\x02\0\0\0\0", WireError::FormatCode),
        (tag::BIND, b"\0\0\0\0\0\0\0\x01\0\x02", WireError::FormatCode),
        (tag::BIND, b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0", WireError::FormatCount),
        (tag::BIND, b"\xff\0\0\0\0\0\0\0\0", WireError::NotUtf8),
        (tag::DESCRIBE, b"Xname\0", WireError::Value),
        (tag::CLOSE, b"sname\0", WireError::Value),
        (tag::EXECUTE, b"\0\0\0\0", WireError::Truncated),
        (tag::SYNC, b"\0", WireError::Leftover),
        (b'?', b"", WireError::UnknownTag),
        (0, b"", WireError::UnknownTag),
        // A backend's message, as from a confused peer.
        (b'Z', b"I", WireError::UnknownTag),
    ] {
        assert_eq!(read(tag, payload), Err(expected), "{} {payload:?}", char::from(tag));
    }
}

#[test]
fn a_bind_gives_its_values_in_order() {
    let payload = b"p\0s\0\0\x01\0\x01\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x02\0\0\0\x01";
    let Frontend::Bind(bind) = read(tag::BIND, payload).unwrap() else { panic!("not a bind") };
    assert_eq!((bind.portal, bind.statement), ("p", "s"));
    assert_eq!(bind.parameters.len(), 3);
    assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), [Some(&b"ab"[..]), None, Some(b"")]);
    assert_eq!(bind.parameter_formats.code(2, 3), Ok(1));
    assert_eq!(bind.result_formats.iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_bind_may_carry_as_many_parameters_as_two_bytes_count() {
    let mut payload = b"\0\0\0\0\xff\xff".to_vec();
    payload.extend([0xff; 4 * 65_535]);
    payload.extend([0, 0]);
    let Frontend::Bind(bind) = read(tag::BIND, &payload).unwrap() else { panic!("not a bind") };
    assert_eq!(bind.parameters.iter().filter(Option::is_none).count(), 65_535);
}

#[test]
fn opaque_messages_are_taken_as_they_are() {
    for payload in [&b""[..], b"\0", b"\xff\xfe"] {
        assert_eq!(read(tag::COPY_DATA, payload), Ok(Frontend::CopyData(payload)));
        assert_eq!(read(tag::PASSWORD, payload), Ok(Frontend::Password(payload)));
        assert_eq!(read(tag::FUNCTION_CALL, payload), Ok(Frontend::FunctionCall));
    }
}

#[test]
fn passwords_and_sasl_responses_fill_their_message() {
    assert_eq!(password(b"secret\0"), Ok(&b"secret"[..]));
    assert_eq!(password(b"secret"), Err(WireError::Unterminated));
    assert_eq!(password(b"secret\0x"), Err(WireError::Leftover));

    let good = b"SCRAM-SHA-256\0\0\0\0\x03n,,";
    assert_eq!(sasl_initial_response(good), Ok(("SCRAM-SHA-256", Some(&b"n,,"[..]))));
    assert_eq!(sasl_initial_response(b"X\0\xff\xff\xff\xff"), Ok(("X", None)));
    for len in 0..good.len() {
        assert!(sasl_initial_response(&good[..len]).is_err());
    }
    assert_eq!(
        sasl_initial_response(b"X\0\0\0\0\x01ab"),
        Err(WireError::Leftover),
        "data after the declared length"
    );
}
