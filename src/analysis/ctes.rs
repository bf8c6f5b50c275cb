//! Common table expressions: whose names are in scope, and what is read through them.

use std::collections::{HashMap, HashSet};

use super::facts::Flow;
use super::tree::Node;
use super::walk::Walker;

/// The CTEs of one statement.
#[derive(Debug, Default)]
pub(super) struct Ctes {
    /// Names in scope, innermost last.
    scopes: Vec<HashSet<String>>,
    /// The sensitive references below each name. Scopes are ignored: names that are used twice
    /// count for both.
    below: HashMap<String, Vec<usize>>,
    /// References that were read through names, in the order of reading.
    through: Vec<usize>,
}

impl Ctes {
    pub(super) fn is_in_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    pub(super) fn is_sensitive(&self, name: &str) -> bool {
        self.below.get(name).is_some_and(|below| !below.is_empty())
    }
}

impl Walker<'_> {
    /// Enters the WITH clause of `node` (also an empty one): pushes its scope.
    pub(super) fn with(&mut self, node: &Node) {
        self.ctes.scopes.push(HashSet::new());
        let Some(with) = node.node("with_clause") else { return };
        let names: Vec<&str> = with.nodes("ctes").map(|cte| cte.text("ctename")).collect();
        if with.is("recursive") {
            self.scope(&names);
        }
        let first = self.out.references.len();
        for (cte, name) in with.nodes("ctes").zip(&names) {
            let (before, through) = (self.out.references.len(), self.ctes.through.len());
            self.value(cte.get("ctequery"));
            self.value(cte.get("search_clause"));
            self.value(cte.get("cycle_clause"));
            self.scope(&[name]);
            let mut below: Vec<usize> = (before..self.out.references.len()).collect();
            below.extend_from_slice(&self.ctes.through[through..]);
            self.ctes.below.entry((*name).to_owned()).or_default().extend(below);
        }
        // One may read another that comes after it.
        if with.is("recursive") {
            for name in names {
                let all = first..self.out.references.len();
                self.ctes.below.entry(name.to_owned()).or_default().extend(all);
            }
        }
    }

    pub(super) fn without(&mut self) {
        self.ctes.scopes.pop();
    }

    fn scope(&mut self, names: &[&str]) {
        if let Some(scope) = self.ctes.scopes.last_mut() {
            scope.extend(names.iter().map(|name| (*name).to_owned()));
        }
    }

    /// A CTE is read: what is stored here is what was read there.
    pub(super) fn reads_cte(&mut self, name: &str) {
        let Some(below) = self.ctes.below.get(name).filter(|below| !below.is_empty()) else {
            return;
        };
        self.sensitive_names += 1;
        if self.flow == Flow::Stored {
            for reference in below {
                self.out.references[*reference].flow = Flow::Stored;
            }
        }
        self.ctes.through.extend_from_slice(below);
    }
}
