//! What outlives the process: grants and requests in the approval store, the audit log, what was
//! found to be personal data, and the key that signs.

pub mod approvals;
pub mod audit_log;
pub mod signing_key;
pub mod tags;
