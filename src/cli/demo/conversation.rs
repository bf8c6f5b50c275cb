//! One open session, spoken to as psql would: simple queries, rows as text, notices heard.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

use super::DemoError;
use crate::model::Secret;

#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a Secret,
    pub(super) database: &'a str,
}

pub(super) struct Conversation {
    pub(super) user: String,
    client: Client,
    notices: Arc<Mutex<Vec<DbError>>>,
}

/// What a statement was answered.
pub(super) struct Reply {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Option<String>>>,
    pub(super) notices: Vec<DbError>,
    /// The ERROR that ended it.
    pub(super) error: Option<DbError>,
}

impl Conversation {
    pub(super) async fn open(address: SocketAddr, login: Login<'_>) -> Result<Self, DemoError> {
        let Login { user, password, database } = login;
        let what = || format!("{user} at {address}");
        let (client, mut connection) = tokio_postgres::Config::new()
            .host(address.ip().to_string())
            .port(address.port())
            .user(user)
            .password(password.expose())
            .dbname(database)
            .application_name("keyhole demo")
            .connect(NoTls)
            .await
            .map_err(|source| DemoError::Database { what: what(), source })?;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        let listen = async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
                }
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a task of this command, gone with its client"
        )]
        tokio::spawn(listen);
        Ok(Self { user: user.to_owned(), client, notices })
    }

    /// Runs one statement. What the server refuses is part of the reply.
    ///
    /// # Errors
    /// Only when the session itself is broken.
    pub(super) async fn ask(&self, sql: &str) -> Result<Reply, DemoError> {
        let result = self.client.simple_query(sql).await;
        let mut heard = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = std::mem::take(&mut *heard);
        drop(heard);
        let mut reply = Reply { columns: Vec::new(), rows: Vec::new(), notices, error: None };
        match result {
            Ok(messages) => messages.iter().for_each(|message| reply.take(message)),
            Err(source) => match source.as_db_error() {
                Some(error) => reply.error = Some(error.clone()),
                None => return Err(DemoError::Database { what: self.user.clone(), source }),
            },
        }
        Ok(reply)
    }

    /// Runs statements whose answer does not matter.
    pub(super) async fn run(&self, sql: &str) -> Result<(), DemoError> {
        let error = |source| DemoError::Database { what: self.user.clone(), source };
        self.client.batch_execute(sql).await.map_err(error)
    }

    /// The first value of the first row; empty for NULL.
    pub(super) async fn value(&self, sql: &str) -> Result<String, DemoError> {
        let reply = self.ask(sql).await?;
        let first = reply.rows.into_iter().next().and_then(|row| row.into_iter().next());
        first.map(Option::unwrap_or_default).ok_or_else(|| {
            let why = reply.error.map(|error| error.message().to_owned()).unwrap_or_default();
            DemoError::Setup(format!("{} got no answer to {sql}: {why}", self.user))
        })
    }
}

impl Reply {
    fn take(&mut self, message: &SimpleQueryMessage) {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                self.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                self.rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
            // A command's tag, or a kind of message that this version of the driver does not know;
            // neither holds rows.
            SimpleQueryMessage::CommandComplete(_) | _ => {}
        }
    }

    /// The values of the column of that name; None where there is no such column.
    pub(super) fn column(&self, name: &str) -> Option<Vec<&str>> {
        let at = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| row[at].as_deref().unwrap_or_default()).collect())
    }

    /// The reply with some of its columns only.
    pub(super) fn only(mut self, names: &[&str]) -> Self {
        let kept: Vec<usize> = names
            .iter()
            .filter_map(|name| self.columns.iter().position(|column| column == name))
            .collect();
        self.columns = kept.iter().map(|at| self.columns[*at].clone()).collect();
        for row in &mut self.rows {
            *row = kept.iter().map(|at| row[*at].clone()).collect();
        }
        self
    }
}
