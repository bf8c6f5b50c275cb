use super::*;
use crate::audit::{Strings, normalize};

fn round(sql: &str) -> Result<String, Lost> {
    restored(&normalize(sql.as_bytes(), Strings::Standard).text)
}

#[test]
fn constants_come_back_in_a_form_that_the_grammar_takes() {
    for (sql, expected) in [
        ("SELECT 1", "SELECT ''"),
        ("SELECT a FROM t WHERE b = 'x' AND c > -5", "SELECT a FROM t WHERE b = '' AND c > -''"),
        ("SELECT a FROM t WHERE b IN (1, 2, 3)", "SELECT a FROM t WHERE b IN ('')"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES ('', '')"),
        ("SELECT a FROM t LIMIT 5 OFFSET 10", "SELECT a FROM t LIMIT  0  OFFSET  0 "),
        ("SELECT a::varchar(20) FROM t", "SELECT a::varchar( 0 ) FROM t"),
        ("SELECT interval '1 day', date '2026-01-01'", "SELECT interval '', date ''"),
        ("SELECT now() - interval '1' day", "SELECT now() - interval '' day"),
        ("SELECT d FROM t WHERE d ? 'k'", "SELECT d FROM t WHERE d ? ''"),
        ("SELECT d FROM t WHERE d ?| array['a', 'b']", "SELECT d FROM t WHERE d ?| array['']"),
        ("SELECT d FROM t WHERE '{}'::jsonb ? k", "SELECT d FROM t WHERE ''::jsonb ? k"),
        ("SELECT a FROM t WHERE d ? $1", "SELECT a FROM t WHERE d ? $1"),
        ("SELECT a FROM t WHERE d @? '$.a'", "SELECT a FROM t WHERE d @? ''"),
        ("SELECT a || 'x' || b FROM t", "SELECT a || '' || b FROM t"),
        ("SELECT 'x'||b FROM t", "SELECT ''||b FROM t"),
        ("SELECT uuid '0' FROM t", "SELECT uuid '' FROM t"),
        ("COPY t TO STDOUT WITH (DELIMITER ',')", "COPY t TO STDOUT WITH (DELIMITER '')"),
        ("SELECT $1, a FROM t WHERE b = $2", "SELECT $1, a FROM t WHERE b = $2"),
        ("SELECT \"a?b\" FROM t WHERE c = 1", "SELECT \"a?b\" FROM t WHERE c = ''"),
        ("SELECT a AS \"jane@example.com\" FROM t", "SELECT a AS \"?\" FROM t"),
        ("SELECT E'\\'', b'1', $$x$$ FROM t", "SELECT '', '', '' FROM t"),
        ("SET statement_timeout = 5", "SET statement_timeout = ''"),
        ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY  0 "),
    ] {
        assert_eq!(round(sql).as_deref(), Ok(expected), "{sql}");
    }
}

#[test]
fn a_wrong_guess_is_changed_where_the_grammar_stopped() {
    for sql in [
        "SELECT jsonb '{}' ? 'a' FROM t",
        "CREATE TABLE t (a numeric(10, 2), b bit(3), c char(1) DEFAULT 'x')",
        "CREATE SEQUENCE s START 5 INCREMENT 2",
        "ALTER SEQUENCE s RESTART WITH 7",
        "COMMENT ON TABLE t IS 'words'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'",
        "DO 'begin end'",
        "SELECT a FROM t FETCH FIRST 5 ROWS ONLY",
        "SELECT * FROM t TABLESAMPLE system (5)",
        "SELECT (ARRAY[1, 2])[1], a[2:3] FROM t",
        "SELECT extract('year' from d) FROM t",
        "ALTER ROLE r VALID UNTIL '2030-01-01' PASSWORD 'x'",
        "SELECT a FROM t WHERE b BETWEEN 1 AND 2 AND c LIKE 'a%' ESCAPE '!'",
        "SELECT x FROM (VALUES (1, 'a'), (2, 'b')) v(x, y) WHERE y = ANY('{a}')",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END FROM t",
        "SELECT a FROM t AT WHERE b = 'x' AND d ?& array['a']",
        "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (10)",
        "NOTIFY channel, 'payload'",
        "SET TIME ZONE 'UTC'",
        "SELECT 1 ? 2",
    ] {
        let text = round(sql);
        assert!(text.is_ok(), "{sql}: {text:?}");
    }
}

#[test]
fn what_says_nothing_by_itself_is_told_apart() {
    let long = format!("SELECT {}a FROM t", "a, ".repeat(3000));
    for (sql, lost) in [
        ("SELECT 'open", Lost::NotShown),
        (long.as_str(), Lost::Cut),
        ("SELEC 1", Lost::Syntax),
        ("SELECT \"jane@example.com\" FROM t", Lost::Name),
        ("SELECT a FROM \"0123456789\"", Lost::Name),
        ("EXECUTE p(1)", Lost::Earlier),
        ("EXPLAIN EXECUTE p", Lost::Earlier),
        ("FETCH 10 FROM c", Lost::Earlier),
    ] {
        assert_eq!(round(sql), Err(lost), "{sql}");
    }
}

/// What PostgreSQL's grammar takes of the statements that other tests are made of, it takes without
/// their constants.
#[test]
fn statements_of_other_tests_parse_without_their_constants() {
    let (mut parsed, mut lost) = (0, Vec::new());
    for (file, between) in [
        ("golden/queries", "\n\n"),
        ("golden/writes", "\n\n"),
        ("golden/others", "\n\n"),
        ("prove/corpus/admin", "\n"),
        ("prove/corpus/application", "\n"),
        ("prove/corpus/basics", "\n"),
        ("prove/corpus/bi", "\n"),
        ("prove/corpus/orm", "\n"),
        ("prove/corpus/syntax", "\n"),
        ("prove/corpus/writes", "\n"),
    ] {
        let path = format!("{}/tests/{file}.sql", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("statements");
        for sql in text.split(between).filter(|sql| !sql.trim().is_empty()) {
            if !parse(sql).is_ok_and(|parsed| !parsed.statements.is_empty()) {
                continue;
            }
            match round(sql) {
                Ok(_) | Err(Lost::Earlier | Lost::Cut | Lost::Name) => parsed += 1,
                Err(error) => lost.push(format!("{error}: {sql}")),
            }
        }
    }
    assert!(parsed > 850, "{parsed}");
    // Which character escapes is a constant, and what the name is hangs on it.
    let escaped = r#"SELECT U&"!0065mail" UESCAPE '!' FROM U&"c\0075stomers""#;
    assert_eq!(lost, [format!("{}: {escaped}", Lost::Syntax)]);
}
