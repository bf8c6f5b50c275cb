//! The audit log from outside: no literal gets in, no change of the files goes unseen, and what a
//! crash leaves is repaired.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use keyhole::audit::{
    Analysis, Broken, Chain, Decision, Encoder, Event, Gates, Grant, GrantStep, Mention, Names,
    Provenance, Release, Started, Statement, StatementText, Strings, Verifier, Why, normalize,
};
use keyhole::model::{Client, SqlState, Timestamp, User};
use keyhole::store::audit_log::{AuditError, AuditLog, Limits, Repair, verify_dir};
use proptest::prelude::*;

fn time() -> Timestamp {
    Timestamp::from_microsecond(1_700_000_000_000_001).unwrap()
}

fn client() -> Arc<Client> {
    Arc::new(Client {
        user: User {
            name: "alice".into(),
            groups: Arc::new(["support".to_owned()]),
            roles: Arc::default(),
        },
        address: Some([127, 0, 0, 1].into()),
        application: "psql".into(),
        database: "shop".into(),
    })
}

fn sql(text: &str) -> StatementText {
    StatementText::new(Bytes::copy_from_slice(text.as_bytes()), Strings::Standard)
}

fn statement(text: &str) -> Event {
    Event::Statement(Statement {
        session: 4,
        statement: 9,
        client: client(),
        text: sql(text),
        relations: Names::from_iter(["public.customers".to_owned()]),
        pii_columns: Names::from_iter(["public.customers.email".to_owned()]),
        raw_columns: Names::default(),
        looked_up_columns: Names::default(),
        masked_columns: Names::from_iter(["public.customers.email".to_owned()]),
        gates: Gates {
            mention: Mention::Hit,
            analysis: Analysis::Show,
            provenance: Provenance::Passed,
        },
        decision: Decision::Shown,
        grants: Vec::new(),
        rows: 3,
        bytes: 120,
        duration_us: 870,
        sqlstate: SqlState::parse(b"42501"),
        subjects: None,
    })
}

fn release(session: u64, statement: u64) -> Event {
    Event::Release(Box::new(Release {
        session,
        statement,
        client: client(),
        text: sql("select email from customers where id = 42"),
        columns: Names::from_iter(["public.customers.email".to_owned()]),
        lookups: Names::default(),
        grants: vec![7],
    }))
}

fn started() -> Event {
    Event::Started(Started { version: "0.1.0", mode: "enforce", schema: 1 })
}

fn open(dir: &Path) -> Result<(AuditLog, Repair), AuditError> {
    AuditLog::open(dir, time)
}

fn file(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("audit-{number:08}.jsonl"))
}

/// Lines of a log with `records` records.
fn chain_of(records: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::from(Chain::start());
    (0..records)
        .map(|n| {
            let mut line = Vec::new();
            encoder.encode(&statement(&format!("select a{n}")), time(), &mut line).unwrap();
            assert_eq!(line.pop(), Some(b'\n'));
            line
        })
        .collect()
}

fn verify<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<u64, Broken> {
    let mut verifier = Verifier::from_start();
    verifier.file("audit-00000001.jsonl");
    for line in lines {
        verifier.record(line)?;
    }
    Ok(verifier.records())
}

fn verify_all(lines: &[Vec<u8>]) -> Result<u64, Broken> {
    verify(lines.iter().map(Vec::as_slice))
}

mod record {
    use super::*;

    #[test]
    fn a_line_is_one_object_with_its_place_in_the_chain() {
        let line = String::from_utf8(chain_of(1).remove(0)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["seq"], 1);
        assert_eq!(value["time"], "2023-11-14T22:13:20.000001Z");
        assert_eq!(value["kind"], "statement");
        assert_eq!(value["user"], "alice");
        assert_eq!(value["text"], "select a0");
        assert_eq!(value["fingerprint"].as_str().map(str::len), Some(16));
        assert_eq!(value["gates"]["mention"], "hit");
        assert_eq!(value["decision"], "shown");
        assert_eq!(value["sqlstate"], "42501");
        assert_eq!(value["prev"], "0".repeat(64));
        assert!(value.get("raw_columns").is_none(), "empty lists are left out");
        assert!(line.starts_with("{\"seq\":1,\"time\":\""), "{line}");
    }

    #[test]
    fn neither_debug_nor_json_shows_what_a_client_wrote() {
        let grant = Event::Grant(Box::new(Grant {
            step: GrantStep::Requested,
            request: Some(3),
            grant: None,
            subject: "alice".to_owned(),
            database: "shop".to_owned(),
            resources: vec!["public.customers.email".to_owned()],
            actions: vec!["read".to_owned()],
            rows: Some(sql("name = 'Canary'")),
            not_before: None,
            expires_at: Some(time()),
            reason: Some("INC-42".to_owned()),
            by: Some("alice".to_owned()),
            approvers: Vec::new(),
            policy: None,
            conditions: None,
            limits: None,
            urgency: keyhole::audit::Urgency::Ordinary,
            receipt: None,
        }));
        for event in [statement("select 'Canary'"), grant] {
            assert!(!format!("{event:?}").contains("Canary"));
            let mut json = Vec::new();
            Encoder::from(Chain::start()).encode(&event, time(), &mut json).unwrap();
            let json = String::from_utf8(json).unwrap();
            assert!(!json.contains("Canary"), "{json}");
        }
    }
}

mod chain {
    use super::*;

    #[test]
    fn an_untouched_chain_verifies() {
        assert_eq!(verify_all(&chain_of(5)), Ok(5));
        assert_eq!(verify_all(&[]), Ok(0));
    }

    #[test]
    fn a_removed_record_is_found_where_it_was() {
        let mut lines = chain_of(5);
        lines.remove(2);
        let broken = verify_all(&lines).unwrap_err();
        assert_eq!((broken.line, broken.seq), (3, Some(4)));
        assert_eq!(broken.why, Why::Missing { expected: 3 });
        let said = "broken at audit-00000001.jsonl line 3 (seq 4): \
                    records are missing before it: expected seq 3";
        assert_eq!(broken.to_string(), said);
    }

    #[test]
    fn swapped_and_repeated_records_are_found() {
        let mut lines = chain_of(5);
        lines.swap(1, 2);
        assert_eq!(verify_all(&lines).unwrap_err().why, Why::Missing { expected: 2 });
        let mut lines = chain_of(5);
        lines.insert(3, lines[1].clone());
        assert_eq!(verify_all(&lines).unwrap_err().why, Why::Misplaced { expected: 4 });
    }

    #[test]
    fn a_record_of_another_chain_is_found() {
        let mut other = Encoder::from(Chain::start());
        let mut lines = chain_of(3);
        let mut foreign = Vec::new();
        other.encode(&started(), time(), &mut foreign).unwrap();
        foreign.pop();
        // It is well formed and first, so the one behind it tells.
        lines[0] = foreign;
        let broken = verify_all(&lines).unwrap_err();
        assert_eq!((broken.line, broken.why), (2, Why::Unlinked));
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_found(at in 0..4000_usize, bit in 0..8_u32) {
            let mut bytes = chain_of(4).join(&b'\n');
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let checked = verify(bytes.split(|byte| *byte == b'\n'));
            prop_assert!(checked.is_err(), "byte {at}, bit {bit}");
        }

        #[test]
        fn any_other_order_or_choice_of_records_is_found(
            picked in prop::collection::vec(0..6_usize, 0..8)
        ) {
            let lines = chain_of(6);
            let chosen = picked.iter().map(|index| lines[*index].as_slice());
            let in_order = picked.iter().copied().eq(0..picked.len());
            prop_assert_eq!(verify(chosen).is_ok(), in_order);
        }
    }
}

mod directory {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn filled(dir: &Path, records: usize, limits: Limits) {
        let (log, repair) = AuditLog::open_with(dir, limits, time).unwrap();
        assert_eq!(repair, Repair::None);
        for n in 0..records {
            log.append_durable(statement(&format!("select a{n}")), time()).await.unwrap();
        }
        log.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn the_chain_goes_on_over_restarts_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { rotate_bytes: 2000, ..Limits::default() };
        filled(dir.path(), 10, limits.clone()).await;
        filled(dir.path(), 10, limits).await;
        let verified = verify_dir(dir.path()).unwrap();
        assert_eq!(verified.records, 20);
        assert!(verified.files > 3, "{}", verified.files);
        assert_eq!(verified.to_string(), "ok, 20 records");
        fs::remove_file(file(dir.path(), 2)).unwrap();
        let broken = verify_dir(dir.path()).unwrap_err();
        assert_eq!((broken.file.as_str(), broken.why), ("audit-00000002.jsonl", Why::FileMissing));
        assert!(matches!(open(dir.path()), Err(AuditError::Broken(_))));
    }

    #[tokio::test]
    async fn only_its_owner_may_enter_and_only_one_proxy_may_write() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("deep/audit");
        let (log, _) = open(&dir).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&file(&dir, 1)), 0o600);
        assert!(matches!(open(&dir), Err(AuditError::Locked { .. })));
        log.shutdown().await.unwrap();
        open(&dir).unwrap();
    }

    #[test]
    fn a_directory_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        fs::write(&path, "").unwrap();
        assert!(matches!(open(&path), Err(AuditError::Directory { .. })));
        assert!(verify_dir(&path).is_err());
        assert!(verify_dir(&dir.path().join("nowhere")).is_err());
        let broken = verify_dir(dir.path()).unwrap_err();
        assert_eq!(broken.why, Why::FileMissing, "an empty directory is no audit log");
    }

    #[tokio::test]
    async fn a_receipt_covers_the_release_it_was_written_for() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path()).unwrap();
        let receipt = log.append_durable(release(4, 9), time()).await.unwrap();
        assert!(receipt.covers(4, 9));
        assert!(!receipt.covers(4, 10));
        let receipt = log.append_durable(started(), time()).await.unwrap();
        assert!(!receipt.covers(4, 9));
        let line = fs::read_to_string(file(dir.path(), 1)).unwrap();
        assert!(line.contains("\"kind\":\"release\"") && !line.contains("42"), "{line}");
    }

    #[tokio::test]
    async fn a_last_record_cut_anywhere_is_reported_and_repaired() {
        let whole = tempfile::tempdir().unwrap();
        filled(whole.path(), 3, Limits::default()).await;
        let bytes = fs::read(file(whole.path(), 1)).unwrap();
        let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        for cut in last + 1..bytes.len() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(file(dir.path(), 1), &bytes[..cut]).unwrap();
            let cut_off = (cut - last) as u64;
            let broken = verify_dir(dir.path()).unwrap_err();
            assert_eq!((broken.line, &broken.why), (3, &Why::Truncated { bytes: cut_off }));
            assert!(broken.to_string().contains("truncated last record"), "{broken}");
            let (log, repair) = open(dir.path()).unwrap();
            let name = "audit-00000001.jsonl".to_owned();
            assert_eq!(repair, Repair::CutOff { file: name, bytes: cut_off });
            log.shutdown().await.unwrap();
            assert_eq!(verify_dir(dir.path()).unwrap().records, 3);
            let text = fs::read_to_string(file(dir.path(), 1)).unwrap();
            let line: serde_json::Value =
                serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!((&line["kind"], &line["seq"]), (&"repaired".into(), &3.into()));
            assert_eq!(line["bytes"], cut_off);
        }
    }

    #[tokio::test]
    async fn a_log_broken_in_any_other_way_is_not_continued() {
        let whole = tempfile::tempdir().unwrap();
        filled(whole.path(), 3, Limits::default()).await;
        let bytes = fs::read(file(whole.path(), 1)).unwrap();
        for at in (0..bytes.len() - 1).step_by(7) {
            let dir = tempfile::tempdir().unwrap();
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(file(dir.path(), 1), &changed).unwrap();
            assert!(matches!(open(dir.path()), Err(AuditError::Broken(_))), "byte {at}");
            assert_eq!(fs::read(file(dir.path(), 1)).unwrap(), changed, "left as it was");
        }
    }

    #[tokio::test]
    async fn a_record_being_written_is_no_broken_record() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path()).unwrap();
        log.append_durable(started(), time()).await.unwrap();
        let path = file(dir.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"seq\":2,");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(verify_dir(dir.path()).unwrap().records, 1);
        drop(log);
    }
}

/// Row data is released against receipts; this keeps their source in one place.
#[test]
fn only_the_log_issues_receipts() {
    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                if code.contains("Receipt::issue") || code.contains("Receipt {") {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    let mut found = Vec::new();
    visit(Path::new("src"), &mut found);
    found.sort();
    assert_eq!(found, ["src/audit.rs", "src/store/audit_log/writer.rs"]);
}

mod literals {
    use super::*;

    /// A canary in one of the forms that a constant can have, and what surrounds it.
    fn constant(canary: &str, digits: u32) -> impl Strategy<Value = String> + use<> {
        let n = digits;
        let c = canary.to_owned();
        prop::sample::select(vec![
            format!("'{c}'"),
            format!("'it''s {c}'"),
            format!("E'\\'{c}'"),
            format!("e'\\\\\\'{c}\\''"),
            format!("E'x'\n'\\'{c}'"),
            format!("'x' -- it's\n  '{c}'"),
            format!("U&'{c}\\0041'"),
            format!("N'{c}'"),
            format!("B'{c}'"),
            format!("X'{c}'"),
            format!("$${c}$$"),
            format!("$t$ $$ '{c}' $ $t$"),
            format!("$€$ \" {c} /* $€$"),
            format!("$_é1$--{c}$_é1$"),
            format!("/* ' /* \" */ {c} */ 1"),
            format!("1 -- {c} '\n"),
            format!("{n}"),
            format!("1.{n}e-7"),
            format!(".{n}"),
            format!("0x{n}"),
            format!("1_{n}"),
            format!("{n}e5x"),
            format!("{n}\"a\""),
            format!("1e+{n}"),
        ])
    }

    fn filler() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "select ",
            "from t ",
            " where x = ",
            " in (",
            ", ",
            ")",
            "values (",
            "), (",
            "\"q\"\"i\"",
            "\"e\"",
            "e",
            "E ",
            "x",
            "N ",
            "u&",
            "$1 ",
            "a$$b ",
            "größe ",
            "\n",
            " -- c\n",
            "/* c */",
            ";",
            "::text ",
            "||",
            "+-",
            "array[",
            "]",
            "5 ",
            "1.",
            " - ",
            "@>",
            "?",
            "date",
            "_",
        ])
    }

    fn sql(parts: usize) -> impl Strategy<Value = (String, Vec<String>)> {
        let piece = (filler(), filler(), any::<u16>(), any::<bool>(), any::<bool>());
        prop::collection::vec(piece, 1..parts)
            .prop_flat_map(|pieces| {
                let mut fixed = Vec::new();
                let mut constants = Vec::new();
                for (index, (before, after, n, spaced, also)) in pieces.into_iter().enumerate() {
                    let digits = 700_000_000 + u32::from(n) * 32 + index as u32 % 32;
                    let canary = format!("KNRY{index}Z");
                    fixed.push((before, after, spaced, also, canary.clone(), digits));
                    constants.push(constant(&canary, digits));
                }
                (Just(fixed), constants)
            })
            .prop_map(|(fixed, constants)| {
                let mut text = String::new();
                let mut canaries = Vec::new();
                for ((before, after, spaced, also, canary, digits), constant) in
                    fixed.into_iter().zip(constants)
                {
                    let gap = if spaced { " " } else { "" };
                    text.push_str(&format!("{before}{gap}{constant}{gap}"));
                    if also {
                        text.push_str(after);
                    }
                    canaries.push(canary);
                    canaries.push(digits.to_string());
                }
                (text, canaries)
            })
    }

    /// What PostgreSQL's own scanner calls constants and comments.
    fn hidden(sql: &str) -> Option<Vec<String>> {
        use pg_query::protobuf::Token;
        let scanned = pg_query::scan(sql).ok()?;
        let hidden = scanned.tokens.iter().filter(|token| {
            matches!(
                token.token(),
                Token::Sconst
                    | Token::Usconst
                    | Token::Bconst
                    | Token::Xconst
                    | Token::Fconst
                    | Token::Iconst
                    | Token::SqlComment
                    | Token::CComment
            )
        });
        Some(hidden.map(|token| sql[token.start as usize..token.end as usize].to_owned()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_canary_passes_that_postgresql_calls_a_constant((sql, canaries) in sql(6)) {
            let shown = normalize(sql.as_bytes(), Strings::Standard).text;
            if let Some(hidden) = hidden(&sql) {
                for canary in &canaries {
                    if hidden.iter().any(|token| token.contains(canary.as_str())) {
                        prop_assert!(!shown.contains(canary.as_str()), "{sql:?} shows {shown:?}");
                    }
                }
            }
        }

        #[test]
        fn a_canary_alone_among_clean_tokens_never_passes(
            constant in constant("KNRY", 700_123_456),
            before in prop::sample::select(vec!["select ", "x=", "(", "in (1, ", "\"q\"", "a,", "+"]),
            after in prop::sample::select(vec!["", " ", ", 'x'", ")", "::text", " from t", ";"]),
        ) {
            let sql = format!("{before}{constant}{after}");
            let normalized = normalize(sql.as_bytes(), Strings::Standard).text;
            prop_assert!(!normalized.contains("KNRY"), "{sql:?} shows {normalized:?}");
            prop_assert!(!normalized.contains("700123456"), "{sql:?} shows {normalized:?}");
            prop_assert!(!normalized.contains("not shown"), "{sql:?} is certain");
        }

        #[test]
        fn any_bytes_have_a_normal_form(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for strings in [Strings::Standard, Strings::Escapes] {
                let normalized = normalize(&bytes, strings);
                prop_assert_eq!(normalized.fingerprint.len(), 16);
            }
        }

        #[test]
        fn any_sql_like_text_hides_what_postgresql_calls_a_constant(
            sql in "[a-zA-Z0-9'\"$ \n\\\\/*eEuUxXnNbB&_.é€;,()-]{0,40}"
        ) {
            let shown = normalize(sql.as_bytes(), Strings::Standard).text;
            if let (Some(hidden), false) = (hidden(&sql), shown.starts_with("(not shown")) {
                let left: usize = hidden.iter().map(String::len).sum();
                // What is shown fits into what PostgreSQL does not call a constant or a comment,
                // but for the marks that stand for them.
                let marks = shown.matches('?').count() + shown.matches(", ...").count() * 5;
                prop_assert!(
                    shown.len() <= sql.len() - left + marks + hidden.len(),
                    "{sql:?} shows {shown:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn with_escaping_strings_no_canary_passes(
            inner in "[a-z'\\\\ ]{0,12}", tail in "[a-z ,]{0,8}"
        ) {
            // Written as a server without standard strings reads it.
            let quoted = inner.replace('\\', "\\\\").replace('\'', "\\'");
            let sql = format!("select '{quoted}KNRY\\'', x {tail}");
            let shown = normalize(sql.as_bytes(), Strings::Escapes).text;
            prop_assert!(!shown.contains("KNRY"), "{sql:?} shows {shown:?}");
            prop_assert!(shown.starts_with("select ?, x"), "{sql:?} shows {shown:?}");
        }
    }
}
