//! What outlives the process: grants and requests in the approval store, the audit log, what was
//! found to be personal data, how far readers are, and the key that signs.

pub mod approvals;
pub mod audit_log;
pub mod findings;
pub mod positions;
pub mod signed_out;
pub mod signing_key;
pub mod subject_key;
pub mod tags;
mod whole;
