//! Answers what a client asks of the proxy itself, from the store and the world.

use std::sync::Arc;

use crate::catalog::{Hiding, MaskSpec};
use crate::decision::World;
use crate::grant::{
    Action, Asked, Counting, Extension, GrantView, LiveTable, Request, RequestState, Subject,
};
use crate::model::{Client, Report, SqlState, Timestamp, parse_duration, show_duration};
use crate::session::{InBandCall, InBandTable, Patience};
use crate::store::approvals::Approvals;

/// On whose behalf, and in which world, calls are answered.
pub(super) struct Asker {
    pub(super) approvals: Approvals,
    pub(super) world: Arc<World>,
    pub(super) client: Arc<Client>,
}

type Row = Vec<Option<String>>;

impl Asker {
    /// The answers in the order of the calls. What was changed stays changed when the future is
    /// dropped.
    pub(super) async fn answer(&self, calls: &[InBandCall]) -> Vec<Result<InBandTable, Report>> {
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let rows = self.rows(call).await;
            let columns = call.columns().to_vec();
            answers.push(rows.map(|rows| InBandTable { columns, rows }));
        }
        answers
    }

    async fn rows(&self, call: &InBandCall) -> Result<Vec<Row>, Report> {
        match call {
            InBandCall::Request { ask, patience } => {
                let ask = ask.read()?;
                let request = self.approvals.request(&self.client, &self.world.view, ask).await?;
                self.decided(request, *patience).await
            }
            InBandCall::Extend { grant, duration, reason, patience } => {
                let extension = Extension {
                    grant: number("a grant is extended by its number", grant)?,
                    by: parse_duration(duration).map_err(|error| invalid(error.to_string()))?,
                    reason: reason.clone(),
                };
                let view = &self.world.view;
                let request = self.approvals.extend(&self.client, view, extension).await?;
                self.decided(request, *patience).await
            }
            InBandCall::Cancel { id } => {
                let id = number("a request is cancelled by its number", id)?;
                let request = self.approvals.cancel(&self.client.user, id).await?;
                Ok(vec![self.request_row(&request)])
            }
            InBandCall::Revoke { grant } => {
                let id = number("a grant is given back by its number", grant)?;
                let view = self.approvals.revoke(&self.client.user, id).await?;
                Ok(vec![grant_row(&view)])
            }
            InBandCall::MyGrants => Ok(self.my_grants().iter().map(grant_row).collect()),
            InBandCall::MyRequests => Ok(self.my_requests()),
            InBandCall::Catalog => Ok(self.catalog(&self.approvals.table(), self.approvals.now())),
        }
    }

    async fn decided(&self, request: Request, patience: Patience) -> Result<Vec<Row>, Report> {
        let request = match patience {
            Patience::AtOnce => request,
            Patience::UntilDecided => self.approvals.decided(request.id).await?,
        };
        Ok(vec![self.request_row(&request)])
    }

    /// id, state, resource, expires_at, note
    fn request_row(&self, request: &Request) -> Row {
        let mine = self.approvals.grants();
        let grant = mine.iter().find(|view| Some(view.grant.id) == request.grant);
        vec![
            Some(request.id.to_string()),
            Some(request.state.as_str().to_owned()),
            Some(request.terms.resource.to_string()),
            grant.and_then(|view| view.grant.expires_at).map(postgres_text),
            Some(note(request)),
        ]
    }

    /// Those that count or will.
    fn my_grants(&self) -> Vec<GrantView> {
        let mut grants = self.approvals.grants();
        grants.retain(|view| {
            let here = view.grant.database.as_deref();
            view.is_open()
                && view.grant.subject.includes(&self.client.user)
                && here.is_none_or(|database| *database == *self.client.database)
        });
        grants
    }

    /// id, state, resource, duration, reason, note
    fn my_requests(&self) -> Vec<Row> {
        let mut requests = self.approvals.requests();
        requests.retain(|request| {
            *request.requester == *self.client.user.name
                && *request.terms.database == *self.client.database
        });
        let row = |request: &Request| {
            vec![
                Some(request.id.to_string()),
                Some(request.state.as_str().to_owned()),
                Some(request.terms.resource.to_string()),
                Some(show_duration(request.terms.duration)),
                Some(request.terms.reason.clone()),
                Some(note(request)),
            ]
        };
        requests.iter().map(row).collect()
    }

    /// resource, class, hiding, granted_until
    fn catalog(&self, grants: &LiveTable, now: Timestamp) -> Vec<Row> {
        let columns = self.world.sensitive.columns.values();
        let mut rows: Vec<Row> = columns
            .map(|column| {
                let asked = Asked { action: Action::Read, now, counting: Counting::Subjects };
                let cover = grants.cover(&self.client, &column.path, &column.class, asked);
                let until = cover.map(|cover| {
                    let rows = if cover.rows.is_some() { ", some rows" } else { "" };
                    let end = cover.until.map_or("further notice".to_owned(), postgres_text);
                    format!("{end}{rows}")
                });
                vec![
                    Some(column.path.to_string()),
                    Some(column.class.to_string()),
                    Some(hiding(&column.hiding).to_owned()),
                    until,
                ]
            })
            .collect();
        // A partition has its parent's path.
        rows.sort();
        rows.dedup();
        rows
    }
}

fn invalid(message: impl Into<String>) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn number(what: &str, text: &str) -> Result<u64, Report> {
    text.trim().parse().map_err(|_| {
        invalid(what).hint("keyhole.my_requests and keyhole.my_grants list the numbers.")
    })
}

/// id, state, resource, actions, rows, expires_at, reason
fn grant_row(view: &GrantView) -> Row {
    let grant = &view.grant;
    vec![
        Some(grant.id.to_string()),
        Some(view.state.as_str().to_owned()),
        Some(grant.resource.to_string()),
        Some(grant.actions.to_string()),
        grant.rows.as_ref().map(|rows| rows.shown.clone()),
        grant.expires_at.map(postgres_text),
        Some(grant.reason.clone()),
    ]
}

/// What comes next, or why nothing does.
fn note(request: &Request) -> String {
    match request.state {
        RequestState::Pending => {
            let approvers: Vec<_> = request.approvers.iter().map(Subject::to_string).collect();
            format!(
                "{} of {} approvals, by {}",
                request.approved_by.len(),
                request.approvals_needed,
                approvers.join(", ")
            )
        }
        RequestState::Approved => match (request.grant, request.approved_by.is_empty()) {
            (Some(grant), true) => format!("grant {grant}, by policy \"{}\"", request.policy),
            (Some(grant), false) => format!("grant {grant}, by {}", request.approved_by.join(", ")),
            (None, _) => "approved".to_owned(),
        },
        RequestState::Lapsed => "nobody decided in time".to_owned(),
        RequestState::Denied | RequestState::Cancelled => {
            let by = request.closed_by.as_deref().unwrap_or("nobody");
            match &request.closed_reason {
                Some(reason) => format!("by {by}: {reason}"),
                None => format!("by {by}"),
            }
        }
    }
}

fn hiding(hiding: &Hiding) -> &'static str {
    match hiding {
        Hiding::Deny => "deny",
        Hiding::Mask(spec) => match spec {
            MaskSpec::Redact => "redact",
            MaskSpec::Null => "null",
            MaskSpec::Constant { .. } => "constant",
            MaskSpec::Partial { .. } => "partial",
            MaskSpec::Email => "email",
            MaskSpec::Date { .. } => "date",
            MaskSpec::Bucket { .. } => "bucket",
            MaskSpec::Ip { .. } => "ip",
        },
    }
}

/// As PostgreSQL prints a timestamptz in UTC.
fn postgres_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S+00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_postgresql_reads_them() {
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(postgres_text(time), "2023-11-14 22:13:20+00");
    }
}
