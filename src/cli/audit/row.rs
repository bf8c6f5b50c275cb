//! A record in a line: of the table, and of CSV.

use super::cells::{cut, shown};
use crate::audit::{Decision, Kind, Record};

const CELL_CHARS_MAX: usize = 160;

pub(super) const TABLE: &[&str] =
    &["seq", "time", "user", "what", "columns", "rows", "grants", "details"];

/// A record in a line of the table.
pub(super) fn row(record: &Record) -> Vec<String> {
    let step = record.step.as_deref();
    let what = match (record.decision, step) {
        (Some(decision), _) => word(decision),
        (None, Some(step)) => format!("{} {step}", record.kind.as_str()),
        (None, None) => record.kind.as_str().to_owned(),
    };
    let user = record.user.as_ref().or(record.by.as_ref());
    let columns = [&record.raw_columns, &record.looked_up_columns, &record.masked_columns];
    let mut columns: Vec<&String> = columns.into_iter().flatten().collect();
    if columns.is_empty() {
        columns = record.pii_columns.iter().chain(&record.resources).collect();
    }
    let mut seen = Vec::new();
    columns.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
    let rows =
        if record.kind == Kind::Statement { record.rows().to_string() } else { String::new() };
    let grants = record.grants.iter().chain(&record.grant).map(u64::to_string);
    let cells = [
        record.seq.to_string(),
        format!("{:.0}", record.time),
        user.cloned().unwrap_or_default(),
        what,
        columns.join(" "),
        rows,
        grants.collect::<Vec<_>>().join(" "),
        details(record),
    ];
    cells.into_iter().map(|cell| cut(&shown(&cell), CELL_CHARS_MAX)).collect()
}

fn details(record: &Record) -> String {
    if record.kind == Kind::Grant {
        return about_grant(record);
    }
    let parts = [&record.sqlstate, &record.text, &record.method, &record.reason];
    let ended_by = record.by.as_ref().filter(|_| record.kind == Kind::Logout);
    let ended_by = ended_by.map(|by| format!("by {by}"));
    let parts = parts.into_iter().flatten().chain(&ended_by);
    parts.map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn word(decision: Decision) -> String {
    match serde_json::to_value(decision) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// `request 1 for alice, until 2026-01-31T10:00:00Z: INC-42`.
fn about_grant(record: &Record) -> String {
    let mut said = Vec::new();
    said.extend(record.request.map(|request| format!("request {request}")));
    said.extend(record.subject.as_ref().map(|subject| format!("for {subject}")));
    if record.urgency.as_deref() == Some("break_glass") {
        said.push("break-glass".to_owned());
    }
    said.extend(record.predicate().map(|rows| format!("where {rows}")));
    said.extend(record.expires_at.map(|end| format!("until {end:.0}")));
    said.extend(record.reason.as_ref().map(|reason| format!("({reason})")));
    said.join(" ")
}

pub(super) const CSV: [&str; 28] = [
    "seq",
    "time",
    "kind",
    "session",
    "statement",
    "user",
    "groups",
    "address",
    "application",
    "database",
    "decision",
    "step",
    "relations",
    "pii_columns",
    "raw_columns",
    "looked_up_columns",
    "masked_columns",
    "grants",
    "request",
    "subject",
    "resources",
    "by",
    "rows",
    "bytes",
    "duration_us",
    "sqlstate",
    "fingerprint",
    "text",
];

pub(super) fn csv_cells(record: &Record) -> [String; 28] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let counted =
        |n: u64| if record.kind == Kind::Statement { n.to_string() } else { String::new() };
    let grants = record.grants.iter().chain(&record.grant).map(u64::to_string);
    [
        record.seq.to_string(),
        format!("{:.6}", record.time),
        record.kind.as_str().to_owned(),
        number(record.session),
        number(record.statement),
        text(&record.user),
        record.groups.join(" "),
        record.address.map(|address| address.to_string()).unwrap_or_default(),
        text(&record.application),
        text(&record.database),
        record.decision.map(word).unwrap_or_default(),
        text(&record.step),
        record.relations.join(" "),
        record.pii_columns.join(" "),
        record.raw_columns.join(" "),
        record.looked_up_columns.join(" "),
        record.masked_columns.join(" "),
        grants.collect::<Vec<_>>().join(" "),
        number(record.request),
        text(&record.subject),
        record.resources.join(" "),
        text(&record.by),
        counted(record.rows()),
        counted(record.bytes),
        counted(record.duration_us),
        text(&record.sqlstate),
        text(&record.fingerprint),
        record.text.clone().or_else(|| record.reason.clone()).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::cells::{csv_line, table};
    use super::*;

    const LOG: &[&str] = &[
        r#"{"seq":1,"time":"2026-01-31T09:00:00.000001Z","kind":"login","session":1,"user":"alice","application":"psql","database":"shop","method":"scram"}"#,
        r#"{"seq":2,"time":"2026-01-31T09:00:01.000001Z","kind":"statement","session":1,"statement":1,"user":"alice","groups":["support"],"address":"10.1.2.3","application":"psql","database":"shop","fingerprint":"278375a469c13309","text":"SELECT email FROM customers WHERE id = ?","relations":["public.customers"],"pii_columns":["public.customers.email"],"masked_columns":["public.customers.email"],"gates":{"mention":"hit","analysis":"show","provenance":"passed"},"decision":"shown","rows":1,"bytes":12,"duration_us":8}"#,
        r#"{"seq":3,"time":"2026-01-31T09:01:00.000001Z","kind":"grant","step":"approved","request":5,"subject":"alice","database":"shop","resources":["public.customers.email"],"actions":["read"],"rows":"id = ?","expires_at":"2026-01-31T10:00:00Z","reason":"=INC-42:\u001b[2J\nrefund","by":"dora","urgency":"break_glass"}"#,
        r#"{"seq":10,"time":"2026-01-31T09:02:00.000001Z","kind":"release","session":1,"statement":2,"user":"alice","application":"-psql","database":"shop","fingerprint":"278375a469c13309","columns":["public.customers.email"],"grants":[3]}"#,
    ];

    fn records() -> Vec<Record> {
        LOG.iter().map(|line| Record::of(line.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn a_log_reads_as_a_table() {
        let rows: Vec<Vec<String>> = records().iter().map(row).collect();
        insta::assert_snapshot!(table(TABLE, &[0, 5], &rows), @r#"
        seq  time                  user   what            columns                 rows  grants  details
          1  2026-01-31T09:00:00Z  alice  login                                                 scram
          2  2026-01-31T09:00:01Z  alice  shown           public.customers.email     1          SELECT email FROM customers WHERE id = ?
          3  2026-01-31T09:01:00Z  dora   grant approved  public.customers.email                request 5 for alice break-glass where id = ? until 2026-01-31T10:00:00Z (=INC-42: [2J refund)
         10  2026-01-31T09:02:00Z  alice  release         public.customers.email        3
        "#);
    }

    #[test]
    fn who_ended_somebodys_sessions_is_told() {
        let line = r#"{"seq":4,"time":"2026-01-31T09:00:00Z","kind":"logout","session":0,"user":"alice","application":"","database":"keyhole","statements":0,"duration_us":0,"reason":"signed_out_everywhere","by":"dora"}"#;
        let told = row(&Record::of(line.as_bytes()).unwrap());
        assert_eq!(
            (told[2].as_str(), told[7].as_str()),
            ("alice", "signed_out_everywhere by dora")
        );
    }

    #[test]
    fn a_log_reads_as_csv() {
        let lines: String = records().iter().map(|record| csv_line(csv_cells(record))).collect();
        let told = (csv_line(CSV) + &lines).replace("\r\n", "\n");
        insta::assert_snapshot!(told, @r#"
        seq,time,kind,session,statement,user,groups,address,application,database,decision,step,relations,pii_columns,raw_columns,looked_up_columns,masked_columns,grants,request,subject,resources,by,rows,bytes,duration_us,sqlstate,fingerprint,text
        1,2026-01-31T09:00:00.000001Z,login,1,,alice,,,psql,shop,,,,,,,,,,,,,,,,,,
        2,2026-01-31T09:00:01.000001Z,statement,1,1,alice,support,10.1.2.3,psql,shop,shown,,public.customers,public.customers.email,,,public.customers.email,,,,,,1,12,8,,278375a469c13309,SELECT email FROM customers WHERE id = ?
        3,2026-01-31T09:01:00.000001Z,grant,,,,,,,shop,,approved,,,,,,,5,alice,public.customers.email,dora,,,,,,"'=INC-42: [2J refund"
        10,2026-01-31T09:02:00.000001Z,release,1,2,alice,,,"'-psql",shop,,,,,public.customers.email,,,3,,,,,,,,,278375a469c13309,
        "#);
    }
}
