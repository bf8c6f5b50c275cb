//! Sockets: plain or encrypted streams, listeners that survive errors, TLS settings from PEM,
//! cutting messages out of a stream during login, asking web servers, and delivering to receivers.

pub mod delivery;
pub mod fetch;
mod forward;
pub mod frames;
pub mod listen;
pub mod pace;
pub mod ports;
pub mod proxy_header;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod trust;
pub mod unix;

pub use frames::{FrameError, Frames};
pub use listen::Listener;
pub use ports::Ports;
pub use socket::Socket;
pub use stream::Stream;
