use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

fn secret() -> TotpSecret {
    TotpSecret::new(b"12345678901234567890")
}

fn code(text: &str) -> Secret {
    Secret::new(text)
}

fn checked(state: &FactorState, text: &str, secs: i64) -> Option<Factor> {
    state.check(Some(&secret()), &[], &code(text), at(secs))
}

/// The code of a step, as a device shows it.
fn shown(step: u64) -> String {
    secret().code(step, 6)
}

#[test]
fn the_codes_are_those_of_rfc_6238() {
    // Appendix B, the rows of SHA-1.
    for (secs, expected) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        assert_eq!(secret().code(secs / STEP_SECS, 8), expected, "{secs}");
        assert_eq!(secret().code(secs / STEP_SECS, 6), expected[2..], "{secs}");
    }
    // RFC 4226, appendix D.
    let counted: Vec<_> = (0..4).map(|count| secret().code(count, 6)).collect();
    assert_eq!(counted, ["755224", "287082", "359152", "969429"]);
}

#[test]
fn clocks_may_differ_by_one_step() {
    let state = FactorState::default();
    let now = 1_000 * 30 + 7;
    for (step, taken) in [(998, false), (999, true), (1000, true), (1001, true), (1002, false)] {
        let expected = taken.then_some(Factor::Totp { step });
        assert_eq!(checked(&state, &shown(step), now), expected, "{step}");
    }
    assert_eq!(checked(&state, &shown(0), 3), Some(Factor::Totp { step: 0 }), "no underflow");
    assert_eq!(checked(&state, &shown(0), -1), None);
}

#[test]
fn a_step_counts_once_and_none_before_it() {
    let mut state = FactorState::default();
    let now = 30_000;
    state.used(&checked(&state, &shown(1000), now).unwrap());
    assert_eq!(checked(&state, &shown(1000), now), None, "replayed");
    assert_eq!(checked(&state, &shown(999), now), None, "seen over a shoulder before");
    let next = checked(&state, &shown(1001), now).unwrap();
    state.used(&next);
    state.used(&Factor::Totp { step: 7 });
    assert_eq!(checked(&state, &shown(1001), now), None, "an older event takes nothing back");
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let state = FactorState::default();
    let shown = shown(1000);
    let spaced = format!(" {} {} ", &shown[..3], &shown[3..]);
    assert!(checked(&state, &spaced, 30_000).is_some());
    for wrong in ["", "12345", "1234567", "٣٣٣٣٣٣", "755224; DROP"] {
        assert_eq!(checked(&state, wrong, 30_000), None, "{wrong}");
    }
    assert_eq!(state.check(None, &[], &code(&shown), at(30_000)), None, "no secret, no code");
}

#[test]
fn a_recovery_code_counts_once_whatever_list_it_stands_in() {
    let mut state = FactorState::default();
    let known = [recovery_digest("ABCD-EFGH-IJKL-MNOP"), recovery_digest("QRST-UVWX-YZ23-4567")];
    let check = |state: &FactorState, known: &[Digest], text: &str| {
        state.check(Some(&secret()), known, &code(text), at(0))
    };
    let first = check(&state, &known, "abcd efgh ijkl mnop").unwrap();
    assert_eq!(first, Factor::Recovery { code: known[0] });
    state.used(&first);
    assert_eq!(check(&state, &known, "ABCD-EFGH-IJKL-MNOP"), None, "spent");
    let turned = [known[1], known[0]];
    assert_eq!(check(&state, &turned, "ABCD-EFGH-IJKL-MNOP"), None, "still spent");
    assert!(check(&state, &turned, "QRST-UVWX-YZ23-4567").is_some());
    assert_eq!(check(&state, &[], "QRST-UVWX-YZ23-4567"), None, "no longer known");
}

#[test]
fn five_wrong_codes_in_an_hour_lock() {
    let mut state = FactorState::default();
    for nth in 0..4 {
        state.failed(at(nth * 900));
        assert_eq!(state.locked_until(at(nth * 900)), None);
    }
    state.failed(at(3600));
    let end = at(3600 + 900);
    assert_eq!(state.locked_until(at(3600)), Some(end));
    assert_eq!(state.locked_until(at(3600 + 899)), Some(end));
    assert_eq!(state.locked_until(end), None);

    let mut slow = FactorState::default();
    (0..20).for_each(|nth| slow.failed(at(nth * 901)));
    assert_eq!(slow.locked_until(at(19 * 901)), None, "five in more than an hour");
    slow.failed(at(19 * 901 + 1));
    assert!(slow.locked_until(at(19 * 901 + 1)).is_some());
    slow.used(&Factor::Totp { step: 1 });
    assert_eq!(slow.locked_until(at(19 * 901 + 1)), None, "a right one clears the slate");
}

#[test]
fn a_secret_is_base32_and_long_enough() {
    let parse = |text: &str| TotpSecret::parse(&Secret::new(text));
    let good = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert_eq!(parse(good).unwrap().code(1, 6), "287082");
    let spaced = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq";
    assert_eq!(parse(spaced).unwrap().code(1, 6), "287082");
    for wrong in ["", "GEZDGNBV", "no base 32 at all: 0189", &good[..20]] {
        assert_eq!(parse(wrong).err(), Some(SecretError), "{wrong}");
    }
    assert_eq!(format!("{:?}", parse(good).unwrap()), "TotpSecret(…)");
}
