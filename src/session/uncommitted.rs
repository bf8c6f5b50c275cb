//! What the open transaction has defined over personal data: no snapshot can know it before it is
//! committed, so nothing is read through it until then.
//!
//! Only who has the role `ddl` gets that far. DO blocks say nothing of what they define.

use std::collections::BTreeSet;

use super::{Env, Session};
use crate::analysis::facts::{Analysis, Kind, Obstacle};
use crate::analysis::mention::{Hits, Mention};
use crate::analysis::parse::Parsed;
use crate::analysis::tree::{Deeper, Node};
use crate::grant::Action;
use crate::model::{Report, SqlState};

/// Definitions that change nothing about what can be read under which name.
const HARMLESS: [&str; 5] =
    ["CommentStmt", "CreateStatsStmt", "DropStmt", "GrantStmt", "IndexStmt"];

/// Names that definitions have used since the transaction began.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncommitted {
    /// By definitions that mention personal data, or what such ones have defined.
    names: BTreeSet<String>,
    /// By other definitions of code: it may be given personal data by a statement that reads some.
    code: BTreeSet<String>,
}

impl Uncommitted {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn ended(&mut self) {
        self.names.clear();
        self.code.clear();
    }

    /// Notes a statement that is about to run.
    pub(super) fn note(&mut self, analysis: &Analysis, tree: &Node, mention: &Mention) {
        let needs_role = analysis.obstacles.iter().any(|it| matches!(it, Obstacle::Ddl(_)));
        if analysis.kind != Kind::Define || !needs_role || HARMLESS.contains(&tree.kind) {
            return;
        }
        let over_pii = self.is_over_pii(tree, mention);
        let names = if over_pii { &mut self.names } else { &mut self.code };
        tree.texts(&mut |text| {
            names.insert(text.to_owned());
        });
    }

    /// Whether a definition mentions what is sensitive, or was made so by this transaction.
    fn is_over_pii(&self, tree: &Node, mention: &Mention) -> bool {
        let mut found = false;
        tree.texts(&mut |text| {
            let hits = mention.scan(text.as_bytes());
            found |= hits.intersects(Hits::NAME | Hits::SIDE_DOOR | Hits::UNICODE)
                || self.names.iter().any(|name| holds(text, name));
        });
        found
    }

    /// The first name in a statement that may mean something else than the snapshot says.
    fn named_in(&self, analysis: &Analysis, tree: &Node) -> Option<String> {
        match analysis.kind {
            Kind::Query
            | Kind::CopyOut
            | Kind::CopyIn
            | Kind::Prepare(_)
            | Kind::Declare(_)
            | Kind::Explain
            | Kind::Store => {}
            // Its text was another message's.
            Kind::Execute(_) => return (!self.names.is_empty()).then(|| "EXECUTE".to_owned()),
            Kind::Deallocate(_)
            | Kind::Fetch(_)
            | Kind::Close(_)
            | Kind::Define
            | Kind::Utility => return None,
        }
        let mut found = None;
        tree.walk(&mut |node| {
            let name = match node.kind {
                "RangeVar" => Some(node.text("relname")),
                "FuncCall" => node.names("funcname").last().copied(),
                "TypeName" => node.names("names").last().copied(),
                _ => None,
            };
            let reads = !analysis.references.is_empty();
            if let Some(name) = name
                && (self.names.contains(name) || (reads && self.code.contains(name)))
                && !PLAIN_TYPES.contains(&name)
            {
                found.get_or_insert_with(|| name.to_owned());
            }
            Deeper::Yes
        });
        found
    }
}

/// Types in columns of a definition are not what it defines.
const PLAIN_TYPES: [&str; 14] = [
    "bool",
    "bpchar",
    "date",
    "float8",
    "int2",
    "int4",
    "int8",
    "json",
    "jsonb",
    "numeric",
    "text",
    "timestamp",
    "timestamptz",
    "varchar",
];

/// Whether code mentions a name, in whatever case.
fn holds(code: &str, name: &str) -> bool {
    let (code, name) = (code.to_ascii_lowercase(), name.to_ascii_lowercase());
    !name.is_empty() && code.contains(&name)
}

impl Session {
    /// Refuses statements through what the transaction, or an earlier one of these statements, has
    /// defined over personal data: but not those of who may read all of it.
    pub(super) fn reads_uncommitted(
        &self,
        parsed: &Parsed,
        analyses: &[Analysis],
        env: Env<'_>,
    ) -> Option<Box<Report>> {
        let mut defined = self.uncommitted.clone();
        for (analysis, statement) in analyses.iter().zip(&parsed.statements) {
            if let Some(name) = defined.named_in(analysis, &statement.tree)
                && !self.may_read_everything(env)
            {
                return Some(
                    Report::error(
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        format!("permission denied for {name} in this transaction"),
                    )
                    .detail("The transaction has changed definitions over personal data.")
                    .hint("COMMIT first: then it is known what the names mean.")
                    .into(),
                );
            }
            defined.note(analysis, &statement.tree, &env.world.sensitive.mention);
        }
        None
    }

    fn may_read_everything(&self, env: Env<'_>) -> bool {
        let standpoint = self.standpoint(env);
        env.world.sensitive.columns.keys().all(|column| {
            let cover = standpoint.cover(*column, Action::Read);
            cover.is_some_and(|cover| cover.rows.is_none())
        })
    }
}
