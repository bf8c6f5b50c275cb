//! Whose rows raw results show is on record: pseudonyms up to a limit (3 on the bench), counts
//! beyond it, and what could not be told.

use keyhole::audit::subject::Canonical;
use keyhole::audit::{Event, Shown, SubjectsOf};

use super::bench::{Bench, Log, at};
use super::messages::{ask, row, tell};

const CUSTOMERS: u32 = 20_000;
const ID: (&str, u32, i16, i16) = ("id", CUSTOMERS, 1, 0);
const EMAIL: (&str, u32, i16, i16) = ("email", CUSTOMERS, 3, 0);

fn granted() -> Bench {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench
}

/// Runs a query that is released.
fn query(bench: &mut Bench, log: &Log, sql: &str) {
    bench.client(&ask(|to| to.query(sql)));
    bench.release(log);
}

fn answer(bench: &mut Bench, fields: &[(&str, u32, i16, i16)], rows: &[&[Option<&str>]]) {
    bench.server(&tell(|to| {
        to.describes(fields);
        rows.iter().for_each(|values| row(to, values));
        to.completes(&format!("SELECT {}", rows.len()));
        to.ready(b'I');
    }));
}

/// What each record of a statement says.
fn shown(bench: &Bench) -> Vec<Option<Shown>> {
    let statements = bench.out.audit.iter().filter_map(|event| {
        if let Event::Statement(statement) = event { Some(statement) } else { None }
    });
    statements.map(|statement| statement.subjects.as_deref().cloned()).collect()
}

/// The customers, by the last record of a statement.
fn customers(bench: &Bench) -> SubjectsOf {
    let shown = shown(bench).pop().expect("a record").expect("of something raw");
    let [customers] = shown.tables.as_slice() else { panic!("{shown:?}") };
    assert_eq!(&*customers.table, "public.customers");
    customers.clone()
}

/// The counts of a record: subjects, rows, beyond the limit, unknown.
fn counts(of: &SubjectsOf) -> (usize, u64, u64, u64) {
    (of.keys.len(), of.rows, of.more, of.unknown)
}

fn has(bench: &Bench, of: &SubjectsOf, id: i64) -> bool {
    let column = bench.pseudonyms.column("public.customers", "id");
    of.keys.contains(&column.of(Canonical::Integer(id)))
}

#[test]
fn a_raw_result_tells_whose_rows_it_shows() {
    let (log, mut bench) = (Log::new(), granted());
    query(
        &mut bench,
        &log,
        "SELECT email, id FROM customers WHERE email LIKE '%e%' ORDER BY email",
    );
    let rows: [&[_]; 3] =
        [&[Some("a@e"), Some("7")], &[Some("b@e"), Some("42")], &[None, Some("7")]];
    answer(&mut bench, &[EMAIL, ID], &rows);
    let of = customers(&bench);
    assert_eq!((counts(&of), of.by.len(), &*of.by[0]), ((2, 3, 0, 0), 1, "id"));
    assert!(has(&bench, &of, 7) && has(&bench, &of, 42) && !has(&bench, &of, 8));
    bench.works();
}

#[test]
fn what_is_masked_or_clear_tells_nobody() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT id, email FROM customers")));
    answer(&mut bench, &[ID, EMAIL], &[&[Some("7"), Some("a@e")]]);
    bench.works();
    assert!(shown(&bench).iter().all(Option::is_none));
}

#[test]
fn an_empty_result_shows_nobody() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    answer(&mut bench, &[ID, EMAIL], &[]);
    assert_eq!(shown(&bench), [None]);
}

#[test]
fn beyond_the_limit_rows_are_counted() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    let ids = ["1", "2", "3", "4", "2", "5"];
    let rows: Vec<[Option<&str>; 2]> = ids.map(|id| [Some(id), Some("x@e")]).to_vec();
    let rows: Vec<&[Option<&str>]> = rows.iter().map(|row| &row[..]).collect();
    answer(&mut bench, &[ID, EMAIL], &rows);
    let of = customers(&bench);
    assert_eq!(counts(&of), (3, 6, 2, 0), "the second sight of a known one is no other");
    assert!(has(&bench, &of, 3) && !has(&bench, &of, 4));
}

#[test]
fn a_key_that_is_not_shown_or_not_one_row_s_leaves_rows_unknown() {
    let log = Log::new();
    for (sql, fields, values, told) in [
        ("SELECT email FROM customers", &[EMAIL][..], &[Some("a@e")][..], (0, 1, 0, 1)),
        ("SELECT max(email) FROM customers", &[("max", 0, 0, 0)], &[Some("a@e")], (0, 1, 0, 1)),
        (
            "SELECT id, lag(email) OVER (ORDER BY id) FROM customers",
            &[ID, ("lag", 0, 0, 0)],
            &[Some("7"), Some("a@e")],
            (1, 1, 0, 1),
        ),
        (
            "SELECT a.id, b.email FROM customers a, customers b",
            &[ID, EMAIL],
            &[Some("7"), Some("a@e")],
            (1, 1, 0, 1),
        ),
        (
            "SELECT id, upper(email) FROM customers",
            &[ID, ("upper", 0, 0, 0)],
            &[Some("7"), Some("A@E")],
            (1, 1, 0, 0),
        ),
    ] {
        let mut bench = granted();
        query(&mut bench, &log, sql);
        answer(&mut bench, fields, &[values]);
        assert_eq!(counts(&customers(&bench)), told, "{sql}");
    }
}

#[test]
fn rows_that_an_outer_join_fills_in_are_nobody_s() {
    let (log, mut bench) = (Log::new(), granted());
    let sql =
        "SELECT o.id, c.id, c.email FROM orders o LEFT JOIN customers c ON c.id = customer_id";
    query(&mut bench, &log, sql);
    let order = ("id", 20_001, 1, 0);
    let rows: [&[_]; 3] = [
        &[Some("1"), Some("7"), Some("a@e")],
        &[Some("2"), None, None],
        &[Some("3"), None, Some("b@e")],
    ];
    answer(&mut bench, &[order, ID, EMAIL], &rows);
    assert_eq!(counts(&customers(&bench)), (1, 2, 0, 1), "a value without its key is somebody's");
}

#[test]
fn binary_values_tell_the_same_as_texts() {
    let (log, mut bench) = (Log::new(), granted());
    bench.client(&ask(|to| {
        to.parse("", "SELECT id, email FROM customers");
        to.bind("", "", 1);
        to.describe_portal("");
        to.execute("");
        to.sync();
    }));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[ID, EMAIL]);
        to.describes(&[ID, EMAIL]);
        to.row(&[Some(&42_i32.to_be_bytes()), Some(b"a@e")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let of = customers(&bench);
    assert_eq!(counts(&of), (1, 1, 0, 0));
    assert!(has(&bench, &of, 42));
    bench.works();
}

#[test]
fn a_result_that_is_cut_tells_what_has_gone_out() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    bench.server(&tell(|to| {
        to.describes(&[ID, EMAIL]);
        row(to, &[Some("7"), Some("a@e")]);
    }));
    bench.now = at(60);
    bench.server(&tell(|to| row(to, &[Some("8"), Some("b@e")])));
    let of = customers(&bench);
    assert_eq!(counts(&of), (1, 1, 0, 0));
    assert!(has(&bench, &of, 7) && !has(&bench, &of, 8));
}

#[test]
fn a_client_that_leaves_before_the_end_is_on_record() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    bench.server(&tell(|to| {
        to.describes(&[ID, EMAIL]);
        row(to, &[Some("7"), Some("a@e")]);
    }));
    assert!(shown(&bench).is_empty(), "it goes on");
    bench.abandon();
    assert_eq!(bench.records(), [(keyhole::audit::Decision::Raw, Some("08006".to_owned()))]);
    assert!(has(&bench, &customers(&bench), 7));
}

#[test]
fn rows_of_a_copy_are_unknown() {
    let (log, mut bench) = (Log::new(), granted());
    bench.client(&ask(|to| to.query("COPY (SELECT id, email FROM customers) TO STDOUT")));
    bench.refreshed();
    bench.release(&log);
    bench.server(&tell(|to| {
        to.raw(&[b'H', 0, 0, 0, 11, 0, 0, 2, 0, 0, 0, 0]);
        to.copy_data(b"7\ta@e\n");
        to.copy_data(b"8\tb@e\n");
    }));
    bench.now = at(60);
    bench.tick();
    assert_eq!(counts(&customers(&bench)), (0, 2, 0, 2), "also when it was cut");
}

#[test]
fn a_row_that_passes_in_pieces_is_unknown() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    let long = "v".repeat(3 << 20);
    answer(&mut bench, &[ID, EMAIL], &[&[Some("7"), Some("a@e")], &[Some("8"), Some(&long)]]);
    assert_eq!(counts(&customers(&bench)), (1, 2, 0, 1));
    bench.works();
}

#[test]
fn a_decoy_that_is_shown_raw_is_on_record_and_one_that_is_masked_is_not() {
    let (log, mut bench) = (Log::new(), granted());
    query(&mut bench, &log, "SELECT id, email FROM customers");
    answer(&mut bench, &[ID, EMAIL], &[&[Some("7"), Some("a@e")]]);
    query(&mut bench, &log, "SELECT id, email FROM customers");
    answer(&mut bench, &[ID, EMAIL], &[&[Some("9000001"), Some("a@e")], &[Some("8"), None]]);
    bench.revoke();
    bench.client(&ask(|to| to.query("SELECT id, email FROM customers")));
    answer(&mut bench, &[ID, EMAIL], &[&[Some("9000001"), Some("a@e")]]);
    let honey: Vec<Vec<String>> = shown(&bench)
        .iter()
        .map(|shown| shown.iter().flat_map(|it| &it.honey).map(|it| it.to_string()).collect())
        .collect();
    assert_eq!(honey, [vec![], vec!["public.customers".to_owned()], vec![]]);
}
