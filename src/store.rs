//! What outlives the process: grants and requests in the approval store, and the audit log.

pub mod approvals;
pub mod audit_log;
