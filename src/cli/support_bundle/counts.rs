//! What can be counted from outside: the system, the catalogs, the audit log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use toml::Table;

use crate::audit::Kind;
use crate::catalog::MaskSpec;
use crate::store::audit_log::scan;

/// Which version runs on what.
pub(super) fn system() -> Value {
    let line_of = |file: &str, start: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "kernel": line_of("/proc/sys/kernel/osrelease", ""),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": line_of("/proc/meminfo", "MemTotal:"),
        "memory_limit": line_of("/sys/fs/cgroup/memory.max", ""),
        "open_files": line_of("/proc/self/limits", "Max open files"),
    })
}

/// For each database, in order, what its catalog files say, in numbers.
pub(super) fn catalogs(config: &Table, folder: &Path) -> Value {
    let databases = config.get("database").and_then(toml::Value::as_array);
    databases.into_iter().flatten().map(|database| catalog(database, folder)).collect()
}

fn catalog(database: &toml::Value, folder: &Path) -> Value {
    let files = database.get("catalog").and_then(toml::Value::as_array);
    let files = files.into_iter().flatten().filter_map(toml::Value::as_str);
    let (mut read, mut unread) = (0, 0);
    let (mut tables, mut columns, mut functions, mut honey) = (0, 0, 0, 0);
    let mut classes = BTreeMap::<&str, usize>::new();
    for file in files {
        let text = fs::read_to_string(folder.join(file)).ok();
        let Some(file) = text.and_then(|text| toml::from_str::<Table>(&text).ok()) else {
            unread += 1;
            continue;
        };
        read += 1;
        let list = |key: &str| file.get(key).and_then(toml::Value::as_array).into_iter().flatten();
        tables += list("table").count();
        functions += list("function").count();
        honey += list("honey").count();
        let of = |table: &toml::Value| Some(table.get("columns")?.as_table()?.len());
        columns += list("table").filter_map(of).sum::<usize>();
        for class in list("class") {
            *classes.entry(hiding(class)).or_default() += 1;
        }
    }
    json!({
        "files": read, "files_unread": unread, "tables": tables, "columns": columns,
        "functions": functions, "honey": honey, "classes_by_mask": classes,
    })
}

/// The mask's kind, if it is one.
fn hiding(class: &toml::Value) -> &'static str {
    let Some(mask) = class.get("mask").cloned() else { return "deny" };
    match mask.try_into() {
        Ok(MaskSpec::Redact) => "redact",
        Ok(MaskSpec::Null) => "null",
        Ok(MaskSpec::Constant { .. }) => "constant",
        Ok(MaskSpec::Partial { .. }) => "partial",
        Ok(MaskSpec::Email) => "email",
        Ok(MaskSpec::Date { .. }) => "date",
        Ok(MaskSpec::Bucket { .. }) => "bucket",
        Ok(MaskSpec::Ip { .. }) => "ip",
        Err(_) => "unknown",
    }
}

/// Whether the chain holds, and how many records of which kind there are: no record itself.
pub(super) fn audit(dir: &Path) -> Value {
    let mut kinds = BTreeMap::<String, u64>::new();
    let kind = |line: &[u8]| Some(Kind::of_line(line).unwrap_or(Kind::Other));
    let verified = scan(
        dir,
        |_, line| kind(line),
        |kind| {
            *kinds.entry(kind.as_str().to_owned()).or_default() += 1;
        },
    );
    let (files, bytes) = size(dir);
    let mut counted = json!({ "files": files, "bytes": bytes, "records_by_kind": kinds });
    match verified {
        Ok(verified) => {
            counted["chain"] = json!(verified.to_string());
            counted["checkpoints"] = json!(verified.checkpoints);
            counted["records_behind_the_last_checkpoint"] = json!(verified.unsigned);
        }
        // What is wrong with it is said by `audit verify`, on the machine.
        Err(_) => counted["chain"] = json!("broken"),
    }
    counted
}

fn size(dir: &Path) -> (u64, u64) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file);
    files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.len()))
}
