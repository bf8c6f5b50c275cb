//! Sockets: plain or encrypted streams, listeners that survive errors, TLS settings from PEM, and
//! cutting messages out of a stream during login.

pub mod frames;
pub mod listen;
pub mod stream;
pub mod tls;

pub use frames::{FrameError, Frames};
pub use listen::Listener;
pub use stream::Stream;
