use std::net::IpAddr;
use std::sync::Arc;

/// The role of who may change objects over personal data and define code.
pub const ROLE_DDL: &str = "ddl";

/// The role of who may read the audit log over HTTP, and no more.
pub const ROLE_AUDITOR: &str = "auditor";

/// Somebody the proxy knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: Arc<str>,
    pub groups: Arc<[String]>,
    /// What the user may do besides asking for data: `control` (console), `ddl` (change objects
    /// over PII), `auditor` (read the audit log over HTTP).
    pub roles: Arc<[String]>,
}

impl User {
    /// A mere name, which may do nothing.
    pub fn nobody(name: &str) -> Self {
        Self { name: name.into(), groups: Arc::new([]), roles: Arc::new([]) }
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }

    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}

/// A user at the end of one connection: what grants and their conditions look at.
#[derive(Clone, Debug)]
pub struct Client {
    pub user: User,
    /// None on a Unix socket.
    pub address: Option<IpAddr>,
    pub application: Arc<str>,
    /// The database as the client named it.
    pub database: Arc<str>,
}
