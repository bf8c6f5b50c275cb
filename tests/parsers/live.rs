//! A world as the proxy would read it from a running server.

use keyhole::analysis::sensitive::{Sensitive, Tags, Unclassified};
use keyhole::decision::{Mode, Notice, Persist, Rules, World, Writes};
use keyhole::grant::CatalogView;
use keyhole::model::Epoch;
use keyhole::upstream::introspect;

use crate::bench::Bench;
use crate::catalog_file;
use crate::support::Postgres;

/// The database's schema, bound to the catalog text, under the default `search_path`.
pub(crate) fn bench(server: &Postgres, database: &str, catalog: &str) -> Bench {
    let url = server.admin_url(database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let schema = runtime.expect("a runtime").block_on(async {
        let (mut client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a login");
        let reading = introspect::read(&mut client, Epoch(1));
        tokio::select! {
            schema = reading => schema.expect("the schema is read"),
            ended = connection => panic!("the connection ended: {ended:?}"),
        }
    });
    let catalog = catalog_file::read(catalog);
    let (sensitive, _, problems) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow).expect("a gate");
    assert_eq!(problems, []);
    let view = CatalogView::new(database, &catalog, Some(&schema));
    let rules = Rules {
        lookups_per_minute: 20,
        mode: Mode::Enforce,
        persist: Persist::Refuse,
        writes: Writes::Allow,
        notice: Notice::Silent,
    };
    let (world, problems) = World::new(Epoch(1), database.into(), schema, sensitive, view, rules);
    assert!(problems.is_empty(), "{problems:?}");
    Bench::new(world, &["pg_catalog", "public"])
}
