//! What is asked for, and asked about, over HTTP: several things at once, what others would be
//! shown, and reports of the log.

use super::signing_in::{OURS, basic};
use super::*;

const STATEMENT: &str = "SELECT email FROM customers";

impl Office {
    fn explain(&self, by: &str, of: Option<&str>) -> (u16, serde_json::Value) {
        let mut question = serde_json::json!({ "database": "shop", "statement": STATEMENT });
        if let Some(of) = of {
            question["as"] = of.into();
        }
        let answer = self.post("/api/v1/explain", &basic(by, &password(by)), &question);
        (answer.status, answer.json())
    }
}

#[test]
fn what_somebody_else_would_be_shown_is_for_operators_and_on_record() {
    with_office(|office| async move {
        let id = office.request("alice").await;
        let erik = users().into_iter().find(|user| *user.name == *"erik").expect("a user");
        let approved = office.desk.approvals.approve(&erik, id, Default::default()).await;
        approved.expect("an approval");
        let hers = office.explain("alice", None);
        let (status, of_alice) = office.explain("dora", Some("alice"));
        assert_eq!((status, &of_alice), (200, &hers.1), "as she would see it");
        let (_, own) = office.explain("dora", None);
        assert_ne!(own, of_alice, "alice has a grant");
        assert_eq!(office.explain("alice", Some("alice")).0, 200, "that is herself");
        assert_eq!(office.explain("alice", Some("dora")).0, 403);
        assert_eq!(office.explain("alice", Some("nobody")).0, 403, "who there is is not told");
        assert_eq!(office.explain("dora", Some("nobody")).0, 404);
        let all = office.occurrences.lock().expect("unpoisoned");
        let mut explained = Vec::new();
        for one in all.iter() {
            if let Deed::Explore(asked) = one.deed {
                explained.push((&*one.user.name, asked.names(), one.about.as_deref()));
            }
        }
        assert_eq!(explained, [("dora", vec!["explain"], Some("alice"))]);
    });
}

#[test]
fn a_form_that_asks_for_several_columns_is_filed_whole_or_not_at_all() {
    with_office(|office| async move {
        let head = format!("{}{OURS}", basic("alice", &password("alice")));
        let kind = "application/x-www-form-urlencoded";
        let ask = |picks: &str| {
            let form = format!("deed=request&{picks}&duration=20+minutes&reason=INC-42");
            office.ask("POST", "/", &head, kind, &form)
        };
        let count = || office.desk.approvals.requests().len();
        let email = "pick=public.customers.email";
        let refused = ask(&format!("{email}&pick=public.customers.nothing"));
        assert_eq!((refused.status, count()), (404, 0), "{refused:?}");
        let filed = ask(&format!("{email}&pick=public.customers.phone"));
        assert_eq!((filed.status, count()), (303, 2), "{filed:?}");
        // 49 of them wait, and 50 may.
        for _ in count()..49 {
            office.request("alice").await;
        }
        let refused = ask(&format!("{email}&pick=public.customers.phone"));
        assert_eq!((refused.status, count()), (429, 49), "the second would be too many");
        assert_eq!((ask(email).status, count()), (303, 50));
    });
}

#[test]
fn a_report_says_what_it_is_about() {
    let office = Office::open();
    let head = basic("dora", &password("dora"));
    let ask =
        |query: &str| office.ask("GET", &format!("/api/v1/audit/report{query}"), &head, "", "");
    let whole = ask("").json();
    for table in ["people", "columns", "classes", "grants", "days", "signals"] {
        assert_eq!(whole[table]["items"], serde_json::json!([]), "{table}");
    }
    assert_eq!(whole["chain"]["says"], "no log is kept");
    let days = ask("?by=day&since=2026-01-31T00:00:00Z&limit=7").json();
    assert!(days["days"].is_object() && days["people"].is_null(), "{days}");
    assert_eq!(days["since"], "2026-01-31T00:00:00Z");
    for wrong in ["?by=dream", "?since=yesterday", "?limit=0", "?limit=10001", "?colour=red"] {
        let refused = ask(wrong);
        assert_eq!(refused.status, 400, "{wrong}");
        assert_eq!(refused.json()["title"], "It cannot be read");
    }
    let mut asked = Vec::new();
    for (_, deed, _) in office.deeds() {
        if let Deed::Explore(names) = deed {
            asked.push(names.names());
        }
    }
    assert_eq!(asked, [vec!["report"], vec!["since", "report"]]);
}
