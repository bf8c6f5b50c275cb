//! The proxy's own connections to the database, and the connecting of clients' ones.

pub mod introspect;
