//! What the tests of this module share: the catalog, people and policies of the contract.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Approvers, Ask, CatalogView, DirectGrant, Grant, GrantEvent, Ledger, Policies, PolicyText,
    Subject,
};
use crate::catalog::{Catalog, Table};
use crate::model::{Client, RelationName, Timestamp, User};

pub(super) fn view() -> CatalogView {
    view_of(
        "shop",
        &[
            ("public", "customers", &[("email", "email"), ("phone", "phone"), ("ssn", "id")]),
            ("hr", "employees", &[("salary", "pay"), ("email", "email")]),
            ("hr", "E-mail", &[("E-mail", "email")]),
        ],
    )
}

/// Schema, table, and columns with their classes.
type TableText<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)]);

pub(super) fn view_of(database: &str, tables: &[TableText<'_>]) -> CatalogView {
    let table = |(schema, name, columns): &TableText<'_>| Table {
        name: RelationName::new(*schema, *name),
        columns: columns.iter().map(|(c, class)| (c.to_string(), class.to_string())).collect(),
        subject: None,
        place: String::new(),
    };
    let tables = tables.iter().map(table).collect();
    CatalogView::new(
        database,
        &Catalog { tables, classes: BTreeMap::new(), functions: vec![], honey: vec![] },
        None,
    )
}

pub(super) fn user(name: &str, groups: &[&str], roles: &[&str]) -> User {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    User { name: name.into(), groups: owned(groups), roles: owned(roles) }
}

pub(super) fn alice() -> User {
    user("alice", &["support"], &[])
}

pub(super) fn dora() -> User {
    user("dora", &["dba"], &["control"])
}

pub(super) fn ask(resource: &str, minutes: u64) -> Ask {
    Ask::to_read(resource, Duration::from_secs(minutes * 60), "INC-42: refund")
}

/// Alice's grant of the contract's catalog, as a request at second 0 gives it.
pub(super) fn granted(resource: &str, minutes: u64) -> Grant {
    let ledger = Ledger::default();
    let direct =
        DirectGrant { subject: Subject::User("alice".into()), ask: ask(resource, minutes) };
    let nobody = Approvers::default();
    let granted = ledger.grant_proven(&nobody, &dora(), &view(), &direct, at(0));
    let event = granted.unwrap().remove(0);
    let GrantEvent::Granted { grant, .. } = event else { panic!("{event:?}") };
    *grant
}

/// At the end of a connection from nowhere in particular.
pub(super) fn client(user: User) -> Client {
    Client {
        user,
        address: Some([10, 2, 0, 1].into()),
        application: "psql".into(),
        database: "shop".into(),
    }
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

/// The two policies of the contract.
pub(super) fn policies() -> Policies {
    let texts = r#"
        [[policy]]
        name         = "support reads contact data"
        subjects     = ["group:support"]
        resources    = ["class:email", "class:phone"]
        actions      = ["read"]
        max_duration = "1h"
        approvals    = 0
        reason       = "INC-[0-9]+"

        [[policy]]
        name         = "anything else"
        subjects     = ["*"]
        resources    = ["*"]
        actions      = ["read", "lookup", "write", "export"]
        max_duration = "30m"
        approvals    = 1
        approvers    = ["group:dba"]
    "#;
    let mut texts: BTreeMap<String, Vec<PolicyText>> = toml::from_str(texts).unwrap();
    let texts = texts.remove("policy").unwrap();
    Policies(texts.iter().map(|text| text.resolve(&[view()]).unwrap()).collect())
}
