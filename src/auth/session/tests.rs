use proptest::prelude::*;

use super::*;

const LIFE: Duration = Duration::from_secs(1_000);
const LASTING: Lasting = Lasting { life: LIFE, idle: Some(Duration::from_secs(300)) };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn sessions(key: u8) -> (Sessions, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let list = SignedOut::at(&dir.path().join("sessions.out"));
    (Sessions::new([key; KEY_LEN], list), dir)
}

fn login(user: &str, groups: &[&str]) -> Authenticated {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Authenticated::new(user, groups, AuthMethod::Ldap)
}

#[test]
fn a_session_says_who_signed_in_and_ends() {
    let (sessions, _dir) = sessions(1);
    let (begun, token) = sessions
        .begin(&login("zoë\"\n", &["dba"]), Keeper::Program, [7; 16], at(1_000), LIFE)
        .unwrap();
    assert_eq!(begun.expires(), at(2_000));
    let found = sessions.find(&token, at(1_999), LASTING).unwrap();
    let proof = found.authenticated();
    assert_eq!((&**proof.user(), &**proof.groups()), ("zoë\"\n", &["dba".to_owned()][..]));
    assert_eq!((proof.method(), proof.proves_person()), ("ldap", true));
    let find = |now, life| sessions.find(&token, at(now), Lasting { life, ..LASTING }).unwrap_err();
    assert!(matches!(find(2_000, LIFE), SessionError::Expired { .. }));
    // The configuration has become stricter since.
    assert!(matches!(find(1_010, Duration::from_secs(10)), SessionError::Expired { .. }));
    // The clock went back, by more than clocks differ.
    assert!(matches!(find(900, LIFE), SessionError::Unknown));
    assert!(sessions.find(&token, at(950), LASTING).is_ok());
}

#[test]
fn a_session_ends_with_what_the_login_was_proven_by() {
    let (sessions, _dir) = sessions(1);
    let login = login("ada", &[]).ending(Some(at(1_100)));
    let (begun, _) = sessions.begin(&login, Keeper::Program, [7; 16], at(1_000), LIFE).unwrap();
    assert_eq!(begun.expires(), at(1_100));
}

#[test]
fn a_session_that_was_signed_out_does_not_come_back() {
    let (sessions, dir) = sessions(1);
    let (begun, token) =
        sessions.begin(&login("ada", &[]), Keeper::Program, [7; 16], at(0), LIFE).unwrap();
    let (_, other) =
        sessions.begin(&login("ada", &[]), Keeper::Program, [8; 16], at(0), LIFE).unwrap();
    sessions.end(&begun, at(1)).unwrap();
    let after = Sessions::new([1; KEY_LEN], SignedOut::at(&dir.path().join("sessions.out")));
    for sessions in [&sessions, &after] {
        let found = sessions.find(&token, at(2), LASTING);
        assert!(matches!(found, Err(SessionError::SignedOut { .. })));
        assert!(sessions.find(&other, at(2), LASTING).is_ok());
    }
}

#[test]
fn a_session_in_a_browser_ends_when_it_is_not_used() {
    let (sessions, _dir) = sessions(1);
    let begin = |keeper| sessions.begin(&login("ada", &[]), keeper, [7; 16], at(0), LIFE);
    let (_, programs) = begin(Keeper::Program).unwrap();
    let program = sessions.find(&programs, at(999), LASTING).unwrap();
    assert!(sessions.renewed(&program, at(999)).is_none());
    let (begun, token) = begin(Keeper::Browser).unwrap();
    let session = sessions.find(&token, at(299), LASTING).unwrap();
    let unused = sessions.find(&token, at(300), LASTING);
    assert!(matches!(unused, Err(SessionError::Unused { .. })));
    assert!(sessions.find(&token, at(300), Lasting { idle: None, ..LASTING }).is_ok());
    assert!(sessions.renewed(&session, at(29)).is_none(), "it is new");
    let renewed = sessions.renewed(&session, at(290)).unwrap();
    let session = sessions.find(&renewed, at(589), LASTING).unwrap();
    assert!(sessions.find(&renewed, at(590), LASTING).is_err());
    // It is the same one: it ends when it would have, and with whichever token is shown.
    let last = sessions.renewed(&session, at(900)).unwrap();
    assert!(matches!(sessions.find(&last, at(1_000), LASTING), Err(SessionError::Expired { .. })));
    assert_eq!(sessions.form_token(&session), sessions.form_token(&begun));
    sessions.end(&begun, at(900)).unwrap();
    for token in [&renewed, &last] {
        assert!(sessions.find(token, at(1), LASTING).is_err(), "signed out");
    }
}

#[test]
fn all_of_somebodys_sessions_end_at_once() {
    let (sessions, _dir) = sessions(1);
    let begin = |user, now| {
        let login = login(user, &[]);
        sessions.begin(&login, Keeper::Program, rand::random(), at(now), LIFE).unwrap().1
    };
    let (one, two, others) = (begin("ada", 5), begin("ada", 6), begin("bob", 5));
    sessions.end_all("ada", at(6)).unwrap();
    for ended in [&one, &two] {
        let found = sessions.find(ended, at(7), LASTING);
        assert!(matches!(found, Err(SessionError::SignedOut { .. })));
    }
    assert!(sessions.find(&others, at(7), LASTING).is_ok());
    assert!(sessions.find(&begin("ada", 6), at(6), LASTING).is_ok(), "begun in the same moment");
}

#[test]
fn nothing_else_is_a_session() {
    let (own, _dir) = sessions(1);
    let (_, token) = own.begin(&login("ada", &[]), Keeper::Program, [7; 16], at(0), LIFE).unwrap();
    let (other, _dir) = sessions(2);
    assert!(matches!(other.find(&token, at(1), LASTING), Err(SessionError::Unknown)));
    // What the same key has signed for something else.
    let text = token.expose().strip_prefix(PREFIX).unwrap().split_once('.').unwrap().0;
    let body = String::from_utf8(BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap();
    let sealed = Secret::new(format!("{PREFIX}{}", own.seal(&body)));
    assert!(matches!(own.find(&sealed, at(1), LASTING), Err(SessionError::Unknown)));
    assert_eq!(own.unseal(token.expose().strip_prefix(PREFIX).unwrap()), None);
    let long = Secret::new(format!("{PREFIX}{}.x", "A".repeat(TOKEN_LEN_MAX)));
    assert!(matches!(own.find(&long, at(1), LASTING), Err(SessionError::Unknown)));
}

#[test]
fn a_form_is_of_one_session() {
    let (sessions, _dir) = sessions(1);
    let begin =
        |id| sessions.begin(&login("ada", &[]), Keeper::Program, id, at(0), LIFE).unwrap().0;
    let (one, other) = (begin([7; 16]), begin([8; 16]));
    let form = sessions.form_token(&one);
    assert!(sessions.is_form_token(&one, &form) && !sessions.is_form_token(&other, &form));
    for wrong in ["", "AAAA", "?", &form[1..]] {
        assert!(!sessions.is_form_token(&one, wrong), "{wrong}");
    }
}

#[test]
fn machines_and_people_of_a_thousand_groups_get_none() {
    let (sessions, _dir) = sessions(1);
    let machine = Authenticated::machine("ci", Arc::new([]), at(100));
    let begun = sessions.begin(&machine, Keeper::Program, [7; 16], at(0), LIFE);
    assert!(matches!(begun, Err(SessionError::Machine)));
    let groups = vec!["a-group"; 1_000];
    let begun = sessions.begin(&login("ada", &groups), Keeper::Program, [7; 16], at(0), LIFE);
    assert!(matches!(begun, Err(SessionError::TooLong)));
}

proptest! {
    #[test]
    fn no_changed_token_counts(index in 0_usize..200, byte in 0x21_u8..0x7f) {
        let (sessions, _dir) = sessions(1);
        let (_, token) = sessions.begin(&login("ada", &[]), Keeper::Program, [7; 16], at(0), LIFE).unwrap();
        let mut bytes = token.expose().as_bytes().to_vec();
        let index = index % bytes.len();
        prop_assume!(bytes[index] != byte);
        bytes[index] = byte;
        let changed = Secret::new(String::from_utf8(bytes).unwrap());
        let found = sessions.find(&changed, at(1), LASTING);
        prop_assert!(matches!(found, Err(SessionError::Unknown)));
    }
}
