//! What a server says about itself, where several could be it.

use super::ConnectError;
use crate::model::Oid;
use crate::schema::Identity;
use crate::upstream::servers::{Recovery, Role, Writes};
use crate::wire::WireError;

/// One of several servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub role: Role,
    /// Servers of one cluster have the same.
    pub identity: Identity,
}

/// Role and database, whatever `search_path` the client has asked for. One row.
pub(super) const ROLE: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
     pg_catalog.current_setting('transaction_read_only'), oid, datname::pg_catalog.text \
     FROM pg_catalog.pg_database \
     WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

pub(super) use crate::upstream::introspect::queries::SYSTEM;

/// The first row of an answer, each value in text; None for NULL.
pub(super) type Row = Vec<Option<String>>;

/// Puts both answers together; the second is None if the account may not ask.
pub(super) fn server(role: Option<Row>, system: Option<Row>) -> Result<Server, ConnectError> {
    let nonsense = ConnectError::Wire(WireError::Value);
    let Some([Some(recovery), Some(read_only), Some(oid), Some(name)]) = role.as_deref() else {
        return Err(nonsense);
    };
    let Ok(oid) = oid.parse::<Oid>() else { return Err(nonsense) };
    let recovery = match recovery.as_str() {
        "f" => Recovery::Primary,
        _ => Recovery::Standby,
    };
    let writes = match read_only.as_str() {
        "off" => Writes::Allowed,
        _ => Writes::ReadOnly,
    };
    let system = system.and_then(|row| row.into_iter().next().flatten());
    let identity = Identity { system, database: oid, name: name.clone() };
    Ok(Server { role: Role { recovery, writes }, identity })
}
