//! The database behind the proxy.

pub mod cancel;
pub mod connect;
