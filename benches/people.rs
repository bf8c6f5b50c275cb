//! Users and grants by the thousand, as benchmarks need them.

use std::sync::Arc;
use std::time::Duration;

use keyhole::grant::{Actions, Conditions, Grant, Limits, Resource, Subject};
use keyhole::model::{Client, ColumnPath, RelationName, Timestamp, User};

/// So many grants of one user, each on a column of its own.
pub(crate) const GRANTS_PER_USER: u64 = 10;

pub(crate) fn column(number: u64) -> ColumnPath {
    let relation = RelationName::new("public", "customers");
    ColumnPath { relation, column: format!("column_{}", number % GRANTS_PER_USER) }
}

pub(crate) fn grant(id: u64, now: Timestamp) -> Grant {
    Grant {
        id,
        subject: Subject::User(format!("user_{}", (id - 1) / GRANTS_PER_USER)),
        database: Some("shop".into()),
        resource: Resource::Column(column(id)),
        actions: Actions::READ,
        rows: None,
        conditions: Conditions::default(),
        limits: Limits::default(),
        from_first_use: None,
        not_before: now,
        expires_at: Some(now + Duration::from_secs(3_600)),
        reason: "INC-42: a refund that takes a while".into(),
        ticket: None,
        requester: format!("user_{}", (id - 1) / GRANTS_PER_USER),
        approvers: vec!["dora".into()],
        request: None,
        policy: Some("support reads contact data".into()),
        review: None,
    }
}

pub(crate) fn client(name: String) -> Client {
    let user = User {
        name: name.into(),
        groups: Arc::new(["support".to_owned(), "eu".to_owned()]),
        roles: Arc::new([]),
    };
    Client {
        user,
        address: Some([10, 1, 2, 3].into()),
        application: "psql".into(),
        database: "shop".into(),
    }
}
