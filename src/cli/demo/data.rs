//! The sample shop, put into the throwaway server.

use super::DemoError;
use super::conversation::{Conversation, Login};
use super::postgres::Postgres;
use crate::model::{Secret, quote_literal};

const SHOP: &str = include_str!("../../../demo/shop.sql");

/// Loads the shop as the account that the proxy will use; says how many customers there are.
pub(super) async fn load(postgres: &Postgres, password: &Secret) -> Result<String, DemoError> {
    let superuser = postgres.superuser().await?;
    let password_sql = quote_literal(password.expose());
    superuser.run(&format!("CREATE ROLE app LOGIN PASSWORD {password_sql}")).await?;
    superuser.run("CREATE DATABASE shop OWNER app").await?;
    let app = open(postgres, password).await?;
    app.run(SHOP).await?;
    app.value("SELECT count(*) FROM customers").await
}

/// A conversation with the database itself, to know what the proxy hides.
pub(super) async fn open(
    postgres: &Postgres,
    password: &Secret,
) -> Result<Conversation, DemoError> {
    let login = Login { user: "app", password, database: "shop" };
    Conversation::open(postgres.address(), login).await
}
