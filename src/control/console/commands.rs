//! pgwire's query handlers: text to commands, answers to messages.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{Sink, SinkExt};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;

use super::encode::{error, fields, info, response};
use crate::auth::Authenticated;
use crate::control::answer::{answer, columns};
use crate::control::desk::{Desk, Operator};
use crate::control::grammar::{Command, SyntaxError, parse};
use crate::control::table::Answer;
use crate::model::{Report, SqlState};

/// One operator's commands.
pub(super) struct Commands {
    pub(super) desk: Arc<Desk>,
    /// As at the login.
    pub(super) operator: Operator,
    pub(super) authenticated: Authenticated,
}

impl Commands {
    /// Who is at the console, with what the configuration says of them now.
    fn operator(&self) -> Result<Operator, Report> {
        let Operator { user: _, address, application } = &self.operator;
        let now = (self.desk.clock)();
        if self.authenticated.until().is_some_and(|until| now >= until) {
            let message = "terminating connection: the token of its login has expired";
            return Err(Report::fatal(SqlState::INVALID_AUTHORIZATION, message)
                .hint("Log in again with a new token."));
        }
        let user = self.desk.operator(&self.authenticated).ok_or_else(|| {
            Report::fatal(
                SqlState::INVALID_AUTHORIZATION,
                "this user may not use the control port any more",
            )
            .hint("proxy.toml gives the role: roles = [\"control\"].")
        })?;
        Ok(Operator { user, address: *address, application: Arc::clone(application) })
    }

    /// Runs a command and turns its answer into a response; what is to be told beside it goes
    /// ahead as notices.
    async fn run<C>(
        &self,
        client: &mut C,
        command: &Command,
        formats: &Format,
    ) -> PgWireResult<Response>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<C::Error>,
    {
        let operator = self.operator().map_err(error)?;
        match answer(&self.desk, &operator, command).await.map_err(error)? {
            Answer::Table(table) => {
                let fields = fields(table.columns, formats)?;
                let tag = if matches!(command, Command::Probe(_)) { "SELECT" } else { "SHOW" };
                Ok(Response::Query(response(tag, &table, fields)))
            }
            Answer::Done { tag, notices } => {
                for notice in notices {
                    let notice = info(Report::notice(notice)).into();
                    client.feed(PgWireBackendMessage::NoticeResponse(notice)).await?;
                }
                Ok(Response::Execution(Tag::new(&tag)))
            }
        }
    }
}

#[async_trait]
impl SimpleQueryHandler for Commands {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let commands = parse(query).map_err(syntax)?;
        if commands.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        let mut responses = Vec::with_capacity(commands.len());
        for command in commands {
            match self.run(client, &command, &Format::UnifiedText).await {
                Ok(response) => responses.push(response),
                // What was done before it is told first; what stands behind it is not run.
                Err(PgWireError::UserError(error)) if !error.is_fatal() => {
                    responses.push(Response::Error(error));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(responses)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Commands {
    type Statement = Command;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser)
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Command>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Command>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !portal.parameters.is_empty() {
            return Err(error(Report::error(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "bind message supplies {} parameters, but commands take none",
                    portal.parameters.len()
                ),
            )));
        }
        self.run(client, &portal.statement.statement, &portal.result_column_format).await
    }
}

/// Parse messages: one command each, without parameters.
pub(super) struct Parser;

#[async_trait]
impl QueryParser for Parser {
    type Statement = Command;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Command>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut commands = parse(sql).map_err(syntax)?;
        if commands.len() > 1 {
            return Err(error(Report::error(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            )));
        }
        Ok(commands.pop())
    }

    fn get_parameter_types(&self, _command: &Command) -> PgWireResult<Vec<Type>> {
        Ok(Vec::new())
    }

    fn get_result_schema(
        &self,
        command: &Command,
        formats: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let unknown = Format::UnifiedText;
        columns(command)
            .map_or(Ok(Vec::new()), |columns| fields(columns, formats.unwrap_or(&unknown)))
    }
}

/// psql points at the place.
fn syntax(found: SyntaxError) -> PgWireError {
    let position = found.position.to_string();
    let mut info = info(found.into());
    info.position = Some(position);
    PgWireError::UserError(Box::new(info))
}
