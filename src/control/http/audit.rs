//! `/api/v1/audit`: the record, asked. The newest records come first, and a question reads no more
//! than it may; whoever needs all of it, and that it is whole, asks `keyhole audit search`.

pub(super) mod question;

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::body::{self, Paging};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::who::auditors_only;
use crate::audit::query::Class;
use crate::audit::report::{self, By, Chain, ReportView, Sums};
use crate::control::desk::{Asked, Deed};
use crate::control::explorer::{Extent, Findings, Hit, Question, Stopped};
use crate::control::{Desk, answer, lookup};
use crate::model::{SqlState, Timestamp};

/// Records of the audit log.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Records)]
pub(super) struct RecordsView {
    /// As `keyhole audit schema` describes them; the newest first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Ask for those `before` this number for the next page; None: the log was read to its
    /// beginning, or to `since`.
    next_before: Option<u64>,
    /// Why it ended before the page was full or the log read: `time` or `lines`. The next page
    /// goes on from there.
    stopped: Option<&'static str>,
    /// How far back it read, or a little further.
    read_back_to: Option<Timestamp>,
    lines_read: u64,
    /// Lines that this version cannot read.
    unreadable: u64,
}

impl From<Findings> for RecordsView {
    fn from(found: Findings) -> Self {
        let value = |Hit { line, .. }: Hit| serde_json::from_slice(&line).ok();
        Self {
            items: found.hits.into_iter().filter_map(value).collect(),
            next_before: found.next_before,
            stopped: found.stopped.map(Stopped::as_str),
            read_back_to: found.back_to,
            lines_read: found.lines,
            unreadable: found.unreadable,
        }
    }
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
    params(question::Parameters, Paging),
    responses((status = 200, description = "Some of them", body = RecordsView)),
)]
pub(super) async fn records(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<RecordsView>, Problem> {
    auditors_only(&who)?;
    let (paging, pairs) = Paging::split(query.as_deref().unwrap_or_default())?;
    let query = question::read(&pairs, &(desk.databases)())?;
    // Who looks at what others did is on record, too.
    answer::record(&desk, &who.operator(), Deed::Explore(question::asked(&pairs)), None);
    let question =
        Question { query, before: paging.before, len: paging.len(), extent: Extent::Enough };
    Ok(Json(desk.explorer.search(&who.user.name, question).await?.into()))
}

/// Rows of each table of a report, if nothing else is said, and at most.
const ROWS: u64 = 1_000;
const ROWS_MAX: u64 = 10_000;

/// What a report is to be about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only by this; nothing: by all.
    #[param(inline)]
    by: Option<By>,
    /// Not before this time.
    since: Option<Timestamp>,
    /// Before this time.
    until: Option<Timestamp>,
    /// Rows of each table: 1000 unless said otherwise.
    #[serde(deserialize_with = "rows")]
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u64>,
}

fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let rows = Option::<u64>::deserialize(from)?;
    match rows.is_none_or(|rows| (1..=ROWS_MAX).contains(&rows)) {
        true => Ok(rows),
        false => Err(D::Error::custom(format!("limit is 1 to {ROWS_MAX}"))),
    }
}

/// Who saw how much of what
///
/// For operators and who has the role `auditor`. All of the log is read, and its chain checked, as
/// `keyhole audit report` does; a log that takes longer than 20 seconds is refused as `invalid`.
/// One report is made at a time.
#[utoipa::path(
    get,
    path = "/api/v1/audit/report",
    tag = "audit",
    operation_id = "audit_report",
    params(Wanted),
    responses((status = 200, description = "Sums and tables", body = ReportView)),
)]
pub(super) async fn report(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    body::Parameters(wanted): body::Parameters<Wanted>,
) -> Result<Response, Problem> {
    auditors_only(&who)?;
    let Wanted { by, since, until, limit } = wanted;
    let classes = Class::all(lookup::catalogs(&(desk.databases)()));
    let asked = report::Asked::new(since, until, classes);
    let filled = Asked::of(|name| match name {
        "report" => true,
        "since" => since.is_some(),
        "until" => until.is_some(),
        _ => false,
    });
    answer::record(&desk, &who.operator(), Deed::Explore(filled), None);
    let rows_max = usize::try_from(limit.unwrap_or(ROWS)).unwrap_or(usize::MAX);
    let now = (desk.clock)();
    let told = desk.explorer.report(&who.user.name, asked, move |sums: &Sums, asked, chain| {
        let chain = match chain {
            None => Chain { whole: true, says: "no log is kept".to_owned() },
            Some(Ok(verified)) => Chain { whole: true, says: verified.to_string() },
            Some(Err(broken)) => Chain { whole: false, says: broken.to_string() },
        };
        // It may be long, so it is written where it was made.
        serde_json::to_vec(&ReportView::new(sums, asked, by, rows_max, chain, now))
    });
    let written = told.await?.ok_or_else(too_long)?.map_err(|error| {
        tracing::error!(%error, "a report has no JSON form");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, SqlState::INTERNAL_ERROR, "the report has no JSON form")
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], written).into_response())
}

fn too_long() -> Problem {
    let what = "the log is longer than what is read for a report over HTTP";
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, SqlState::PROGRAM_LIMIT_EXCEEDED, what)
        .hint("keyhole audit report, where the log is, reads all of it.")
}
