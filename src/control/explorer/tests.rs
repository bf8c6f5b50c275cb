use std::path::Path;

use super::*;

fn line(seq: u64, second: u64, user: &str, decision: &str) -> String {
    format!(
        r#"{{"seq":{seq},"time":"2026-01-31T09:00:{second:02}Z","kind":"statement","user":"{user}","decision":"{decision}","prev":"","hash":""}}"#
    )
}

/// A log of sixty statements, of alice and bob in turn.
fn log(dir: &Path) -> Explorer {
    let decisions = ["raw", "shown", "computed", "refused", "cut", "clear"];
    let lines: String = (0..60)
        .map(|n| {
            let user = if n % 2 == 0 { "alice" } else { "bob" };
            line(n + 1, n, user, decisions[usize::try_from(n % 6).unwrap()]) + "\n"
        })
        .collect();
    std::fs::write(dir.join("audit-00000001.jsonl"), lines).unwrap();
    Explorer::new(Some(dir.to_owned()))
}

fn of_alice(len: usize, extent: Extent) -> Question {
    let query = Query { users: vec!["alice".to_owned()], ..Query::default() };
    Question { query, before: None, len, extent }
}

#[tokio::test]
async fn the_newest_come_first_and_all_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let explorer = log(dir.path());
    let found = explorer.search("dora", of_alice(3, Extent::All)).await.unwrap();
    let seqs: Vec<u64> = found.records().map(|record| record.seq).collect();
    assert_eq!(seqs, [59, 57, 55]);
    assert_eq!((found.found, found.lines, found.stopped), (30, 60, None));
    assert_eq!(found.next_before, None, "all was read");
    let tally = Tally { raw: 10, masked: 10, refused: 10, other: 0 };
    assert_eq!(found.activity.values().collect::<Vec<_>>(), [&tally]);
    let all = Question { len: 100, extent: Extent::All, ..Question::default() };
    let all = explorer.search("dora", all).await.unwrap();
    assert_eq!((all.found, all.activity.values().map(|tally| tally.sum()).sum::<u64>()), (60, 60));
    let nothing = Explorer::new(None).search("dora", Question::default()).await.unwrap();
    assert_eq!((nothing.found, nothing.lines), (0, 0));
}

#[tokio::test]
async fn pages_follow_each_other_through_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let explorer = log(dir.path());
    let (mut seqs, mut before) = (Vec::new(), None);
    loop {
        let question = Question { before, ..of_alice(7, Extent::Enough) };
        let page = explorer.search("dora", question).await.unwrap();
        assert!(page.hits.len() <= 7 && page.stopped.is_none());
        seqs.extend(page.records().map(|record| record.seq));
        match page.next_before {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    let expected: Vec<u64> = (1..=60).rev().filter(|seq| seq % 2 == 1).collect();
    assert_eq!(seqs, expected);
}

#[test]
fn who_has_no_time_goes_on_where_it_was_and_never_back() {
    let mut course = Course::new(Question { before: Some(40), ..of_alice(7, Extent::Enough) });
    assert!(course.line(line(60, 5, "alice", "raw").as_bytes()).is_continue());
    assert_eq!(course.end(ControlFlow::Break(())).next_before, Some(40));
    let mut course = Course::new(of_alice(7, Extent::Enough));
    assert!(course.line(line(60, 5, "bob", "raw").as_bytes()).is_continue());
    assert_eq!(course.end(ControlFlow::Break(())).next_before, Some(60));
}

#[test]
fn what_is_too_old_ends_a_search() {
    let since = Some("2026-02-01T00:00:00Z".parse().unwrap());
    let query = Query { since, ..Query::default() };
    let mut course = Course::new(Question { query, len: 7, ..Question::default() });
    assert!(course.line(line(60, 5, "alice", "raw").as_bytes()).is_break());
    assert_eq!(course.end(ControlFlow::Break(())).next_before, None, "what comes before is older");
}

#[tokio::test]
async fn a_report_reads_all_of_the_log_or_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let explorer = log(dir.path());
    let tell = |sums: &Sums, _: &Asked, chain: Option<&Result<Verified, Broken>>| {
        (sums.records, chain.is_some_and(|chain| chain.is_ok()))
    };
    // These lines have no chain.
    let told = explorer.report("dora", Asked::default(), tell).await.unwrap();
    assert_eq!(told, Some((0, false)));
    let none = Explorer::new(None).report("dora", Asked::default(), tell).await.unwrap();
    assert_eq!(none, Some((0, false)));
}

#[test]
fn a_line_tells_its_time() {
    let at = time_of(line(7, 5, "alice", "raw").as_bytes());
    assert_eq!(at, Some("2026-01-31T09:00:05Z".parse().unwrap()));
    for other in ["{}", "{\"seq\":1,\"time\":\"ü", "{\"seq\":"] {
        assert_eq!(time_of(other.as_bytes()), None);
    }
}
