//! How fast a log answers: search, the data-subject report, and the report.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use keyhole::audit::exposure::{Exposure, Question};
use keyhole::audit::query::{Found, Query, Search};
use keyhole::audit::report::{Asked, Sums};
use keyhole::audit::{self, Decision, Event, Pseudonyms, StatementText, Strings};
use keyhole::model::{Client, Timestamp, User};
use keyhole::store::audit_log::{Proofs, gather, scan};

/// People, each in a session of their own.
const PEOPLE: u64 = 500;
const COLUMNS: [&str; 4] =
    ["public.customers.email", "public.customers.ssn", "public.customers.phone", "hr.staff.iban"];

fn people() -> Vec<Arc<Client>> {
    let client = |number: u64| {
        let name = format!("user{number}").into();
        let groups = Arc::new(["support".to_owned()]);
        Arc::new(Client {
            user: User { name, groups, roles: Arc::new([]) },
            address: Some([10, 1, 2, 3].into()),
            application: "psql".into(),
            database: "shop".into(),
        })
    };
    (0..PEOPLE).map(client).collect()
}

/// Of ten statements seven touch no personal data, two are masked and one is shown raw.
fn statement(number: u64, people: &[Arc<Client>], columns: &[audit::Names]) -> Event {
    let session = number * 7_919 % PEOPLE;
    let touched = columns[(number / 10 % 4) as usize].clone();
    let (decision, analysis) = match number % 10 {
        0..=6 => (Decision::Clear, audit::Analysis::NotRun),
        7 | 8 => (Decision::Shown, audit::Analysis::Show),
        _ => (Decision::Raw, audit::Analysis::Show),
    };
    let some = |is: bool| if is { touched.clone() } else { audit::Names::default() };
    Event::Statement(audit::Statement {
        session,
        statement: number,
        client: Arc::clone(&people[session as usize]),
        text: StatementText::new(
            Bytes::from_static(b"SELECT * FROM customers WHERE id = $1"),
            Strings::Standard,
        ),
        relations: audit::Names::default(),
        pii_columns: some(decision != Decision::Clear),
        raw_columns: some(decision == Decision::Raw),
        looked_up_columns: audit::Names::default(),
        masked_columns: some(decision == Decision::Shown),
        gates: audit::Gates {
            mention: audit::Mention::Hit,
            analysis,
            provenance: audit::Provenance::Passed,
        },
        decision,
        grants: if decision == Decision::Raw { vec![session] } else { Vec::new() },
        rows: 1,
        bytes: 9,
        duration_us: 187,
        sqlstate: None,
        subjects: None,
    })
}

pub(super) async fn answer(dir: &Path) {
    let log = super::open(dir);
    let people = people();
    let columns: Vec<audit::Names> =
        COLUMNS.iter().map(|name| [(*name).to_owned()].into_iter().collect()).collect();
    // Some 90 days of it, which the log's clock does not know: one record each four seconds.
    for number in 0..super::READ_BACK {
        let time = Timestamp::from_second(1_700_000_000 + number as i64 * 4).expect("a time");
        log.append(statement(number, &people, &columns), time).await.expect("the log is open");
    }
    log.shutdown().await.expect("everything is written");

    timed("search by column", || {
        let query = Query { columns: vec![COLUMNS[1].to_owned()], ..Query::default() };
        let (search, mut found) = (Search::new(query), 0_u64);
        let pick = |_: keyhole::store::audit_log::Place<'_>, line: &[u8]| {
            matches!(search.look(line), Found::Yes(_)).then_some(())
        };
        scan(dir, pick, |()| found += 1).expect("it is whole");
        found
    });
    timed("search by user", || {
        let query = Query { users: vec!["user7".to_owned()], ..Query::default() };
        let (search, mut found) = (Search::new(query), 0_u64);
        let pick = |_: keyhole::store::audit_log::Place<'_>, line: &[u8]| {
            matches!(search.look(line), Found::Yes(_)).then_some(())
        };
        scan(dir, pick, |()| found += 1).expect("it is whole");
        found
    });
    timed("subject", || {
        let keys = [("id".to_owned(), "42".to_owned())];
        let key = Pseudonyms::new(&[7; 32], 0);
        let question = Question::new("public.customers", &keys, &key);
        let mut exposure = Exposure::default();
        scan(dir, |_, line| question.pick(line), |item| exposure.take(item)).expect("it is whole");
        exposure.finished().may_have_seen.len() as u64
    });
    timed("report", || {
        let (asked, mut sums) = (Asked::default(), Sums::default());
        let add = |sums: &mut Sums, _: keyhole::store::audit_log::Place<'_>, line: &[u8]| {
            sums.take(&asked, line);
        };
        gather(dir, &Proofs::default(), add, |part| sums.merge(part)).expect("it is whole");
        sums.records
    });
}

fn timed(question: &str, ask: impl FnOnce() -> u64) {
    super::forget_peak();
    let began = Instant::now();
    let found = ask();
    println!(
        "{{\"question\": \"{question}\", \"found\": {found}, \"records_per_s\": {:.0}, \
         \"peak_mib\": {}}}",
        super::READ_BACK as f64 / began.elapsed().as_secs_f64(),
        super::peak_kib() >> 10,
    );
}
