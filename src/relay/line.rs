//! One of a session's two connections: what arrived and was not taken yet, and what waits to be
//! written.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Most messages are shorter than this; they are read by way of the stack, so that a session that
/// waits holds no buffer for them.
const SMALL_READ_LEN: usize = 8 << 10;

/// Room for one read while data flows in bulk.
const BULK_READ_LEN: usize = 64 << 10;

/// Whether a turn may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    /// Whoever takes the bytes is not ready for more.
    Off,
}

/// What one turn moved; nothing, if it was not possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) read_len: usize,
    pub(super) written_len: usize,
    pub(super) end: Ending,
}

/// Whether the peer will send more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    Open,
    Ended,
}

/// Buffers that grew beyond this are given back when they are empty.
pub(super) const KEPT_LEN: usize = 16 << 10;

/// How the bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Calm,
    /// The last read filled its room.
    Bulk,
}

/// Whether the inbox has had room for a bulk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Small,
    Large,
}

/// How the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Flushed,
    /// Written, but an encrypted stream may still hold some of it.
    Written,
}

pub(super) struct Line<S> {
    stream: S,
    pub(super) inbox: BytesMut,
    /// Whether the inbox holds something that was not looked at yet.
    pub(super) news: bool,
    outbox: Vec<u8>,
    /// How much of the outbox is written.
    written_len: usize,
    out: Out,
    pace: Pace,
    size: Size,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// A connection of which `leftover` has been read already.
    pub(super) fn new(stream: S, leftover: &[u8]) -> Self {
        Self {
            stream,
            inbox: BytesMut::from(leftover),
            news: !leftover.is_empty(),
            outbox: Vec::new(),
            written_len: 0,
            out: Out::Flushed,
            pace: Pace::Calm,
            size: Size::Small,
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn backlog_len(&self) -> usize {
        self.outbox.len() - self.written_len
    }

    /// Takes everything out of `bytes`, to be written after what waits already.
    pub(super) fn send(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        if self.backlog_len() == 0 {
            self.outbox.clear();
            std::mem::swap(&mut self.outbox, bytes);
        } else {
            self.outbox.drain(..self.written_len);
            self.outbox.append(bytes);
        }
        self.written_len = 0;
    }

    /// Writes what waits and reads what came, at most once each; pending when neither is possible.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        reading: Reading,
    ) -> Poll<io::Result<Moved>> {
        let mut moved = Moved::default();
        if let Poll::Ready(written) = self.poll_out(context) {
            moved.written_len = written?;
        }
        if reading == Reading::On
            && let Poll::Ready(read) = self.poll_in(context)
        {
            moved.read_len = read?;
            moved.end = if moved.read_len == 0 { Ending::Ended } else { Ending::Open };
        }
        if moved == Moved::default() { Poll::Pending } else { Poll::Ready(Ok(moved)) }
    }

    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut self.stream);
        let rest = &self.outbox[self.written_len..];
        let mut len = 0;
        if !rest.is_empty() {
            len = ready!(stream.as_mut().poll_write(context, rest))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written_len += len;
            self.out = Out::Written;
        }
        if self.out == Out::Written
            && self.written_len == self.outbox.len()
            && let Poll::Ready(flushed) = stream.poll_flush(context)
        {
            flushed?;
            self.out = Out::Flushed;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_in(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (len, room) = match self.pace {
            Pace::Calm => {
                let mut room = [const { MaybeUninit::uninit() }; SMALL_READ_LEN];
                let mut arrived = ReadBuf::uninit(&mut room);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut arrived))?;
                self.inbox.extend_from_slice(arrived.filled());
                (arrived.filled().len(), SMALL_READ_LEN)
            }
            Pace::Bulk => {
                self.inbox.reserve(BULK_READ_LEN);
                self.size = Size::Large;
                let read = pin!(self.stream.read_buf(&mut self.inbox));
                (ready!(read.poll(context))?, SMALL_READ_LEN)
            }
        };
        self.pace = if len >= room { Pace::Bulk } else { Pace::Calm };
        self.news |= len > 0;
        Poll::Ready(Ok(len))
    }

    /// Gives back the memory of buffers that grew and are empty now.
    pub(super) fn give_back(&mut self) {
        if self.size == Size::Large && self.inbox.is_empty() {
            self.inbox = BytesMut::new();
            self.size = Size::Small;
        }
        if self.outbox.capacity() > KEPT_LEN && self.backlog_len() == 0 {
            self.outbox = Vec::new();
            self.written_len = 0;
        }
    }

    /// Writes everything that waits.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        let rest = &self.outbox[self.written_len..];
        self.stream.write_all(rest).await?;
        self.written_len = self.outbox.len();
        self.stream.flush().await
    }

    /// Reads until the peer ends, and keeps nothing.
    pub(super) async fn exhaust(&mut self) {
        // Not on the stack: every session's future would have room for it.
        let mut sink = vec![0; SMALL_READ_LEN];
        while let Ok(1..) = self.stream.read(&mut sink).await {}
    }

    /// [`Line::drain`], then says that nothing more will come.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.drain().await?;
        self.stream.shutdown().await
    }
}
