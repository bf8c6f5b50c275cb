//! The whole life of requests and grants through real sessions.

use std::time::Duration;

use crate::desk::{Dba, EMAIL, Shop, email, masked};
use crate::support::client::{bind, execute, parse, query, sync};
use crate::support::message::Format;
use crate::support::wait::until;

/// Alice asks for addresses, with more to say.
fn request(more: &str) -> String {
    format!(
        "SELECT state, note FROM keyhole.request('customers.email', '30 minutes', 'INC-42: \
         refund'{more})"
    )
}

fn column(dba: &mut Dba, show: &str, name: &str) -> Vec<String> {
    let reply = dba.say(show);
    let at = reply.columns().iter().position(|column| column.name == name);
    let at = at.unwrap_or_else(|| panic!("{show} has no column {name}"));
    reply.rows().into_iter().map(|row| row[at].clone()).collect()
}

/// Waits until somebody's request is on the desk, and tells its number.
fn waiting(dba: &mut Dba) -> String {
    until("a request waits", || {
        let ids = column(dba, "SHOW REQUESTS", "id");
        let states = column(dba, "SHOW REQUESTS", "state");
        ids.into_iter().zip(states).find(|(_, state)| state == "pending").map(|(id, _)| id)
    })
}

#[test]
fn a_request_can_wait_in_its_session_until_it_is_decided() {
    let shop = Shop::open("jit_wait");
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    alice.start(&request(", wait => true"));
    let id = waiting(&mut dba);
    dba.say(&format!("APPROVE {id}"));
    assert_eq!(alice.until_ready().ok().rows()[0][0], "approved");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    alice.start(&request(", wait => true"));
    let id = waiting(&mut dba);
    dba.say(&format!("DENY {id} REASON 'no ticket'"));
    assert_eq!(alice.until_ready().ok().rows()[0][0], "denied");
}

#[test]
fn a_request_that_waits_can_be_cancelled_and_the_session_goes_on() {
    let shop = Shop::open("jit_wait_cancel");
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    alice.start(&request(", wait => true"));
    let id = waiting(&mut dba);
    alice.cancel().expect("the port answers");
    assert_eq!(alice.until_ready().code(), "57014");
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()));
    alice.query(&format!("SELECT * FROM keyhole.cancel({id})")).ok();
    assert_eq!(column(&mut dba, "SHOW REQUESTS", "state"), ["cancelled"]);
}

#[test]
fn what_is_asked_for_is_what_is_granted() {
    let shop = Shop::open("jit_terms");
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    let more = ", rows => 'id = 5', actions => 'read', ticket => 'T-7', max_rows => '10'";
    let asked = alice.extended(&request(more), &[], Format::Text).ok();
    assert_eq!(asked.rows()[0][0], "pending");
    dba.approve("alice");
    assert_eq!(column(&mut dba, "SHOW GRANTS", "rows"), ["\"id\" = 5"]);
    assert_eq!(column(&mut dba, "SHOW GRANTS", "ticket"), ["T-7"]);
    assert_eq!(column(&mut dba, "SHOW GRANTS", "limits"), ["at most 10 rows"]);
    let reply = alice.query("SELECT email FROM customers WHERE id IN (5, 6) ORDER BY id").ok();
    assert_eq!(reply.rows()[0][0], email());
    assert!(reply.rows()[1][0].contains("***"), "{reply:?}");
}

#[test]
fn what_makes_no_sense_is_refused_at_once_and_in_words() {
    let shop = Shop::open("jit_bad");
    let mut alice = shop.alice().connect();
    for (sql, code, words) in [
        ("'customers.balance', '5 min', 'x'", "42704", "not in the catalog"),
        ("'customers.email', '31 minutes', 'x'", "42501", "allows at most 30min, not 31min"),
        ("'customers.email', 'soon', 'x'", "22023", "a number and a unit"),
        ("'customers.email', '5 min', ''", "22023", "a reason is needed"),
        ("'customers.email', '5 min', 'x', rows => 'id ='", "22023", "a condition such as"),
        ("'customers.email', '5 min', 'x', rows => 'random() < 1'", "22023", "compares columns"),
        ("'customers.email', '5 min', 'x', rows => 'id IN (SELECT 1)'", "22023", "rows:"),
        ("'customers.email', '5 min', 'x', rows => 'orders.id = 1'", "22023", "rows:"),
        ("'customers.email', '5 min', 'x', rows => 'ssn = ''1'''", "22023", "personal data"),
        ("'customers.email', '5 min', 'x', rows => 'nosuch = 1'", "22023", "does not exist"),
        ("'customers.email', '5 min', 'x', subject => 'bob'", "42501", "for oneself"),
        ("'customers.email', '5 min', 'x', max_rows => '0'", "22023", "leaves nothing"),
        ("'customers.email', '5 min', 'x', colour => 'red'", "42704", "has no colour"),
        ("'customers.email', '5 min'", "42704", "have to be given"),
        ("'customers.email', '5 min', 'x', 'y'", "42704", "go by name"),
    ] {
        let reply = alice.query(&format!("SELECT * FROM keyhole.request({sql})"));
        let error = reply.error().unwrap_or_else(|| panic!("{sql} is taken"));
        assert_eq!(error.code(), code, "{sql}: {error:?}");
        assert!(error.text().contains(words), "{sql}: {}", error.text());
    }
    assert_eq!(alice.query("SELECT * FROM keyhole.my_requests").ok().rows().len(), 0);
}

/// Which rows are shown would tell what the column holds.
#[test]
fn rows_are_not_chosen_by_what_is_hidden_without_a_class() {
    let shop = Shop::open_with("jit_unclassified", |config| {
        config.set("enforcement", "unclassified", "mask")
    });
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    let asked = alice.query(&request(", rows => 'balance = 42'"));
    let error = asked.error().expect("a refusal");
    assert!(error.text().contains("personal data itself"), "{error:?}");
    let told = dba.try_say(
        "GRANT READ ON shop.public.customers.email WHERE balance = 42 TO alice FOR '5 min' REASON \
         'INC-1'",
    );
    assert!(told.error().expect("a refusal").text().contains("personal data itself"));
}

#[test]
fn rows_are_counted_exactly_over_all_sessions() {
    let shop = Shop::open("jit_rows");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1' MAX 50 ROWS",
    );
    let raw: usize = std::thread::scope(|scope| {
        let read = || {
            let (mut session, mut raw) = (shop.alice().connect(), 0);
            for round in 0..20 {
                let sql = "SELECT id, email FROM customers WHERE id = 5";
                let reply = match round % 2 {
                    0 => session.query(sql),
                    _ => session.extended(sql, &[], Format::Binary),
                };
                match &*reply.code() {
                    // Somebody else took the last one.
                    "42501" => {}
                    _ => raw += usize::from(reply.ok().rows()[0][1] == email()),
                }
            }
            raw
        };
        let readers: Vec<_> = (0..6).map(|_| scope.spawn(read)).collect();
        readers.into_iter().map(|reader| reader.join().expect("no panic")).sum()
    });
    assert_eq!(raw, 50);
    let mut dba = shop.dba();
    until("it is told that it is used up", || {
        (column(&mut dba, "SHOW GRANTS", "state") == ["exhausted"]).then_some(())
    });
    assert_eq!(column(&mut dba, "SHOW GRANTS", "used"), ["50 rows, 0 uses, 0 subjects"]);
}

#[test]
fn limits_are_kept_by_every_form_of_a_statement() {
    let mut shop = Shop::open("jit_limits");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1' MAX 3 ROWS",
    );
    let mut alice = shop.alice().connect();
    for sql in [
        "SELECT string_agg(email, ',') FROM customers WHERE id = 5",
        "SELECT upper(email) FROM customers WHERE id = 5",
        "COPY (SELECT email FROM customers WHERE id = 5) TO STDOUT",
        "SELECT email FROM (SELECT email FROM customers WHERE id = 5) s",
    ] {
        let reply = alice.query(sql).ok();
        assert!(!format!("{reply:?}").contains(&email()), "{sql} was not counted: {reply:?}");
    }
    let all = "SELECT email FROM customers ORDER BY id";
    alice.send(&[parse("", all), bind("", "", &[], Format::Text)].concat()).expect("alive");
    alice.send(&[execute("", 2), execute("", 2), sync()].concat()).expect("alive");
    let reply = alice.until_ready();
    assert_eq!((reply.code().as_str(), reply.raw_rows().len()), ("42501", 3));
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()), "and the session goes on");
    // What was counted is on the disk within a moment.
    let mut dba = shop.dba();
    until("the count is stored", || {
        (column(&mut dba, "SHOW GRANTS", "state") == ["exhausted"]).then_some(())
    });
    shop.proxy.restart();
    let mut alice = shop.alice().connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()), "after kill -9");
}

#[test]
fn a_use_is_counted_before_anything_is_shown_whatever_is_killed() {
    let mut shop = Shop::open("jit_uses");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1' MAX 5 USES",
    );
    let mut raw = 0;
    for _ in 0..10 {
        let mut alice = shop.alice().connect();
        let value = alice.query("SELECT max(email) FROM customers WHERE id = 5").ok().scalar();
        raw += usize::from(value == email());
        shop.proxy.kill9();
        shop.proxy.restart();
    }
    assert_eq!(raw, 5);
}

#[test]
fn subjects_are_counted_by_their_key() {
    let shop = Shop::open("jit_subjects");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1' \
         MAX 2 SUBJECTS",
    );
    let mut alice = shop.alice().connect();
    let one = |id: u32| format!("SELECT id, email FROM customers WHERE id = {id}");
    for _ in 0..3 {
        assert_eq!(alice.query(&one(5)).ok().rows()[0][1], email(), "the same one again");
    }
    assert!(!alice.query(&one(6)).ok().rows()[0][1].contains("***"), "the second");
    let third = alice.query(&one(7));
    assert_eq!((third.code().as_str(), third.raw_rows().len()), ("42501", 0));
    let anonymous = alice.query("SELECT email FROM customers WHERE id = 5");
    assert!(anonymous.error().expect("a refusal").field('H').unwrap_or("").contains("id"));
    assert_eq!(alice.query(&one(5)).ok().rows()[0][1], email(), "still");
}

#[test]
fn time_runs_from_the_first_use() {
    let shop = Shop::open("jit_first_use");
    let mut dba = shop.dba();
    dba.say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '2 seconds' REASON 'INC-1' \
         FROM FIRST USE",
    );
    std::thread::sleep(Duration::from_millis(2500));
    let mut alice = shop.alice().connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), email(), "its time had not begun");
    until("it ends two seconds later", || {
        let reply = alice.query(EMAIL);
        (reply.code() == "42501" || reply.ok().scalar() == masked(&email())).then_some(())
    });
}

#[test]
fn an_extension_leaves_no_gap_in_what_streams() {
    let shop = Shop::open("jit_extend");
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    dba.say("GRANT READ ON shop.public.customers.email TO alice FOR '3 seconds' REASON 'INC-1'");
    let mut stream = shop.alice().connect();
    let long = "SELECT email, pg_sleep(0.05) FROM customers, generate_series(1, 100) WHERE id = 5";
    stream.send(&query(long)).expect("alive");
    let asked = "SELECT id FROM keyhole.extend(1, '20 minutes', 'INC-1: it takes longer')";
    let id = alice.query(asked).ok().scalar();
    dba.say(&format!("APPROVE {id}"));
    let reply = stream.until_ready().ok();
    assert_eq!(reply.rows().len(), 100, "five seconds, the first grant would have ended after 3");
    assert!(reply.rows().iter().all(|row| row[0] == email()));
    alice.query("SELECT * FROM keyhole.revoke(1)").ok();
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()), "given back");
    let late = alice.query("SELECT * FROM keyhole.extend(1, '20 minutes', 'INC-1: more')");
    assert_eq!(late.code(), "22023", "{late:?}");
}

#[test]
fn break_glass_is_immediate_loud_and_reviewed() {
    let shop = Shop::open_with("jit_break_glass", |mut config| {
        config.push(
            "policy",
            "name = 'emergencies'\nsubjects = ['group:support']\nresources = ['*']\n\
             actions = ['read']\nmax_duration = '10m'\napprovals = 0\nbreak_glass = true\n\
             approvers = ['group:dba']\nreview_within = '1s'\nreason = '^INC-[0-9]+'",
        );
        config
    });
    let (mut alice, mut dba) = (shop.alice().connect(), shop.dba());
    let ask = "SELECT state FROM keyhole.request('customers.email', '10 minutes', 'INC-9: down', \
               break_glass => true)";
    assert_eq!(alice.query(ask).ok().scalar(), "approved");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    assert!(shop.proxy.audit_text().contains("\"urgency\":\"break_glass\""));
    let locked = until("its review is overdue", || {
        let reply = alice.query(ask);
        reply.error().map(|error| error.text().to_owned())
    });
    assert!(locked.contains("break-glass access is locked for alice"), "{locked}");
    for id in column(&mut dba, "SHOW GRANTS", "id") {
        dba.say(&format!("REVIEW {id} REASON 'the database was down'"));
    }
    assert_eq!(alice.query(ask).ok().scalar(), "approved");
    let mut bob = shop.bob().connect();
    assert_eq!(bob.query(ask).code(), "42501", "not his policy");
}

#[test]
fn everything_of_somebody_and_everything_on_something_can_be_revoked() {
    let shop = Shop::open("jit_revoke");
    let (mut alice, mut bob, mut dba) = (shop.alice().connect(), shop.bob().connect(), shop.dba());
    let grant = |to: &str, on: &str| {
        let words = format!("GRANT READ ON shop.public.{on} TO {to} FOR '5 min' REASON 'INC-1'");
        shop.dba().say(&words);
    };
    grant("alice", "customers.email");
    grant("alice", "customers.ssn");
    grant("bob", "customers.email");
    dba.say("REVOKE ALL ON shop.public.customers.ssn");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    dba.say("REVOKE ALL FROM alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()));
    assert_eq!(bob.query(EMAIL).ok().scalar(), email());
    dba.say("REVOKE ALL");
    assert_eq!(bob.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn policies_can_be_thought_through_on_the_command_line() {
    let shop = Shop::open("jit_policy_test");
    let file = shop.proxy.config.file();
    let run = |more: &[&str]| {
        let file = file.to_str().expect("UTF-8");
        let args = [&["policy", "test", "--config", file, "--database", "shop"], more].concat();
        let output = shop.proxy.config.command(&args).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, said) = run(&["customers.email"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("alice: after an approval by group:dba"), "{said}");
    assert!(said.contains("\"anything, approved by a DBA\" decides"), "{said}");
    let (code, said) = run(&["--as", "alice", "--for", "2h", "--json", "customers.email"]);
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &told["allowed"]), (Some(1), &false.into()), "{said}");
    assert!(told["outcome"].as_str().unwrap_or("").contains("allows at most 30min, not 2h"));
    assert_eq!(run(&["customers.nosuch"]).0, Some(2));
}

/// PL/pgSQL reads a portal by a name that no text mentions, past the counting of its rows.
#[test]
fn a_function_reads_no_portal_whose_rows_are_counted() {
    let shop = Shop::open("jit_refcursor");
    let grab = "CREATE FUNCTION grab(c refcursor) RETURNS text LANGUAGE plpgsql AS \
                $$ DECLARE r record; BEGIN FETCH c INTO r; RETURN r::text; END $$";
    shop.direct().connect().query(grab).ok();
    shop.dba().say("RELOAD");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1' MAX 1 ROWS",
    );
    let mut alice = shop.alice().connect();
    // The schema is read again after a definition.
    alice.query("CREATE TABLE anything (a int)").ok();
    alice.query("BEGIN").ok();
    let raw = "SELECT id, email FROM customers WHERE id = 5";
    alice
        .send(&[parse("", raw), bind("p", "", &[], Format::Text), sync()].concat())
        .expect("alive");
    alice.until_ready().ok();
    let reply = alice.query("SELECT grab('p')");
    assert!(!format!("{reply:?}").contains(&email()), "read past the count: {reply:?}");
}

/// By whatever way a portal's rows come, and however many statements a message has.
#[test]
fn rows_are_counted_that_sql_fetches_from_a_portal() {
    let shop = Shop::open("jit_fetch_portal");
    let grant = |limit: &str| {
        let words = "GRANT READ ON shop.public.customers.email TO alice FOR '5 min' REASON 'INC-1'";
        shop.dba().say(&format!("{words} MAX {limit}"));
    };
    for limit in ["3 ROWS", "3 SUBJECTS"] {
        grant(limit);
        let mut alice = shop.alice().connect();
        alice.query("BEGIN").ok();
        let all = "SELECT id, email FROM customers ORDER BY id";
        let opened = [parse("", all), bind("p", "", &[], Format::Text), sync()].concat();
        alice.send(&opened).expect("alive");
        alice.until_ready().ok();
        alice.query("FETCH 2 FROM p");
        let rest = alice.query("FETCH ALL FROM p");
        assert_eq!((rest.code().as_str(), rest.raw_rows().len()), ("42501", 1), "{limit}");
        shop.dba().say("REVOKE ALL");
    }
    grant("3 ROWS");
    let mut alice = shop.alice().connect();
    let two = "SELECT id, email FROM customers ORDER BY id LIMIT 2";
    let reply = alice.query(&format!("{two}; {two}"));
    assert_eq!((reply.code().as_str(), reply.raw_rows().len()), ("42501", 3));
}
