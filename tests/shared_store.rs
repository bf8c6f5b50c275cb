//! The approval store in PostgreSQL, which several proxies share.
//!
//! One process and a few servers for all of it: `cargo test --test shared_store`.

#[path = "approvals/life.rs"]
mod life;
#[path = "support/fixture.rs"]
mod support;

#[path = "shared_store/history.rs"]
mod history;
#[path = "shared_store/outages.rs"]
mod outages;
#[path = "shared_store/place.rs"]
mod place;
#[path = "shared_store/start.rs"]
mod start;
#[path = "shared_store/writers.rs"]
mod writers;

mod on_15 {
    use crate::place::database;
    use crate::support::Postgres;

    crate::life::lives!(|name| database(Postgres::shared(), name).home());
}

mod on_18 {
    use crate::place::database;
    use crate::support::Postgres;

    crate::life::lives!(|name| database(Postgres::shared_18(), name).home());
}
