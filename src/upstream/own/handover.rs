//! A connection that is logged in, for a driver that insists on logging in itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Stream;
use crate::upstream::connect::Connected;
use crate::wire::{TxStatus, WireError, write};

/// Reads as a server that lets anybody in, and then as the connection itself. The driver's startup
/// packet goes nowhere.
#[derive(Debug)]
pub struct Handover {
    stream: Stream,
    /// What is read before the stream.
    greeting: io::Cursor<Vec<u8>>,
    packet: Packet,
}

/// How much of the startup packet was written.
#[derive(Debug)]
enum Packet {
    /// Fewer than the four bytes of its length.
    Length {
        seen: usize,
        value: u32,
    },
    /// So many bytes are to come.
    Rest(usize),
    Over,
}

impl Handover {
    /// # Errors
    /// What the server reported cannot be repeated.
    pub(super) fn new(connected: Connected) -> Result<Self, WireError> {
        let Connected { stream, parameters, key, leftover, .. } = connected;
        let mut greeting = Vec::new();
        write::authentication_ok(&mut greeting);
        for (name, value) in &parameters {
            write::parameter_status(&mut greeting, name, value)?;
        }
        // The driver takes keys of four bytes; the proxy cancels nothing of its own.
        if let Some(key) = key.filter(|key| key.secret.len() == 4) {
            write::backend_key_data(&mut greeting, key.pid, &key.secret)?;
        }
        write::ready_for_query(&mut greeting, TxStatus::Idle);
        greeting.extend(leftover);
        let packet = Packet::Length { seen: 0, value: 0 };
        Ok(Self { stream, greeting: io::Cursor::new(greeting), packet })
    }

    /// How many bytes at the start of `bytes` are the startup packet's.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        let mut swallowed = 0;
        loop {
            match &mut self.packet {
                Packet::Over => return swallowed,
                Packet::Length { seen: 4, value } => {
                    let len = usize::try_from(*value).unwrap_or(usize::MAX);
                    self.packet = Packet::Rest(len.saturating_sub(4));
                }
                Packet::Length { seen, value } => {
                    let Some(byte) = bytes.get(swallowed) else { return swallowed };
                    *value = *value << 8 | u32::from(*byte);
                    *seen += 1;
                    swallowed += 1;
                }
                Packet::Rest(0) => self.packet = Packet::Over,
                Packet::Rest(len) => {
                    let here = (*len).min(bytes.len() - swallowed);
                    if here == 0 {
                        return swallowed;
                    }
                    *len -= here;
                    swallowed += here;
                }
            }
        }
    }
}

impl AsyncRead for Handover {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let at = usize::try_from(this.greeting.position()).unwrap_or(usize::MAX);
        match this.greeting.get_ref().get(at..).unwrap_or_default() {
            [] => Pin::new(&mut this.stream).poll_read(context, buffer),
            rest => {
                let len = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..len]);
                this.greeting.set_position((at + len) as u64);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Handover {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.swallow(bytes) {
            0 => Pin::new(&mut this.stream).poll_write(context, bytes),
            swallowed => Poll::Ready(Ok(swallowed)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
