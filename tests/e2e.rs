//! Everything that needs real processes: PostgreSQL, the proxy, clients.
//!
//! One process and one server for all of it: `cargo test --test e2e`.

#[path = "support/fixture.rs"]
mod support;

#[path = "e2e/api.rs"]
mod api;
#[path = "e2e/api_document.rs"]
mod api_document;
#[path = "e2e/attack/classes.rs"]
mod attack;
#[path = "e2e/bad_config.rs"]
mod bad_config;
#[path = "e2e/bad_input.rs"]
mod bad_input;
#[path = "e2e/big.rs"]
mod big;
#[path = "e2e/command_line.rs"]
mod command_line;
#[path = "e2e/console.rs"]
mod console;
#[path = "e2e/conversation.rs"]
mod conversation;
#[path = "e2e/crash.rs"]
mod crash;
#[path = "e2e/deadline.rs"]
mod deadline;
#[path = "e2e/declared.rs"]
mod declared;
#[path = "e2e/desk.rs"]
mod desk;
#[path = "e2e/drift.rs"]
mod drift;
#[path = "e2e/drivers.rs"]
mod drivers;
#[path = "e2e/dump.rs"]
mod dump;
#[path = "e2e/exchange.rs"]
mod exchange;
#[path = "e2e/expiry.rs"]
mod expiry;
#[path = "e2e/explain.rs"]
mod explain;
#[path = "e2e/faults.rs"]
mod faults;
#[path = "e2e/from_use.rs"]
mod from_use;
#[path = "e2e/harness.rs"]
mod harness;
#[path = "e2e/idp.rs"]
mod idp;
#[path = "e2e/jit.rs"]
mod jit;
#[path = "e2e/limits.rs"]
mod limits;
#[path = "e2e/logins.rs"]
mod logins;
#[path = "e2e/lookups.rs"]
mod lookups;
#[path = "e2e/migrations.rs"]
mod migrations;
#[path = "e2e/nothing.rs"]
mod nothing;
#[path = "e2e/notify.rs"]
mod notify;
#[path = "e2e/orm.rs"]
mod orm;
#[path = "e2e/passthrough.rs"]
mod passthrough;
#[path = "e2e/places.rs"]
mod places;
#[path = "e2e/prepared.rs"]
mod prepared;
#[path = "e2e/protocol.rs"]
mod protocol;
#[path = "e2e/proxied.rs"]
mod proxied;
#[path = "e2e/psql_meta.rs"]
mod psql_meta;
#[path = "e2e/receipts.rs"]
mod receipts;
#[path = "e2e/risk.rs"]
mod risk;
#[path = "e2e/sampled.rs"]
mod sampled;
#[path = "e2e/search.rs"]
mod search;
#[path = "e2e/shared_store.rs"]
mod shared_store;
#[path = "e2e/silence.rs"]
mod silence;
#[path = "e2e/simulate.rs"]
mod simulate;
#[path = "e2e/sinks.rs"]
mod sinks;
#[path = "e2e/staying_true.rs"]
mod staying_true;
#[path = "e2e/subjects.rs"]
mod subjects;
#[path = "e2e/support_bundle.rs"]
mod support_bundle;
#[path = "e2e/telemetry.rs"]
mod telemetry;
#[path = "e2e/the_loop.rs"]
mod the_loop;
#[path = "e2e/tls.rs"]
mod tls;
#[path = "e2e/transparent.rs"]
mod transparent;
#[path = "e2e/upstreams.rs"]
mod upstreams;
