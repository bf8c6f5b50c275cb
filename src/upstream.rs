//! The databases behind the proxy: clients' connections and the proxy's own.

pub mod cancel;
pub mod connect;
pub mod ddl_trigger;
pub mod introspect;
pub mod notes;
pub mod own;
pub mod sampling;
pub mod servers;
