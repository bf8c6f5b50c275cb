//! Where a tagged message begins and ends.

use super::WireError;

/// The longest message taken from either side unless configured: 256 MiB. PostgreSQL's own limit
/// is 1 GiB, which a proxy with many sessions cannot hold.
pub const FRAME_LEN_MAX_DEFAULT: usize = 256 * 1024 * 1024;

/// The bytes before a payload: the tag and the length word.
pub const HEADER_LEN: usize = 5;

/// Tag and extent of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub tag: u8,
    /// Bytes of the whole frame: tag, length word and payload.
    pub len: usize,
}

impl FrameHeader {
    /// Reads the header at the start of `bytes`; None if fewer than five bytes have arrived.
    ///
    /// # Errors
    /// `Length` if the length word is below four, or the whole frame is longer than
    /// `frame_len_max` bytes.
    pub fn peek(bytes: &[u8], frame_len_max: usize) -> Result<Option<Self>, WireError> {
        let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let declared =
            usize::try_from(i32::from_be_bytes([a, b, c, d])).map_err(|_| WireError::Length)?;
        let len = declared.checked_add(1).ok_or(WireError::Length)?;
        if len < HEADER_LEN || len > frame_len_max {
            return Err(WireError::Length);
        }
        Ok(Some(Self { tag, len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_cut_by_its_declared_length() {
        for (bytes, expected) in [
            (&b""[..], Ok(None)),
            (b"Q\0\0\0", Ok(None)),
            (b"S\0\0\0\x04", Ok(Some(FrameHeader { tag: b'S', len: 5 }))),
            (b"Q\0\0\0\x06x\0Q\0", Ok(Some(FrameHeader { tag: b'Q', len: 7 }))),
            (b"Q\0\0\0\x09", Ok(Some(FrameHeader { tag: b'Q', len: 10 }))),
            (b"Q\0\0\0\x0a", Err(WireError::Length)),
            (b"Q\0\0\0\x03", Err(WireError::Length)),
            (b"Q\0\0\0\0", Err(WireError::Length)),
            (b"Q\x7f\xff\xff\xff", Err(WireError::Length)),
            (b"Q\xff\xff\xff\xff", Err(WireError::Length)),
            (b"Q\x80\0\0\0", Err(WireError::Length)),
        ] {
            assert_eq!(FrameHeader::peek(bytes, 10), expected, "{bytes:?}");
        }
    }
}
