//! The story: one open session of an analyst, a DBA at the console, and what each gets to see.

use std::fs;
use std::time::Duration;

use super::conversation::{Conversation, Login, Reply};
use super::stage::Stage;
use super::{DemoError, Set, data};

/// The statement that is asked again and again, in the same session.
const PEOPLE: &str =
    "SELECT id, full_name, email, phone, ssn, dob FROM customers WHERE id <= 4 ORDER BY id";
const PERSONAL: [&str; 5] = ["full_name", "email", "phone", "ssn", "dob"];

const FIND: &str = "SELECT count(*) FROM customers WHERE email LIKE 'zofia.nowak%'";
const COUNT: &str = "SELECT split_part(email, '@', 2) AS provider, count(*) FROM customers \
                     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3";

const ASK_EMAIL: &str =
    "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')";
const ASK_SSN: &str =
    "SELECT * FROM keyhole.request('customers.ssn', '10 minutes', 'INC-42: identity check')";
const ASK_PHONE: &str =
    "SELECT * FROM keyhole.request('customers.phone', '2 seconds', 'INC-43: call back')";
/// A little longer than the shortest grant of the story.
const AFTER_EXPIRY: Duration = Duration::from_millis(2_300);

const PAY: &str = "SELECT full_name, salary FROM hr.employees ORDER BY salary DESC LIMIT 3";
const COPY: &str = "CREATE TABLE mailing AS SELECT email FROM customers";

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Who takes part, and what is true.
struct Cast {
    alice: Conversation,
    dora: Conversation,
    /// The database itself, to check against; nothing of it is shown.
    database: Conversation,
    truth: Reply,
}

pub(super) async fn play(set: &Set, stage: &mut Stage) -> Result<(), DemoError> {
    let cast = assemble(set).await?;
    masked(&cast, stage).await?;
    computed(&cast, stage).await?;
    granted_by_policy(&cast, stage).await?;
    granted_by_a_person(&cast, stage).await?;
    revoked(&cast, stage).await?;
    expired(&cast, stage).await?;
    refused(&cast, stage).await?;
    seen_from_the_console(&cast, stage).await
}

async fn assemble(set: &Set) -> Result<Cast, DemoError> {
    let at = &set.proxy.addresses;
    let login = |user, password, database| Login { user, password, database };
    let alice = login("alice", &set.passwords.alice, "shop");
    let dora = login("dora", &set.passwords.dora, "keyhole");
    let database = data::open(&set.postgres, &set.passwords.upstream).await?;
    let truth = database.ask(PEOPLE).await?;
    Ok(Cast {
        alice: Conversation::open(at.data, alice).await?,
        dora: Conversation::open(at.control, dora).await?,
        database,
        truth,
    })
}

async fn masked(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Masked");
    stage.tell("alice works in support. She connects with psql, as ever; nothing was granted.");
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage.tell("She sees the rows, and of each person no more than the catalog leaves.");
    stage.verdict("no personal value got through", only_clear(&people, &cast.truth, &[]));
    Ok(())
}

async fn computed(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Computing with what one cannot see");
    stage.tell("Could she guess an address by searching for it? The mask lies below the query:");
    let found = ask(&cast.alice, stage, FIND).await?;
    let really = cast.database.ask(FIND).await?;
    stage.verdict(
        "a search on hidden values finds masks, not people",
        match (found.column("count").as_deref(), really.column("count").as_deref()) {
            (Some(["0"]), Some([really])) if *really != "0" => Ok(()),
            (Some(found), _) => Err(format!("found {found:?}")),
            (None, _) => Err("no answer".to_owned()),
        },
    );
    stage.tell("What a mask leaves can still be worked with:");
    let counted = ask(&cast.alice, stage, COUNT).await?;
    let really = cast.database.ask(COUNT).await?;
    stage.verdict("the figures are the database's own", same(&counted.rows, &really.rows));
    Ok(())
}

async fn granted_by_policy(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Asked for, and granted by a policy");
    stage.tell("Support may read e-mail addresses for an hour at most, if a ticket says why.");
    let asked = ask(&cast.alice, stage, ASK_EMAIL).await?;
    stage.verdict("the request is accepted", no_error(&asked));
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage.tell("The same statement in the same session, without reconnecting.");
    stage.verdict(
        "e-mail addresses are clear, everything else is still hidden",
        only_clear(&people, &cast.truth, &["email"]),
    );
    Ok(())
}

async fn granted_by_a_person(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Asked for, and approved by a person");
    stage.tell("No policy grants national ids by itself: somebody else has to agree.");
    let asked = ask(&cast.alice, stage, ASK_SSN).await?;
    stage.verdict("the request is accepted", no_error(&asked));
    let people = cast.alice.ask(PEOPLE).await?;
    stage.verdict(
        "until then, asking changes nothing",
        only_clear(&people, &cast.truth, &["email"]),
    );
    stage.tell("dora is a DBA. She sits at the console, which is psql too.");
    let columns = ["id", "state", "requester", "resource", "duration", "reason"];
    let requests = consult(&cast.dora, stage, "SHOW REQUESTS", &columns).await?;
    let id = find(&requests, "state", "pending")?;
    let approved = ask(&cast.dora, stage, &format!("APPROVE {id}")).await?;
    stage.verdict("the approval is accepted", no_error(&approved));
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage
        .verdict("national ids are clear too", only_clear(&people, &cast.truth, &["email", "ssn"]));
    Ok(())
}

async fn revoked(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Revoked");
    let grants = consult(&cast.dora, stage, "SHOW GRANTS", &GRANT_COLUMNS).await?;
    let id = find(&grants, "resource", "email")?;
    let revoked = ask(&cast.dora, stage, &format!("REVOKE {id}")).await?;
    stage.verdict("the revocation is accepted", no_error(&revoked));
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage.verdict(
        "alice's very next statement shows masks again, and the other grant still holds",
        only_clear(&people, &cast.truth, &["ssn"]),
    );
    Ok(())
}

async fn expired(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Expired");
    stage.tell("A grant ends by itself. This one lasts two seconds:");
    let asked = ask(&cast.alice, stage, ASK_PHONE).await?;
    stage.verdict("the request is accepted", no_error(&asked));
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage.verdict(
        "telephone numbers are clear",
        only_clear(&people, &cast.truth, &["phone", "ssn"]),
    );
    tokio::time::sleep(AFTER_EXPIRY).await;
    stage.tell("… two seconds later, and nobody did anything:");
    let people = ask(&cast.alice, stage, PEOPLE).await?;
    stage.verdict("they are hidden again", only_clear(&people, &cast.truth, &["ssn"]));
    Ok(())
}

async fn refused(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("Refused");
    stage.tell("Some columns are not even masked. The catalog says \"deny\" for salaries:");
    let pay = ask(&cast.alice, stage, PAY).await?;
    stage.verdict("the refusal says how to ask", refusal(&pay));
    stage.tell("And what is hidden is not carried elsewhere:");
    let copy = ask(&cast.alice, stage, COPY).await?;
    stage.verdict("nothing was stored", refusal(&copy));
    let stored = cast.database.value("SELECT to_regclass('public.mailing') IS NULL").await?;
    stage.verdict("the table does not exist", same(&stored.as_str(), &"t"));
    Ok(())
}

async fn seen_from_the_console(cast: &Cast, stage: &mut Stage) -> Result<(), DemoError> {
    stage.act("What the DBA sees of all this");
    let grants = consult(&cast.dora, stage, "SHOW GRANTS", &GRANT_COLUMNS).await?;
    let states = grants.column("state").unwrap_or_default();
    let each = ["active", "expired", "revoked"].iter().all(|state| states.contains(state));
    stage.verdict(
        "one grant lives, one expired, one was revoked",
        each.then_some(()).ok_or_else(|| format!("the states are {states:?}")),
    );
    let columns = ["id", "user", "database", "application", "state", "statements"];
    let sessions = consult(&cast.dora, stage, "SHOW SESSIONS", &columns).await?;
    let users = sessions.column("user").unwrap_or_default();
    let alices = users.iter().filter(|user| **user == "alice").count();
    stage.verdict("all of it happened in one session of alice's", same(&alices, &1));
    Ok(())
}

/// Reads the record itself: it tells everything that happened, and nothing of what was hidden.
pub(super) async fn check_record(set: &Set, stage: &mut Stage) -> Result<(), DemoError> {
    let database = data::open(&set.postgres, &set.passwords.upstream).await?;
    let truth = database.ask(PEOPLE).await?;
    let io = |source| DemoError::Io { what: set.audit.display().to_string(), source };
    let mut record = String::new();
    for entry in fs::read_dir(&set.audit).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_file() {
            record.push_str(&String::from_utf8_lossy(&fs::read(path).map_err(io)?));
        }
    }
    stage.verdict(
        "every statement is on record",
        record.contains("alice").then_some(()).ok_or_else(|| "alice is not in it".to_owned()),
    );
    for (what, text) in [("the record", &record), ("the proxy's log", &set.proxy.log())] {
        let told = PERSONAL
            .iter()
            .flat_map(|column| truth.column(column).unwrap_or_default())
            .any(|value| text.contains(value));
        let outcome = if told { Err("one of the four people is in it".into()) } else { Ok(()) };
        stage.verdict(&format!("{what} holds no personal value"), outcome);
    }
    Ok(())
}

const GRANT_COLUMNS: [&str; 7] =
    ["id", "state", "subject", "resource", "expires_at", "reason", "approvers"];

/// Asks and shows the answer.
async fn ask(who: &Conversation, stage: &Stage, sql: &str) -> Result<Reply, DemoError> {
    let reply = who.ask(sql).await?;
    stage.show(&who.user, sql, &reply);
    Ok(reply)
}

/// Asks and shows some columns of the answer, as all of them fit no terminal.
async fn consult(
    who: &Conversation,
    stage: &Stage,
    sql: &str,
    columns: &[&str],
) -> Result<Reply, DemoError> {
    let reply = who.ask(sql).await?.only(columns);
    stage.show(&who.user, sql, &reply);
    Ok(reply)
}

/// The id of the first row whose `column` contains `text`.
fn find(reply: &Reply, column: &str, text: &str) -> Result<String, DemoError> {
    let ids = reply.column("id").unwrap_or_default();
    let texts = reply.column(column).unwrap_or_default();
    let row = texts.iter().position(|value| value.contains(text));
    row.and_then(|row| ids.get(row)).map(|id| (*id).to_owned()).ok_or_else(|| {
        DemoError::Setup(format!("the console shows nothing whose {column} contains {text}"))
    })
}

/// Checks that the reply has the true rows, `clear` columns as they are and the others hidden.
fn only_clear(reply: &Reply, truth: &Reply, clear: &[&str]) -> Result<(), String> {
    no_error(reply)?;
    if reply.columns != truth.columns || reply.rows.len() != truth.rows.len() {
        return Err("the shape of the result is another".to_owned());
    }
    for (row, true_row) in reply.rows.iter().zip(&truth.rows) {
        for (at, column) in truth.columns.iter().enumerate() {
            let hidden = PERSONAL.contains(&column.as_str()) && !clear.contains(&column.as_str());
            if !hidden && row[at] != true_row[at] {
                return Err(format!("{column} is not the database's own"));
            }
            let Some(value) = &true_row[at] else { continue };
            if hidden && row.iter().flatten().any(|shown| shown.contains(value.as_str())) {
                return Err(format!("{column} is not hidden"));
            }
        }
    }
    Ok(())
}

fn no_error(reply: &Reply) -> Result<(), String> {
    reply.error.as_ref().map_or(Ok(()), |error| Err(error.message().to_owned()))
}

fn refusal(reply: &Reply) -> Result<(), String> {
    match &reply.error {
        Some(error) if error.code().code() != INSUFFICIENT_PRIVILEGE => {
            Err(format!("the code is {}", error.code().code()))
        }
        Some(error) if error.hint().is_none() => Err("there is no hint".to_owned()),
        Some(_) => Ok(()),
        None => Err("it was not refused".to_owned()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} and not {expected:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(email: &str, ssn: &str) -> Reply {
        Reply {
            columns: ["id", "email", "ssn"].map(str::to_owned).to_vec(),
            rows: vec![["1", email, ssn].map(|value| Some(value.to_owned())).to_vec()],
            notices: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn a_hidden_value_is_missed_nowhere() {
        let truth = reply("a@example.com", "123");
        assert_eq!(only_clear(&reply("a***@example.com", "***"), &truth, &[]), Ok(()));
        assert_eq!(only_clear(&reply("a@example.com", "***"), &truth, &["email"]), Ok(()));
        assert!(only_clear(&reply("a@example.com", "***"), &truth, &[]).is_err());
        assert!(only_clear(&reply("a***@example.com", "x 123"), &truth, &[]).is_err());
        assert!(only_clear(&reply("123", "***"), &truth, &[]).is_err());
        assert!(only_clear(&reply("***", "123"), &truth, &["email", "ssn"]).is_err());
    }
}
