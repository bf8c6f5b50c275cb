use super::*;

fn text(sql: &str) -> String {
    normalize(sql.as_bytes(), Strings::Standard).text
}

fn fingerprint(sql: &str) -> String {
    normalize(sql.as_bytes(), Strings::Standard).fingerprint
}

#[test]
fn constants_give_way_to_question_marks() {
    for (sql, expected) in [
        ("SELECT 'a''b', 1", "SELECT ?, ?"),
        ("select E'it\\'s' , e'\\\\'", "select ?, ?"),
        ("select U&'d\\0061t' UESCAPE '!'", "select ? UESCAPE ?"),
        ("select B'01', x'1F', N'n', n'm'", "select ?, ?, ?, ?"),
        ("select $$a'b$$, $t$ $$ $t$", "select ?, ?"),
        ("select $€$ it's $€$, $_1é$x$_1é$", "select ?, ?"),
        ("select 1, 1.5, .5, 1., 1e5, 1e+5, 1E-5", "select ?, ?, ?, ?, ?, ?, ?"),
        ("select 0x1F, 0o17, 0b1, 1_000, 1e5x", "select ?, ?, ?, ?, ?"),
        ("select 5\"a\", 5a, 1-2, -3", "select ?\"a\", ?, ?-?, -?"),
        ("select date'2020-01-01'", "select date?"),
        ("select a.b, a[1:2], x::int4", "select a.b, a[?:?], x::int4"),
        ("select $1, $22 from t", "select $1, $22 from t"),
        ("select $4111111111111111", "select $"),
        ("select $1x", "select $1"),
        ("select 'a'\n  'b\\' -- c\n 'd'", "select ?"),
        ("select e'a'\n'it\\'s'", "select ?"),
        ("select 'C:\\' as c, 'x' like 'y' escape '\\'", "select ? as c, ? like ? escape ?"),
        ("select foo_e'a', fe'b'", "select foo_e?, fe?"),
        ("select \"e\"'a'", "select \"e\"?"),
        ("select a$$b from t", "select a$$b from t"),
        ("select 1$$b$$", "select ??"),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

#[test]
fn identifiers_and_case_stay_as_written() {
    assert_eq!(text("SELECT \"Na\"\"me\" FROM Größe"), "SELECT \"Na\"\"me\" FROM Größe");
    assert_eq!(text("SELECT U&\"d\\0061t\" FROM t"), "SELECT U&\"d\\0061t\" FROM t");
}

#[test]
fn comments_go_and_white_space_folds() {
    for (sql, expected) in [
        ("  select\t1 ;\n", "select ?"),
        ("select /* a /* b */ 'c' */ x -- it's\n, y", "select x, y"),
        ("select /*/ a */ b */ x", "select b */ x"),
        ("select 1+--2\n3", "select ?+ ?"),
        ("select a*/* x */b", "select a* b"),
        ("select ( 1 )", "select (?)"),
        (";;select 1;;select 2;", "select ?;select ?"),
        ("", ""),
        ("-- only this", ""),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

#[test]
fn lists_of_constants_fold() {
    for (sql, expected) in [
        ("x in (1, 2, 3)", "x in (?, ...)"),
        ("x IN ($1,$2)", "x IN (?, ...)"),
        ("x in (-1, +2)", "x in (?, ...)"),
        ("x in (1)", "x in (?)"),
        ("x in (select 1)", "x in (select ?)"),
        ("x in (1, f(2), 3)", "x in (?, f(?), ?)"),
        ("x = any(array[1,2])", "x = any(array[?, ...])"),
        ("f(1, 2)", "f(?, ?)"),
        ("values (1, 'a'), (2, 'b'), (3, 'c')", "values (?, ?), ..."),
        ("VALUES ($1, now()), ($2, now()) RETURNING id", "VALUES ($1, now()), ... RETURNING id"),
        ("values (1), (f(2)), (3), (4)", "values (?), (f(?)), (?), ..."),
        ("values (1, (2)), (x in (3, 4), 5)", "values (?, (?)), (x in (?, ...), ?)"),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

#[test]
fn fingerprints_see_through_what_does_not_matter() {
    for (one, other) in [
        ("select 1", "SELECT   'x' ;"),
        ("select a from t where b = 1", "select a/* c */ from t -- d\nwhere b=2"),
        ("select 1 where x in (1)", "select 2 where x in (4,5,6)"),
        ("select 1 where x in ($1)", "select 2 where x in (4,5,6)"),
        ("insert into t values (1,2)", "insert into t values (3,4),(5,6), (7,8)"),
        ("insert into t values ($1,$2)", "insert into t values ($1,$2),($3,$4)"),
    ] {
        assert_eq!(fingerprint(one), fingerprint(other), "{one} and {other}");
    }
}

#[test]
fn fingerprints_differ_where_statements_do() {
    let statements = [
        "select a from t",
        "select b from t",
        "select ab from t",
        "select a b from t",
        "select \"A\" from t",
        "select \"a\" from t",
        "select a from t where b = 1",
        "select a from t where b = $1",
        "select a from t where b in (1)",
        "insert into t values (1)",
        "insert into t values (1, 2)",
        "select 1; select 2",
    ];
    let mut fingerprints: Vec<_> = statements.iter().map(|sql| fingerprint(sql)).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), statements.len());
}

#[test]
fn what_is_not_certain_is_not_shown() {
    for sql in [
        "select 'secret",
        "select e'secret\\'",
        "select e'secret\\",
        "select $$secret",
        "select $a$secret$b$",
        "select $a secret",
        "select \"secret",
        "select /* secret /* */",
        "select secret \\ x",
        "select secret \0 x",
        "select {d 'secret'}",
        "select 1e'secret\\''",
        "select 0x'secret'",
        "select 1a$$ secret $$",
        "select $1e'secret\\''",
        "select 'a\\'secret'",
    ] {
        let normalized = normalize(sql.as_bytes(), Strings::Standard);
        assert!(normalized.text.starts_with("(not shown: "), "{sql}: {}", normalized.text);
        assert!(!normalized.text.contains("secret"), "{sql}");
    }
    assert_eq!(normalize(b"select '\xff'", Strings::Standard).text, "(not shown: not UTF-8)");
}

#[test]
fn without_standard_strings_a_backslash_escapes() {
    let text = |sql: &str| normalize(sql.as_bytes(), Strings::Escapes).text;
    assert_eq!(text("select 'it\\'s', x"), "select ?, x");
    assert_eq!(text("select n'it\\'s', x"), "select ?, x");
    assert_eq!(text("select 'a'\n'it\\'s', x"), "select ?, x");
    assert!(text("select b'0\\'",).starts_with("(not shown: "));
    assert!(text("select u&'\\0061'").starts_with("(not shown: "));
}

#[test]
fn the_fingerprint_of_a_hidden_text_tells_nothing_of_it() {
    assert_eq!(fingerprint("select 'one"), fingerprint("update t set x = 'two"));
}

#[test]
fn long_texts_are_cut_between_tokens() {
    let sql = format!("select {}b", "ä, ".repeat(TEXT_BYTES_MAX));
    let text = text(&sql);
    assert!(text.len() <= TEXT_BYTES_MAX + '…'.len_utf8());
    assert!(text.ends_with('…'), "{text}");
    let other = format!("{sql}, c");
    assert_ne!(fingerprint(&sql), fingerprint(&other), "the end counts, shown or not");
}

fn members(normalizer: &mut Normalizer, sql: &str, strings: Strings) -> String {
    String::from_utf8(normalizer.members(sql.as_bytes(), strings).to_vec()).unwrap()
}

#[test]
fn the_normalizer_remembers_texts_with_their_reading() {
    let mut normalizer = Normalizer::default();
    let sql = "select 'a\\', x --'";
    let rendered = |strings| {
        let Normalized { text, fingerprint } = normalize(sql.as_bytes(), strings);
        format!(",\"fingerprint\":\"{fingerprint}\",\"text\":\"{text}\"")
    };
    assert!(rendered(Strings::Standard).ends_with("select ?, x\""));
    for strings in [Strings::Standard, Strings::Escapes] {
        for _ in 0..3 {
            assert_eq!(members(&mut normalizer, sql, strings), rendered(strings));
        }
    }
    let known = normalizer.slots.iter().filter(|slot| slot.known.is_some()).count();
    assert!((1..=2).contains(&known), "{known}");
    assert!(members(&mut normalizer, "select \"a\"", Strings::Standard).ends_with("\\\"a\\\"\""));
}

#[test]
fn a_text_that_comes_once_is_not_kept() {
    let mut normalizer = Normalizer::default();
    for n in 0..100 {
        let fields = members(&mut normalizer, &format!("select {n}"), Strings::Standard);
        assert!(fields.ends_with("\"select ?\""), "{fields}");
    }
    assert!(normalizer.slots.iter().all(|slot| slot.known.is_none()));
}

#[test]
fn texts_of_one_place_do_not_take_each_others_form() {
    let mut normalizer = Normalizer::default();
    for round in 0..3 {
        // More texts than places, some of them again and again.
        for n in 0..3 * SLOTS {
            let column = if n % 3 == 0 { n % 64 } else { n };
            let sql = format!("select c{column} where id = {round}");
            let fields = members(&mut normalizer, &sql, Strings::Standard);
            assert!(fields.ends_with(&format!("\"select c{column} where id = ?\"")), "{fields}");
        }
    }
}

#[test]
fn the_fingerprint_is_the_first_member() {
    let mut normalizer = Normalizer::default();
    let fields = members(&mut normalizer, "select 1", Strings::Standard);
    let first = format!(",\"fingerprint\":\"{}\"", fingerprint("select 1"));
    assert_eq!(fields[..FINGERPRINT_FIELD_LEN], first);
}

#[test]
fn identifiers_that_are_values_are_left_out() {
    for (sql, text) in [
        (r#"select 'x' as "jane@example.com""#, r#"select ? as "?""#),
        (r#"select 1 as "4111 1111 1111 1111""#, r#"select ? as "?""#),
        (r#"select 1 as "Customer Name""#, r#"select ? as "Customer Name""#),
        (r#"select * from "events_20240115""#, r#"select * from "events_20240115""#),
    ] {
        assert_eq!(normalize(sql.as_bytes(), Strings::Standard).text, text, "{sql}");
    }
    let print = |sql: &str| normalize(sql.as_bytes(), Strings::Standard).fingerprint;
    assert_eq!(print(r#"select 1 as "a@b""#), print(r#"select 1 as "123-45-67890""#));
}
