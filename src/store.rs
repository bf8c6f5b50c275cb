//! What outlives the process: grants and requests in the approval store, the audit log, and what
//! was found to be personal data.

pub mod approvals;
pub mod audit_log;
pub mod tags;
