//! `/api/v1/audit`: the record, asked. The newest records come first, and a question reads no more
//! than it may; whoever needs all of it, and that it is whole, asks `keyhole audit search`.

mod question;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use self::question::{Parameters, Question};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::who::auditors_only;
use crate::audit::query::{Found, Search};
use crate::control::desk::Deed;
use crate::control::{Desk, answer};
use crate::model::{Report, SqlState, Timestamp};
use crate::store::audit_log::look_back;

/// Lines that one question reads, and for how long.
const LINES_MAX: u64 = 5_000_000;
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks at the clock.
const LINES_PER_LOOK: u64 = 256;

/// Questions that are answered at a time, whoever asks.
const AT_A_TIME: usize = 4;

/// Records of the audit log.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Records)]
pub(super) struct RecordsView {
    /// As `keyhole audit schema` describes them; the newest first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Ask for those `before` this number for the next page; None: the log was read to its
    /// beginning.
    next_before: Option<u64>,
    /// Why it ended before the page was full or the log read: `time` or `lines`. The next page
    /// goes on from there.
    stopped: Option<&'static str>,
    /// The time of the last record that was read.
    read_back_to: Option<Timestamp>,
    lines_read: u64,
    /// Lines that this version cannot read.
    unreadable: u64,
}

/// Find records of the audit log
///
/// For operators and who has the role `auditor`. Of one parameter that is given again any may hold,
/// of different ones all must. One question of a user is answered at a time. That nothing is
/// missing or changed is not checked here: `keyhole audit search` does.
#[utoipa::path(
    get,
    path = "/api/v1/audit/records",
    tag = "audit",
    operation_id = "audit_records",
    params(Parameters),
    responses((status = 200, description = "Some of them", body = RecordsView)),
)]
pub(super) async fn records(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Extension(turns): Extension<Turns>,
    RawQuery(query): RawQuery,
) -> Result<Json<RecordsView>, Problem> {
    auditors_only(&who)?;
    let query = query.unwrap_or_default();
    let question = Question::read(query.as_bytes(), &(desk.databases)())?;
    let asked = question::asked(query.as_bytes());
    let Some(dir) = desk.audit_dir.clone() else { return Ok(Json(RecordsView::default())) };
    let turn = turns.enter(&who.user.name)?;
    // Who looks at what others did is on record, too.
    answer::record(&desk, &who.operator(), Deed::Explore(asked), None);
    // Nobody can stop it, so it ends by itself.
    let searching = tokio::task::spawn_blocking(move || {
        let found = search(&dir, question);
        drop(turn);
        found
    });
    let failed = |error: String| {
        tracing::error!(%error, "the audit log cannot be read for a question");
        Report::error(SqlState::IO_ERROR, "the audit log cannot be read")
    };
    let found = searching.await.map_err(|error| failed(error.to_string()))?;
    Ok(Json(found.map_err(|error| failed(error.to_string()))?))
}

fn search(dir: &Path, question: Question) -> std::io::Result<RecordsView> {
    let Question { query, paging } = question;
    let (search, limit) = (Search::new(query), paging.len());
    let deadline = deadline();
    let mut view = RecordsView::default();
    let mut last = None;
    let looked = look_back(dir, |line| {
        if let Some(stopped) = view.stopped(deadline) {
            view.stopped = Some(stopped);
            return ControlFlow::Break(());
        }
        view.lines_read += 1;
        let seq = seq_of(line);
        last = seq.or(last);
        if paging.before.is_some_and(|before| seq.is_none_or(|seq| seq >= before)) {
            return ControlFlow::Continue(());
        }
        match search.look(line) {
            Found::No => {}
            Found::Unreadable => view.unreadable += 1,
            Found::Yes(record) => {
                view.read_back_to = Some(record.time);
                view.items.extend(serde_json::from_slice::<Value>(line));
            }
        }
        if view.items.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if looked.is_break() {
        view.next_before = last.or(paging.before);
    }
    Ok(view)
}

impl RecordsView {
    /// Why no more is read, if so.
    fn stopped(&self, deadline: Instant) -> Option<&'static str> {
        if self.lines_read >= LINES_MAX {
            return Some("lines");
        }
        let looks = self.lines_read.is_multiple_of(LINES_PER_LOOK) && self.lines_read > 0;
        (looks && is_over(deadline)).then_some("time")
    }
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

fn is_over(deadline: Instant) -> bool {
    Instant::now() >= deadline
}

/// The number of a line as the log writes them, without reading the rest of it.
fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// Whose questions are being answered.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashSet<String>>>);

/// Ends with it.
struct Turn {
    turns: Turns,
    user: String,
}

impl Turns {
    fn enter(&self, user: &str) -> Result<Turn, Problem> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |what: &str| {
            let status = StatusCode::TOO_MANY_REQUESTS;
            Problem::new(status, SqlState::PROGRAM_LIMIT_EXCEEDED, what)
        };
        if asking.contains(user) {
            return Err(busy("another question of this user to the audit log is being answered"));
        }
        if asking.len() >= AT_A_TIME {
            return Err(busy("too many others are asking the audit log"));
        }
        asking.insert(user.to_owned());
        Ok(Turn { turns: self.clone(), user: user.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut asking = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &Path, lines: u64) {
        let lines: String = (1..=lines)
            .map(|seq| {
                let user = if seq % 2 == 0 { "alice" } else { "bob" };
                format!(
                    "{{\"seq\":{seq},\"time\":\"2026-01-31T09:00:{:02}Z\",\"kind\":\"statement\",\
                     \"user\":\"{user}\",\"prev\":\"\",\"hash\":\"\"}}\n",
                    seq % 60
                )
            })
            .collect();
        std::fs::write(dir.join("audit-00000001.jsonl"), lines).unwrap();
    }

    fn ask(dir: &Path, query: &str) -> RecordsView {
        search(dir, Question::read(query.as_bytes(), &[]).unwrap()).unwrap()
    }

    #[test]
    fn pages_follow_each_other_through_the_log() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 60);
        let (mut seqs, mut query) = (Vec::new(), "user=alice&limit=7".to_owned());
        loop {
            let page = ask(dir.path(), &query);
            assert!(page.items.len() <= 7 && page.stopped.is_none());
            seqs.extend(page.items.iter().map(|item| item["seq"].as_u64().unwrap()));
            match page.next_before {
                Some(before) => query = format!("user=alice&limit=7&before={before}"),
                None => break,
            }
        }
        let expected: Vec<u64> = (1..=60).rev().filter(|seq| seq % 2 == 0).collect();
        assert_eq!(seqs, expected);
    }

    #[test]
    fn a_user_asks_one_question_at_a_time() {
        let turns = Turns::default();
        let first = turns.enter("alice").ok().unwrap();
        assert!(turns.enter("alice").is_err());
        let others: Vec<_> = ["b", "c", "d"].map(|user| turns.enter(user).ok().unwrap()).into();
        assert!(turns.enter("e").is_err());
        drop((first, others));
        assert!(turns.enter("alice").is_ok());
    }
}
