//! PostgreSQL's own ways around its tables: samples of values, other sessions' statements, files,
//! pages, large objects, and functions that run SQL from text.

use super::names::{Boundary, Pattern};

/// Functions of `pg_catalog` and of extensions, by exact name.
const FUNCTIONS: &[&str] = &[
    // SQL from text.
    "ts_stat",
    "ts_rewrite",
    "xpath_table",
    "pgrowlocks",
    "get_crosstab_statement",
    // Statements of this and other sessions.
    "current_query",
    "pg_stat_get_activity",
    "pg_stat_get_backend_activity",
    "pg_prepared_statement",
    "pg_cursor",
    "pg_lock_status",
    "pg_get_backend_memory_contexts",
    // Samples of values.
    "pg_mcv_list_items",
    "_postgis_stats",
    "_postgis_selectivity",
    "_postgis_join_selectivity",
    "st_estimatedextent",
    "st_estimated_extent",
    "st_findextent",
    "st_find_extent",
    // What a write did to pages and to the log tells whether a value has changed.
    "pg_stat_get_tuples_hot_updated",
    "pg_stat_get_tuples_newpage_updated",
    "pg_logical_emit_message",
    // Large objects beside `lo_*`.
    "loread",
    "lowrite",
    // Files.
    "pg_stat_file",
    "pg_current_logfile",
    // Pages.
    "get_raw_page",
    "page_header",
    "page_checksum",
    "fsm_page_contents",
    "heap_page_items",
    "heap_page_item_attrs",
    "tuple_data_split",
    "verify_heapam",
];

/// Families of functions, by the beginning of their names.
const FUNCTION_FAMILIES: &[&str] = &[
    "query_to_xml",
    "table_to_xml",
    "cursor_to_xml",
    "schema_to_xml",
    "database_to_xml",
    "dblink",
    "crosstab",
    "connectby",
    "pg_read_",
    "pg_ls_",
    "pg_file_",
    "lo_",
    "pg_logical_slot_",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_current_wal",
    "pg_stat_get_xact_",
    "pg_stat_get_wal",
    "pg_get_wal_record",
    "pg_get_wal_block",
    "pg_get_wal_fpi",
    "bt_page",
    "bt_multi_page",
    "bt_metap",
    "bt_index",
    "brin_page",
    "brin_revmap",
    "brin_metapage",
    "gin_page",
    "gin_metapage",
    "gin_leafpage",
    "gist_page",
    "hash_page",
    "hash_bitmap",
    "hash_metapage",
    "heap_force_",
    "pg_buffercache",
    "pg_visibility",
    "pg_check_",
    "pg_truncate_visibility",
    "pg_stat_statements",
    "pg_stat_monitor",
    "pg_qualstats",
    "pg_store_plans",
    "pg_show_plans",
    "pg_query_state",
];

/// System relations and views, by exact name.
const RELATIONS: &[&str] = &[
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_stat_activity",
    "pg_largeobject",
    "pg_prepared_statements",
    "pg_cursors",
    "pg_locks",
    "pg_backend_memory_contexts",
    // What a write did to pages and to the log.
    "pg_stat_all_tables",
    "pg_stat_sys_tables",
    "pg_stat_user_tables",
    "pg_stat_replication",
    "pg_stat_wal",
    "pg_stat_io",
];

/// Families of relations, by the beginning of their names. `pg_stats` are the views over
/// `pg_statistic`; TOAST tables hold the long values of others.
const RELATION_FAMILIES: &[&str] = &[
    "pg_stats",
    "pg_stat_xact_",
    "pg_toast_",
    "pg_stat_statements",
    "pg_stat_monitor",
    "pg_qualstats",
    "pg_store_plans",
    "pg_show_plans",
    "pg_buffercache",
];

/// Whether a function of this name leads around the tables, whatever schema it is in: extensions
/// can be installed anywhere.
pub fn side_door_function(name: &str) -> bool {
    FUNCTIONS.contains(&name) || FUNCTION_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether a relation leads around the tables. Exact names count in `pg_catalog` only; families,
/// which extensions install anywhere, count in every schema.
pub fn side_door_relation(schema: &str, name: &str) -> bool {
    (schema == "pg_catalog" && RELATIONS.contains(&name))
        || RELATION_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Functions and relations that tell what sessions do, hold and wait for: the doors that show
/// nothing of what tables hold. Statements of others can have values in them.
const OF_SESSIONS: &[&str] = &[
    "pg_backend_memory_contexts",
    "pg_cursor",
    "pg_cursors",
    "pg_get_backend_memory_contexts",
    "pg_lock_status",
    "pg_locks",
    "pg_prepared_statement",
    "pg_prepared_statements",
    "pg_stat_activity",
    "pg_stat_get_activity",
    "pg_stat_get_backend_activity",
];

/// Whether a side door tells about sessions and not about tables.
pub fn side_door_of_sessions(name: &str) -> bool {
    OF_SESSIONS.contains(&name)
}

/// What a side door is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) enum Kind {
    Function,
    Relation,
}

pub(in crate::analysis) fn patterns() -> impl Iterator<Item = (Pattern, Kind)> {
    [
        (FUNCTIONS, Boundary::Both, Kind::Function),
        (FUNCTION_FAMILIES, Boundary::Before, Kind::Function),
        (RELATIONS, Boundary::Both, Kind::Relation),
        (RELATION_FAMILIES, Boundary::Before, Kind::Relation),
    ]
    .into_iter()
    .flat_map(|(names, boundary, kind)| {
        names.iter().map(move |name| (Pattern::new(name, boundary), kind))
    })
}
