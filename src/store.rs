//! What outlives the process: the audit log and the approvals.

pub mod approvals;
pub mod audit_log;
