//! Runs commands: [`Command`] in, [`Answer`] or [`Report`] out. Whoever calls has checked that
//! the operator may use the console; who may approve or grant what, the store decides.

use std::sync::Arc;
use std::time::Duration;

use super::desk::{Database, Deed, Desk, Occurrence, Operator};
use super::grammar::{AskWords, Command, Probe, ResourceWords, Revoked, SubjectWords, Topic};
use super::table::{Answer, Cell, Column, Table, postgres_text};
use super::{lookup, show};
use crate::grant::{
    Ask, CatalogView, DirectGrant, Extension, GrantView, Request, RequestState, Restrict,
    Restriction, Scope, Subject,
};
use crate::model::{Report, SqlState, quote_ident, show_duration};
use crate::telemetry::sessions::{Dismissal, SessionId};

const NUMBER: &[Column] = &[Column::int("number")];
const VERSION: &[Column] = &[Column::text("version")];
const TOPICS: &[Column] = &[Column::text("name")];

/// The columns of a command's table, known before it runs; None: it answers no rows.
pub fn columns(command: &Command) -> Option<&'static [Column]> {
    match command {
        Command::Show(topic) => Some(show::columns(*topic)),
        Command::Challenge(_) => Some(show::CHALLENGE_COLUMNS),
        Command::Probe(Probe::Number(_)) => Some(NUMBER),
        Command::Probe(Probe::Version) => Some(VERSION),
        Command::Probe(Probe::Topics(_)) => Some(TOPICS),
        Command::Grant(_)
        | Command::Request(_)
        | Command::Extend { .. }
        | Command::Cancel(_)
        | Command::Approve { .. }
        | Command::Deny { .. }
        | Command::Revoke(_)
        | Command::Review { .. }
        | Command::KillSession(_)
        | Command::Suspend { .. }
        | Command::Lift(_)
        | Command::Reload
        | Command::Pause
        | Command::Resume
        | Command::Set => None,
    }
}

/// What the command changes; None: nothing.
fn deed(command: &Command) -> Option<Deed> {
    match command {
        Command::Grant(_) => Some(Deed::Grant),
        Command::Request(_) => Some(Deed::Request),
        Command::Extend { grant, .. } => Some(Deed::Extend(*grant)),
        Command::Cancel(request) => Some(Deed::Cancel(*request)),
        Command::Approve { request, .. } => Some(Deed::Approve(*request)),
        Command::Deny { request, .. } => Some(Deed::Deny(*request)),
        Command::Revoke(Revoked::One(id)) => Some(Deed::Revoke(*id)),
        Command::Revoke(Revoked::All | Revoked::AllFrom(_) | Revoked::AllOn { .. }) => {
            Some(Deed::RevokeAll)
        }
        Command::Review { grant, .. } => Some(Deed::Review(*grant)),
        Command::KillSession(id) => Some(Deed::KillSession(*id)),
        Command::Suspend { .. } => Some(Deed::Suspend),
        Command::Lift(_) => Some(Deed::Lift),
        Command::Reload => Some(Deed::Reload),
        Command::Show(_)
        | Command::Challenge(_)
        | Command::Pause
        | Command::Resume
        | Command::Set
        | Command::Probe(_) => None,
    }
}

/// Runs one command.
///
/// Cancel safety: a change that was begun is finished by the store even if nobody waits for it.
///
/// # Errors
/// The report says why not and what to do; nothing was changed then.
pub async fn answer(desk: &Desk, operator: &Operator, command: &Command) -> Result<Answer, Report> {
    let result = run(desk, operator, command).await;
    if let Some(deed) = deed(command) {
        record(desk, operator, deed, result.as_ref().err());
    }
    result
}

/// Notes what was done, or refused.
pub(super) fn record(desk: &Desk, operator: &Operator, deed: Deed, refused: Option<&Report>) {
    note(desk, operator, deed, refused.map(|report| report.state), None);
}

/// Notes what was done about somebody else.
pub(super) fn record_about(desk: &Desk, operator: &Operator, deed: Deed, about: &str) {
    note(desk, operator, deed, None, Some(about.into()));
}

fn note(
    desk: &Desk,
    operator: &Operator,
    deed: Deed,
    refused: Option<SqlState>,
    about: Option<Arc<str>>,
) {
    // Who it was is for the audit log; this one is for whoever runs the process.
    tracing::info!(command = deed.verb(), id = deed.subject_id(), ?refused, "control");
    (desk.record)(&Occurrence {
        at: (desk.clock)(),
        user: operator.user.clone(),
        address: operator.address,
        application: operator.application.clone(),
        deed,
        refused,
        about,
    });
}

async fn run(desk: &Desk, operator: &Operator, command: &Command) -> Result<Answer, Report> {
    match command {
        Command::Show(topic) => Ok(Answer::Table(show::table(desk, *topic))),
        Command::Grant(words) => {
            let (catalog, ask) = understand(&(desk.databases)(), &words.ask)?;
            let subject = subject(&words.subject);
            let stranger = stranger(desk, &subject);
            let direct = DirectGrant { subject, ask };
            let view = desk.approvals.grant(&operator.user, &catalog, direct).await?;
            Ok(done("GRANT", [describe_grant(&view)].into_iter().chain(stranger).collect()))
        }
        Command::Request(words) => request(desk, operator, words).await,
        Command::Extend { grant, by, reason } => {
            let extension = Extension { grant: *grant, by: *by, reason: reason.clone() };
            extend(desk, operator, extension).await
        }
        Command::Cancel(id) => {
            desk.approvals.cancel(&operator.user, *id).await?;
            Ok(done("CANCEL", Vec::new()))
        }
        Command::Challenge(id) => {
            let (request, challenge) = desk.approvals.challenge(*id)?;
            Ok(Answer::Table(show::challenge(&request, &challenge)))
        }
        Command::Approve { request, proof } => {
            let request = desk.approvals.approve(&operator.user, *request, proof.clone()).await?;
            Ok(done("APPROVE", vec![describe_approval(&request)]))
        }
        Command::Deny { request, reason } => {
            desk.approvals.deny(&operator.user, *request, Some(reason.clone())).await?;
            Ok(done("DENY", Vec::new()))
        }
        Command::Revoke(Revoked::One(id)) => {
            desk.approvals.revoke(&operator.user, *id).await?;
            Ok(done("REVOKE", Vec::new()))
        }
        Command::Revoke(what @ (Revoked::All | Revoked::AllFrom(_) | Revoked::AllOn { .. })) => {
            let scope = scope(&(desk.databases)(), what)?;
            let revoked = desk.approvals.revoke_all(&operator.user, scope).await?;
            Ok(done(&format!("REVOKE {}", revoked.len()), Vec::new()))
        }
        Command::Review { grant, note } => {
            desk.approvals.review(&operator.user, *grant, note.clone()).await?;
            Ok(done("REVIEW", Vec::new()))
        }
        Command::KillSession(id) => kill(desk, *id),
        Command::Suspend { user, duration, reason } => {
            suspend(desk, operator, user, *duration, reason).await
        }
        Command::Lift(user) => {
            desk.approvals.lift(&operator.user, user.clone()).await?;
            Ok(done("LIFT", Vec::new()))
        }
        Command::Reload => reload(desk).await,
        Command::Pause | Command::Resume => Err(Report::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "PAUSE and RESUME are not supported",
        )
        .hint("REVOKE ALL ends every grant at once; KILL SESSION ends a session.")),
        Command::Set => Ok(done("SET", Vec::new())),
        Command::Probe(Probe::Number(number)) => {
            Ok(one_cell(NUMBER, Cell::Int(i64::from(*number))))
        }
        Command::Probe(Probe::Version) => Ok(one_cell(VERSION, show::VERSION_LINE.into())),
        Command::Probe(Probe::Topics(prefix)) => Ok(Answer::Table(topics(prefix))),
    }
}

/// What there is to show that begins so.
fn topics(prefix: &str) -> Table {
    let words = Topic::ALL.into_iter().map(|topic| topic.word().to_ascii_lowercase());
    let rows = words.filter(|word| word.starts_with(prefix)).map(|word| vec![word.into()]);
    Table { columns: TOPICS, rows: rows.collect() }
}

fn kill(desk: &Desk, id: SessionId) -> Result<Answer, Report> {
    match desk.sessions.find(id) {
        Some(session) => {
            session.dismiss(Dismissal::Killed);
            Ok(done("KILL", Vec::new()))
        }
        None => Err(Report::error(SqlState::UNDEFINED_OBJECT, format!("there is no session {id}"))
            .hint("SHOW SESSIONS lists the sessions and their ids.")),
    }
}

async fn suspend(
    desk: &Desk,
    operator: &Operator,
    user: &str,
    duration: Option<Duration>,
    reason: &str,
) -> Result<Answer, Report> {
    let order = Restrict {
        user: user.to_owned(),
        restriction: Restriction::Suspended,
        duration,
        reason: reason.to_owned(),
    };
    desk.approvals.restrict(&operator.user, order).await?;
    let stranger = stranger(desk, &Subject::User(user.to_owned()));
    Ok(done("SUSPEND", stranger.into_iter().collect()))
}

async fn reload(desk: &Desk) -> Result<Answer, Report> {
    match (desk.reload)().await {
        Ok(summary) => Ok(done("RELOAD", vec![summary])),
        Err(problems) => Err(Report::error(
            SqlState::INVALID_PARAMETER_VALUE,
            "the configuration has errors; the old one stays in force",
        )
        .detail(problems.join("\n"))),
    }
}

async fn request(desk: &Desk, operator: &Operator, words: &AskWords) -> Result<Answer, Report> {
    let (catalog, ask) = understand(&(desk.databases)(), words)?;
    let client = operator.client(&catalog.database);
    let request = desk.approvals.request(&client, &catalog, ask).await?;
    Ok(done("REQUEST", vec![describe_request(&request)]))
}

async fn extend(desk: &Desk, operator: &Operator, extension: Extension) -> Result<Answer, Report> {
    let grant = desk.approvals.find_grant(extension.grant);
    let database = grant.and_then(|view| view.grant.database.clone()).ok_or_else(|| {
        let message = format!("there is no grant {} with an end", extension.grant);
        Report::error(SqlState::UNDEFINED_OBJECT, message)
    })?;
    let catalog = lookup::view(&(desk.databases)(), Some(&database), "")?;
    let client = operator.client(&database);
    let request = desk.approvals.extend(&client, &catalog, extension).await?;
    Ok(done("EXTEND", vec![describe_request(&request)]))
}

fn done(tag: &str, notices: Vec<String>) -> Answer {
    Answer::Done { tag: tag.to_owned(), notices }
}

fn one_cell(columns: &'static [Column], cell: Cell) -> Answer {
    Answer::Table(Table { columns, rows: vec![vec![cell]] })
}

fn describe_grant(view: &GrantView) -> String {
    let grant = &view.grant;
    let mut text = format!(
        "grant {}: {} on {} to {}",
        grant.id,
        grant.actions,
        show::resource(grant),
        grant.subject
    );
    if let Some(rows) = &grant.rows {
        text.push_str(&format!(" where {}", rows.shown));
    }
    text.push_str(&format!(", from {}", postgres_text(grant.not_before)));
    if let Some(end) = grant.expires_at {
        text.push_str(&format!(" until {}", postgres_text(end)));
    }
    if let Some(duration) = grant.from_first_use {
        text.push_str(&format!(", {} from its first use", show_duration(duration)));
    }
    if !grant.limits.is_none() {
        text.push_str(&format!(", {}", grant.limits));
    }
    text
}

/// A grant to nobody is allowed, as the user may come later, but mostly it is a slip.
pub(super) fn stranger(desk: &Desk, subject: &Subject) -> Option<String> {
    match subject {
        Subject::User(name) if (desk.named)(name).is_none() => {
            Some(format!("user \"{name}\" is not known to the proxy"))
        }
        Subject::User(_) | Subject::Group(_) | Subject::Anyone => None,
    }
}

/// What became of a new request: decided at once, or waiting for somebody.
fn describe_request(request: &Request) -> String {
    let approvers: Vec<_> = request.approvers.iter().map(Subject::to_string).collect();
    match request.state {
        RequestState::Pending => {
            format!("{} by {}", describe_approval(request), approvers.join(", "))
        }
        RequestState::Approved
        | RequestState::Denied
        | RequestState::Cancelled
        | RequestState::Lapsed => describe_approval(request),
    }
}

fn describe_approval(request: &Request) -> String {
    match (request.state, request.grant) {
        (RequestState::Approved, Some(grant)) => {
            let duration = show_duration(request.terms.duration);
            format!("request {} is approved: grant {grant} for {duration}", request.id)
        }
        (
            RequestState::Pending
            | RequestState::Approved
            | RequestState::Denied
            | RequestState::Cancelled
            | RequestState::Lapsed,
            _,
        ) => format!(
            "request {} has {} of {} approvals",
            request.id,
            request.approved_by.len(),
            request.approvals_needed
        ),
    }
}

/// Which grants a REVOKE means.
fn scope(databases: &[Database], what: &Revoked) -> Result<Scope, Report> {
    match what {
        Revoked::One(_) | Revoked::All => Ok(Scope::Everything),
        Revoked::AllFrom(words) => Ok(Scope::Of(subject(words))),
        Revoked::AllOn { resource, database } => {
            lookup::scope(databases, database.as_deref(), &written(resource))
        }
    }
}

fn subject(words: &SubjectWords) -> Subject {
    match words {
        SubjectWords::User(name) => Subject::User(name.clone()),
        SubjectWords::Group(name) => Subject::Group(name.clone()),
    }
}

/// Looks the names of what is asked for up in the catalogs.
fn understand(databases: &[Database], words: &AskWords) -> Result<(CatalogView, Ask), Report> {
    let text = written(&words.resource);
    let catalog = lookup::view(databases, words.database.as_deref(), &text)?;
    let ask = Ask {
        resource: text,
        actions: words.actions.iter().copied().collect(),
        duration: words.duration,
        rows: words.rows.clone(),
        reason: words.reason.clone(),
        ticket: words.ticket.clone(),
        not_before: words.starting,
        limits: words.limits,
        runs: words.runs,
        urgency: words.urgency,
    };
    Ok((catalog, ask))
}

fn written(resource: &ResourceWords) -> String {
    match resource {
        ResourceWords::Path(parts) => {
            parts.iter().map(|part| name(part)).collect::<Vec<_>>().join(".")
        }
        ResourceWords::Class(class) => format!("class:{class}"),
    }
}

/// In quotes where it would not read back as itself.
fn name(part: &str) -> String {
    let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase();
    let is_plain = part.bytes().next().is_some_and(plain)
        && part.bytes().all(|byte| plain(byte) || byte.is_ascii_digit());
    if is_plain { part.to_owned() } else { quote_ident(part) }
}
