//! Cuts messages out of a stream, one at a time. For logins; a session moves its bytes itself.

use std::future::pending;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::startup::packet_len;
use crate::wire::{FrameHeader, WireError};

/// Bytes asked for at once: a login's messages are shorter.
const READ_LEN: usize = 4096;

/// What arrived and was not taken yet.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
}

/// One message, with its tag.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: u8,
    pub payload: Vec<u8>,
}

/// Why there is no next message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("connection closed")]
    Closed,
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Frames {
    /// The next tagged message, no longer than `len_max` bytes. Cancel safe.
    ///
    /// # Errors
    /// `Closed` if the stream ends between two messages, `Io` if within one.
    pub async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        len_max: usize,
    ) -> Result<Frame, FrameError> {
        loop {
            if let Some(header) = FrameHeader::peek(&self.buffer, len_max)?
                && let Some(frame) = self.take(header.len)
            {
                return Ok(Frame { tag: header.tag, payload: frame[5..].to_vec() });
            }
            self.fill(stream).await?;
        }
    }

    /// The next untagged packet, length word included. Cancel safe.
    ///
    /// # Errors
    /// As [`Frames::next`].
    pub async fn next_startup(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<Vec<u8>, FrameError> {
        loop {
            if let Some(len) = packet_len(&self.buffer)?
                && let Some(packet) = self.take(len)
            {
                return Ok(packet);
            }
            self.fill(stream).await?;
        }
    }

    /// Waits until the peer has left, and takes what it sends meanwhile, up to about `len_max`
    /// bytes: whoever has sent more, or has sent something before it left, is not seen to leave.
    /// Cancel safe.
    pub async fn until_gone(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        len_max: usize,
    ) -> FrameError {
        while self.buffer.len() < len_max {
            match self.fill(stream).await {
                Ok(()) => {}
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return error,
            }
        }
        pending().await
    }

    /// Whether nothing has arrived beyond what was taken.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What has arrived beyond what was taken.
    pub fn into_leftover(self) -> Vec<u8> {
        self.buffer
    }

    fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        if self.buffer.len() < len {
            return None;
        }
        let rest = self.buffer.split_off(len);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), FrameError> {
        self.buffer.reserve(READ_LEN);
        match stream.read_buf(&mut self.buffer).await? {
            0 if self.buffer.is_empty() => Err(FrameError::Closed),
            0 => Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_cut_and_the_rest_is_left() {
        let mut stream = &b"\0\0\0\x08\x04\xd2\x16\x2fZ\0\0\0\x05IS\0\0"[..];
        let mut frames = Frames::default();
        let packet = frames.next_startup(&mut stream).await.unwrap();
        assert_eq!(packet, b"\0\0\0\x08\x04\xd2\x16\x2f");
        let frame = frames.next(&mut stream, 100).await.unwrap();
        assert_eq!(frame, Frame { tag: b'Z', payload: b"I".to_vec() });
        assert!(!frames.is_empty());
        assert_eq!(frames.into_leftover(), b"S\0\0");
    }

    #[tokio::test]
    async fn the_end_within_a_message_is_not_a_polite_one() {
        let mut frames = Frames::default();
        assert!(matches!(frames.next(&mut &b""[..], 100).await, Err(FrameError::Closed)));
        assert!(matches!(frames.next(&mut &b"Z\0"[..], 100).await, Err(FrameError::Io(_))));
    }

    #[tokio::test]
    async fn who_leaves_without_a_word_is_seen_to_leave() {
        let mut frames = Frames::default();
        assert!(matches!(frames.until_gone(&mut &b""[..], 100).await, FrameError::Closed));
        for (sent, len_max) in [(&b"Q\0\0\0\x05"[..], 100), (&[7; 100], 50)] {
            let (mut frames, mut stream) = (Frames::default(), sent);
            let waiting = tokio::time::timeout(
                std::time::Duration::from_millis(20),
                frames.until_gone(&mut stream, len_max),
            );
            assert!(waiting.await.is_err(), "what it said is still to be looked at");
            assert_eq!(frames.into_leftover(), sent);
        }
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_refused_before_it_is_read() {
        let mut frames = Frames::default();
        let result = frames.next(&mut &b"p\0\0\x40\0"[..], 0x4000).await;
        assert!(matches!(result, Err(FrameError::Wire(WireError::Length))));
    }
}
