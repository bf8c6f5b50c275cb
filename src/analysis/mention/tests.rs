use super::*;

fn scan(statement: &str) -> Hits {
    let names = ["customers", "we\"ird", "UserProfiles", "клиенты"];
    Mention::new(names, ["<=>"]).expect("a gate").scan(statement.as_bytes())
}

#[test]
fn what_mentions_nothing_has_no_hits() {
    for statement in [
        "",
        "SELECT sku, price FROM products WHERE id = $1",
        "SELECT count(*) FROM vip_customers_archive",
        "SELECT customers2, xcustomers, customersx FROM t",
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "INSERT INTO t VALUES (1) ON CONFLICT do\n nothing",
        "SELECT pg_statistic_ext.oid, pg_largeobject_metadata.oid",
        "SELECT table_schema, menu&1, undo, recall FROM information_schema.columns",
        "BEGIN",
        "COMMIT",
        "SELECT 1 <= 2",
    ] {
        assert_eq!(scan(statement), Hits::NONE, "{statement}");
    }
}

#[test]
fn names_hit_in_every_spelling() {
    for statement in [
        "SELECT * FROM customers",
        "SELECT * FROM CuStOmErS c",
        "TABLE\"customers\"",
        "SELECT 1customers",
        "SELECT $1customers",
        "SELECT(customers)",
        "/**/customers--",
        "SELECT 'customers'::regclass",
        "SELECT $$customers$$",
        "SELECT $a$customers$a$",
        "SELECT customers.*",
        "TABLE \"we\"\"ird\"",
        "TABLE \"userprofiles\"",
        "TABLE клиенты",
        "SELECT a<=>b",
    ] {
        assert_eq!(scan(statement), Hits::NAME, "{statement}");
    }
}

#[test]
fn side_doors_hit() {
    for statement in [
        "SELECT query_to_xml($1, true, true, '')",
        "SELECT query_to_xml_and_xmlschema($1)",
        "TABLE pg_stats_ext_exprs",
        "TABLE pg_catalog.pg_statistic",
        "SELECT stxdmcv FROM pg_statistic_ext_data",
        "SELECT pg_mcv_list_items(x)",
        "SELECT lo_get(1)",
        "SELECT * FROM dblink_get_result('c')",
        "SELECT * FROM crosstab4('x')",
        "SELECT query FROM pg_stat_activity",
        "SELECT current_query()",
        "SELECT pg_read_binary_file('x')",
        "SELECT * FROM pg_toast.pg_toast_16385",
        "SELECT data FROM bt_page_items('i', 1)",
        "SELECT ts_rewrite('a'::tsquery, 'x')",
    ] {
        assert_eq!(scan(statement), Hits::SIDE_DOOR, "{statement}");
    }
}

#[test]
fn words_hit_by_kind() {
    for (statement, kinds) in [
        ("do $$ begin end $$", Hits::DYNAMIC),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO/**/NOTHING", Hits::DYNAMIC),
        ("INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING; DO LANGUAGE plpgsql 'x'", Hits::DYNAMIC),
        ("CALL p()", Hits::DYNAMIC),
        ("CREATE TABLE t ()", Hits::DDL),
        ("TRUNCATE t", Hits::DDL),
        ("EXPLAIN ANALYZE SELECT 1", Hits::DDL),
        ("PREPARE p AS SELECT 1", Hits::PREPARED),
        ("EXECUTE p", Hits::PREPARED),
        ("FETCH 3 FROM c", Hits::CURSOR),
        ("copy t to stdout", Hits::COPY),
        ("SET search_path = a", Hits::PATH),
        ("SET SCHEMA 'a'", Hits::PATH),
        ("SET ROLE x", Hits::PATH),
        ("SET LOCAL SESSION AUTHORIZATION x", Hits::PATH),
        ("SELECT set_config($1, $2, true)", Hits::PATH),
        ("RESET ALL", Hits::PATH),
        ("DISCARD ALL", Hits::PATH),
        ("ROLLBACK TO s", Hits::ROLLBACK),
        ("COMMIT AND CHAIN", Hits::ROLLBACK),
        ("SELECT U&\"c\\0075stomers\"", Hits::UNICODE),
        ("SELECT 1u&\"x\"", Hits::UNICODE),
        ("SELECT * FROM keyhole.my_grants", Hits::KEYHOLE),
        ("ALTER TABLE customers ADD a int", Hits::DDL | Hits::NAME),
    ] {
        assert_eq!(scan(statement), kinds, "{statement}");
    }
}

#[test]
fn kinds_can_be_told_apart() {
    let hits = Hits::NAME | Hits::COPY;
    assert!(hits.contains(Hits::NAME) && hits.intersects(Hits::COPY | Hits::DDL));
    assert!(!hits.contains(Hits::COPY | Hits::DDL) && !hits.is_empty());
    assert_eq!(hits.without(Hits::NAME), Hits::COPY);
    assert_eq!(format!("{hits:?}"), r#"{"name", "copy"}"#);
}

#[test]
fn side_doors_are_looked_up_by_name() {
    assert!(side_door_function("dblink_exec") && side_door_function("ts_stat"));
    assert!(!side_door_function("ts_headline") && !side_door_function("lower"));
    assert!(side_door_relation("pg_catalog", "pg_statistic"));
    assert!(side_door_relation("monitoring", "pg_stat_statements"));
    assert!(!side_door_relation("public", "pg_locks"));
    assert!(!side_door_relation("pg_catalog", "pg_statistic_ext"));
}
