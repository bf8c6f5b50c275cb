//! What the open transaction has defined over personal data: no snapshot can know it before it is
//! committed, so nothing is read through it until then.
//!
//! Only who has the role `ddl` gets that far. DO blocks say nothing of what they define.

mod through;

use std::collections::BTreeSet;

use super::{Env, Session};
use crate::analysis::facts::{Analysis, Kind, Obstacle};
use crate::analysis::mention::Hits;
use crate::analysis::parse::Parsed;
use crate::analysis::tree::Node;
use crate::decision::World;
use crate::grant::Action;
use crate::model::{Report, SqlState};
use through::Calls;

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
    /// Something over personal data runs in statements that do not name it.
    everywhere: bool,
}

/// Definitions that change what other statements run without naming anything of them.
const EVERYWHERE: [&str; 4] =
    ["AlterOpFamilyStmt", "CreateCastStmt", "CreateOpClassStmt", "CreateTransformStmt"];

impl Uncommitted {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether nothing at all was noted: then nothing leads to it.
    pub(super) fn is_untouched(&self) -> bool {
        self.names.is_empty() && self.code.is_empty() && !self.everywhere
    }

    pub(super) fn ended(&mut self) {
        *self = Self::default();
    }

    /// Notes a statement that is about to run.
    pub(super) fn note(&mut self, analysis: &Analysis, tree: &Node, world: &World) {
        if analysis.kind != Kind::Define || HARMLESS.contains(&tree.kind) {
            return;
        }
        let needs_role = analysis.obstacles.iter().any(|it| matches!(it, Obstacle::Ddl(_)));
        let over_pii = self.is_over_pii(tree, world);
        if !over_pii && !needs_role {
            return;
        }
        self.everywhere |= over_pii && EVERYWHERE.contains(&tree.kind);
        let names = if over_pii { &mut self.names } else { &mut self.code };
        let symbol = tree.names("defnames").last().copied();
        through::named(tree, Calls::Left, &mut |text| {
            // Operators in expressions are used, not defined.
            let is_name = text.chars().any(|c| c.is_alphanumeric() || c == '_');
            if is_name || Some(text) == symbol {
                names.insert(through::folded(text));
            }
        });
    }

    /// Whether a definition mentions what is sensitive, or was made so by this transaction.
    fn is_over_pii(&self, tree: &Node, world: &World) -> bool {
        let mut found = false;
        tree.texts(&mut |text| {
            let hits = world.sensitive.mention.scan(text.as_bytes());
            found |= hits.intersects(Hits::NAME | Hits::SIDE_DOOR | Hits::UNICODE);
        });
        found || self.led_to_by(tree, world).is_some()
    }

    /// What of a definition or a block of code leads to names over personal data.
    fn led_to_by(&self, tree: &Node, world: &World) -> Option<String> {
        let mut names = BTreeSet::new();
        through::named(tree, Calls::Counted, &mut |text| names.extend(through::words(text)));
        through::leads_to(names, &self.names, &world.schema)
    }

    /// The first name in a statement that may mean something else than the snapshot says.
    fn named_in(&self, analysis: &Analysis, tree: &Node, world: &World) -> Option<String> {
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
            Kind::Fetch(_) => return (!self.names.is_empty()).then(|| "FETCH".to_owned()),
            Kind::Define | Kind::Utility if RUN_AT_ONCE.contains(&tree.kind) => {
                let code = self.led_to_by(tree, world);
                return code.or_else(|| self.everywhere.then(|| "code".to_owned()));
            }
            Kind::Deallocate(_) | Kind::Close(_) | Kind::Define | Kind::Utility => return None,
        }
        if self.everywhere {
            return Some("statements".to_owned());
        }
        let mut used = BTreeSet::new();
        through::used(tree, &mut |name| {
            used.insert(through::folded(name));
        });
        // What such code finds under a name may be what the transaction has put there.
        let runs_code = !analysis.references.is_empty() || !self.names.is_empty();
        let code = used.iter().find(|name| runs_code && self.code.contains(*name)).cloned();
        code.or_else(|| through::leads_to(used, &self.names, &world.schema))
    }
}

/// Code that runs as it is sent.
const RUN_AT_ONCE: [&str; 2] = ["CallStmt", "DoStmt"];

impl Session {
    /// Refuses statements through what the transaction, or an earlier one of these statements, has
    /// defined over personal data: but not those of who may read all of it.
    pub(super) fn reads_uncommitted(
        &self,
        parsed: &Parsed,
        analyses: &[Analysis],
        env: Env<'_>,
    ) -> Option<Box<Report>> {
        // Most transactions define nothing.
        if self.uncommitted.is_untouched() && !analyses.iter().any(|it| it.kind == Kind::Define) {
            return None;
        }
        let mut defined = self.uncommitted.clone();
        for (analysis, statement) in analyses.iter().zip(&parsed.statements) {
            if let Some(name) = defined.named_in(analysis, &statement.tree, env.world)
                && !self.may_read_everything(env)
            {
                return Some(unknown(&name));
            }
            defined.note(analysis, &statement.tree, env.world);
        }
        None
    }

    /// What a cursor that is open runs was not told with its name.
    pub(super) fn fetches_uncommitted(&self, env: Env<'_>) -> Option<Box<Report>> {
        let changed = !self.uncommitted.is_empty() && !self.may_read_everything(env);
        changed.then(|| unknown("FETCH"))
    }

    fn may_read_everything(&self, env: Env<'_>) -> bool {
        let standpoint = self.standpoint(env);
        env.world.sensitive.columns.keys().all(|column| {
            let cover = standpoint.cover(*column, Action::Read);
            cover.is_some_and(|cover| cover.rows.is_none())
        })
    }
}

fn unknown(name: &str) -> Box<Report> {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for {name} in this transaction"),
    )
    .detail("The transaction has changed definitions over personal data.")
    .hint("COMMIT first: then it is known what the names mean.")
    .into()
}
