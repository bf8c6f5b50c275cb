//! MERGE: a join whose target is written in several ways.

use super::super::facts::{Assigned, Assignment, UsePlace, WriteAction};
use super::super::names::Names;
use super::super::tree::Node;
use super::super::walk::Walker;

/// `CmdType` of PostgreSQL's `nodes.h`, as the parser numbers it.
const CMD_UPDATE: i64 = 3;
const CMD_INSERT: i64 = 4;
const CMD_DELETE: i64 = 5;
const CMD_NOTHING: i64 = 8;

impl Walker<'_> {
    pub(in super::super) fn merge(&mut self, node: &Node) {
        let clauses: Vec<&Node> = node.nodes("merge_when_clauses").collect();
        let mut actions = Vec::new();
        for clause in &clauses {
            match clause.int("command_type") {
                CMD_UPDATE => actions.push(WriteAction::Update),
                CMD_INSERT => actions.push(WriteAction::Insert),
                CMD_DELETE => actions.push(WriteAction::Delete),
                CMD_NOTHING => {}
                other => self.unsupported(&format!("MERGE with action {other}")),
            }
        }
        let write = self.enter(node, actions);
        if let Some(source) = node.node("source_relation") {
            self.other(source);
        }
        self.value(node.get("join_condition"));
        for clause in clauses {
            self.at(UsePlace::Condition);
            self.value(clause.get("condition"));
            if clause.int("command_type") == CMD_INSERT {
                self.merge_insert(clause, write);
            } else {
                self.assigned(clause.list("target_list"), write);
            }
        }
        self.leave(node);
    }

    fn merge_insert(&mut self, clause: &Node, write: Option<usize>) {
        let values = clause.list("values");
        self.at(UsePlace::Assigned);
        for value in values {
            self.value(value);
        }
        let Some(write) = write else {
            let reads: Vec<Names> = values.iter().map(|value| self.reads(value)).collect();
            return self.out.stored.extend(reads);
        };
        let named: Vec<String> = if clause.has("target_list") {
            clause.nodes("target_list").map(|target| target.text("name").to_owned()).collect()
        } else {
            self.all_columns(write)
        };
        for (column, value) in named.into_iter().zip(values) {
            let is_plain = value.as_node().is_some_and(|value| self.is_plain(value));
            let is_default = value.as_node().is_some_and(|value| value.kind == "SetToDefault");
            let reads = if is_plain { Names::default() } else { self.reads(value) };
            let value = if is_default { Assigned::Default } else { Assigned::Inserted };
            self.out.writes[write].assigned.push(Assignment { column, value, reads });
        }
    }
}
