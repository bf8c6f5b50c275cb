//! What a statement touches: the mention gate over its bytes, and the catalog bound to a schema.

pub mod mention;
pub mod sensitive;
