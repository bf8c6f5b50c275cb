//! Waiting: for bytes in either direction, for what a hold asked for, and for what ends or changes
//! a session.

use std::future::{pending, poll_fn};
use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::ends::End;
use super::line::{Ending, Moved, Reading};
use super::{Done, Relay, Work};
use crate::model::Timestamp;
use crate::telemetry::labels::Direction;

/// Bytes that may wait for one side before the other is no longer read.
const BACKLOG_LEN_MAX: usize = 256 << 10;

/// Bytes that are read ahead of a session that waits, so that a client that leaves is noticed.
const AHEAD_LEN_MAX: usize = 64 << 10;

/// The clock may be set while a deadline is waited for.
const DEADLINE_SLEEP_MAX: Duration = Duration::from_secs(1);

impl<C, S> Relay<'_, C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Waits until there is something to do.
    pub(super) async fn wait(&mut self) -> Result<(), End> {
        let (reads_client, reads_server) = (self.reads_client(), self.reads_server());
        let deadline = self.deadline().map(|at| until(self.now, at).min(DEADLINE_SLEEP_MAX));
        let patience = self.waiting.limit().map(|(at, _)| until(self.now, at));
        let pause = deadline.into_iter().chain(patience).min();
        let Self { client, server, work, cancelling, bell, .. } = self;
        let bytes = poll_fn(|context| {
            let server = server.poll_turn(context, reads_server);
            match (client.poll_turn(context, reads_client), server) {
                (Poll::Pending, Poll::Pending) => Poll::Pending,
                (client, server) => Poll::Ready((at_once(client), at_once(server))),
            }
        });
        let event = tokio::select! {
            biased;
            done = finished(work), if work.is_some() => Event::Done(done),
            () = finished(cancelling), if cancelling.is_some() => Event::Cancelled,
            (client, server) = bytes => Event::Moved { client, server },
            () = bell.rings() => Event::Wake,
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => Event::Wake,
        };
        match event {
            Event::Done(done) => self.done(done),
            Event::Moved { client, server } => self.moved(client, server),
            Event::Cancelled => {
                self.client.news = true;
                Ok(())
            }
            Event::Wake => Ok(()),
        }
    }

    /// Writes what goes out without waiting, so that the next wait is for news alone.
    pub(super) async fn write_at_once(&mut self) -> Result<(), End> {
        if self.server.backlog_len() == 0 && self.client.backlog_len() == 0 {
            return Ok(());
        }
        let Self { client, server, .. } = self;
        let (server, client) = poll_fn(|context| {
            let server = server.poll_turn(context, Reading::Off);
            Poll::Ready((server, client.poll_turn(context, Reading::Off)))
        })
        .await;
        self.moved(at_once(client), at_once(server))
    }

    /// The moment that the session has to be told of, if any is to come.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.session.deadline().filter(|at| Some(*at) != self.struck)
    }

    fn reads_client(&self) -> Reading {
        let held = self.session.waits() || self.cancelling.is_some();
        let room = !self.session.is_leaving()
            && self.server.backlog_len() < BACKLOG_LEN_MAX
            && (!held || self.client.inbox.len() < AHEAD_LEN_MAX);
        if room { Reading::On } else { Reading::Off }
    }

    fn reads_server(&self) -> Reading {
        let room = self.client.backlog_len() < BACKLOG_LEN_MAX
            && (!self.session.holds_server() || self.server.inbox.len() < AHEAD_LEN_MAX);
        if room { Reading::On } else { Reading::Off }
    }

    fn moved(&mut self, client: io::Result<Moved>, server: io::Result<Moved>) -> Result<(), End> {
        let bytes = &self.around.metrics.bytes;
        let client = client.map_err(|_| End::ClientGone)?;
        bytes.of(Direction::FromClient).inc_by(client.read_len as u64);
        bytes.of(Direction::ToClient).inc_by(client.written_len as u64);
        if client.written_len > 0 {
            self.waiting.taken();
        }
        if client.end == Ending::Ended {
            return Err(End::ClientGone);
        }
        let over = if self.session.is_leaving() { End::Said } else { End::ServerGone };
        let server = server.map_err(|_| over)?;
        bytes.of(Direction::FromServer).inc_by(server.read_len as u64);
        bytes.of(Direction::ToServer).inc_by(server.written_len as u64);
        if server.end == Ending::Ended { Err(over) } else { Ok(()) }
    }
}

/// What ended a wait.
enum Event {
    Done(Done),
    Moved {
        client: io::Result<Moved>,
        server: io::Result<Moved>,
    },
    Cancelled,
    /// What it was is looked at in the next turn.
    Wake,
}

/// Waits for work; afterwards there is none.
async fn finished<T>(work: &mut Work<T>) -> T {
    match work {
        Some(future) => {
            let result = future.as_mut().await;
            *work = None;
            result
        }
        None => pending().await,
    }
}

/// What moved if anything did.
fn at_once(moved: Poll<io::Result<Moved>>) -> io::Result<Moved> {
    match moved {
        Poll::Ready(moved) => moved,
        Poll::Pending => Ok(Moved::default()),
    }
}

/// From `now` to `then`, and nothing if that is past.
fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}
