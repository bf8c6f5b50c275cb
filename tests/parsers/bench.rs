//! One text against what must hold of every text: the properties themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyhole::analysis::facts::{Analysis, Obstacle, Place};
use keyhole::analysis::mention::Hits;
use keyhole::analysis::parse::{ParseError, Parsed, parse};
use keyhole::analysis::{Context, SearchPath, analyse};
use keyhole::decision::{Dates, Decision, Encoding, Forms, Hidden, Standpoint, Way, World, decide};
use keyhole::grant::{Action, Conditions, Grant, Limits, LiveTable, Resource, Subject};
use keyhole::model::{Client, ColumnPath, Epoch, Timestamp, User};
use keyhole::rewrite::{Decided, rewrite};

use crate::unsplice;

/// A world and the grants under which every text is looked at.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) path: SearchPath,
    client: Client,
    /// Each table holds what the one before holds, and more; the first holds nothing.
    ladder: Vec<LiveTable>,
}

/// What became of a text without grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Gate 1 found nothing.
    Clear,
    /// PostgreSQL's grammar does not accept it, or a limit was met.
    Unreadable,
    Forward,
    Show,
    Compute,
    Refused,
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

impl Bench {
    pub(crate) fn new(world: World, path: &[&str]) -> Self {
        let ladder = ladder(&world);
        let database = world.database.clone();
        let client = Client {
            user: User { name: "alice".into(), groups: Arc::from([]), roles: Arc::from([]) },
            address: None,
            application: "parsers".into(),
            database,
        };
        let path = SearchPath(path.iter().map(|schema| (*schema).to_owned()).collect());
        Self { world, path, client, ladder }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context { schema: &self.world.schema, sensitive: &self.world.sensitive, path: &self.path }
    }

    fn standpoint<'a>(&'a self, grants: &'a LiveTable, now: Timestamp) -> Standpoint<'a> {
        let forms = Forms { encoding: Encoding::Utf8, dates: Dates::Iso };
        Standpoint { world: &self.world, client: &self.client, grants, now, forms }
    }

    pub(crate) fn analyses(&self, parsed: &Parsed) -> Vec<Analysis> {
        let statements = 0..parsed.statements.len();
        statements.map(|index| analyse(parsed, index, self.context())).collect()
    }

    /// Every property of one text; what was violated, if something was.
    pub(crate) fn check(&self, text: &str) -> Result<Outcome, String> {
        let hits = self.world.sensitive.mention.scan(text.as_bytes());
        let parsed = match parse(text) {
            Ok(parsed) => parsed,
            Err(ParseError::Parser) if !text.contains('\0') => {
                return Err("the parser's answer could not be read".to_owned());
            }
            Err(_) if hits.is_empty() => return Ok(Outcome::Clear),
            Err(_) => return Ok(Outcome::Unreadable),
        };
        let analyses = self.analyses(&parsed);
        if hits.is_empty() {
            self.nothing_was_missed(&parsed, &analyses)?;
            return Ok(Outcome::Clear);
        }
        if !hits.contains(Hits::UNICODE) {
            analyses.iter().try_for_each(|analysis| self.is_named(hits, analysis))?;
        }
        self.more_grants_hide_less(&analyses)?;
        let standpoint = self.standpoint(&self.ladder[0], NOW);
        let decisions: Vec<_> = analyses.iter().map(|it| decide(it, standpoint)).collect();
        if decisions.iter().any(|decision| !decision.release.is_empty()) {
            return Err("something is released without a grant".to_owned());
        }
        if decisions.iter().any(|decision| matches!(decision.way, Way::Refuse(_)))
            || analyses.iter().any(|analysis| !analysis.in_band.is_empty())
        {
            return Ok(Outcome::Refused);
        }
        let decided: Vec<_> = analyses
            .iter()
            .zip(&decisions)
            .map(|(analysis, decision)| Decided { analysis, decision })
            .collect();
        let Ok(new) = rewrite(text, &parsed, &decided, &[], self.context(), standpoint) else {
            return Ok(Outcome::Refused);
        };
        if new != text {
            self.says_the_same(&parsed, &new, &decided)?;
        }
        let way = |way: &Way| decisions.iter().any(|decision| decision.way == *way);
        if let Some(decided) = decided.iter().find(|one| one.decision.way == Way::Forward) {
            self.forwards_nothing_hidden(decided)?;
        }
        Ok(if way(&Way::Compute) {
            Outcome::Compute
        } else if way(&Way::Show) {
            Outcome::Show
        } else {
            Outcome::Forward
        })
    }

    /// A clean gate 1 means that gate 2 finds nothing, and that no identifier or string anywhere in
    /// the tree is a sensitive name.
    fn nothing_was_missed(&self, parsed: &Parsed, analyses: &[Analysis]) -> Result<(), String> {
        for analysis in analyses {
            let harmless = |it: &Obstacle| match it {
                Obstacle::Unsupported(_) => true,
                // REVOKE of a role takes away, and is no word of gate 1.
                Obstacle::Ddl(what) => what == "grant role",
                Obstacle::SideDoor(_)
                | Obstacle::Function(_)
                | Obstacle::OpaqueView(_)
                | Obstacle::Unknown { .. } => false,
            };
            let clean = analysis.references.is_empty()
                && analysis.qualify.is_empty()
                && analysis.classed.is_empty()
                && analysis.in_band.is_empty()
                && analysis.obstacles.iter().all(harmless);
            if !clean {
                return Err(format!(
                    "gate 1 was clean, but: {:?} {:?} {:?}",
                    analysis.references, analysis.qualify, analysis.obstacles
                ));
            }
        }
        let mut found = None;
        for statement in &parsed.statements {
            statement.tree.texts(&mut |text| {
                if self.is_sensitive_name(text) {
                    found = Some(text.to_owned());
                }
            });
        }
        found.map_or(Ok(()), |name| Err(format!("gate 1 was clean, but the tree names {name}")))
    }

    fn is_sensitive_name(&self, text: &str) -> bool {
        let (schema, sensitive) = (&self.world.schema, &self.world.sensitive);
        schema.named(text).any(|relation| sensitive.relations.contains_key(&relation.oid))
            || sensitive.functions_named(text).next().is_some()
    }

    /// What gate 2 finds by name, gate 1 found as a name.
    fn is_named(&self, hits: Hits, analysis: &Analysis) -> Result<(), String> {
        if !analysis.references.is_empty() && !hits.contains(Hits::NAME) {
            return Err(format!("gate 1 found {hits:?}, gate 2 {:?}", analysis.references));
        }
        Ok(())
    }

    /// Hidden sets only shrink on the way up the ladder, and are whole again once grants are over.
    fn more_grants_hide_less(&self, analyses: &[Analysis]) -> Result<(), String> {
        for analysis in analyses {
            let at = |grants, now| decide(analysis, self.standpoint(grants, now));
            let mut fewer = at(&self.ladder[0], NOW);
            let (none, over) = (fewer.clone(), Timestamp::from_second(7200).expect("a moment"));
            for grants in &self.ladder[1..] {
                let more = at(grants, NOW);
                shrinks(&fewer, &more).map_err(|what| format!("more grants hide more: {what}"))?;
                if at(grants, over).hidden != none.hidden {
                    return Err("what is hidden differs after the end of every grant".to_owned());
                }
                fewer = more;
            }
        }
        Ok(())
    }

    /// The new text is the old one with masked relations, by a comparison of our own; and each
    /// reference that is left to a relation with hidden columns is one inside a mask.
    fn says_the_same(
        &self,
        old: &Parsed,
        new: &str,
        decided: &[Decided<'_>],
    ) -> Result<(), String> {
        let again = parse(new).map_err(|error| format!("{error} in {new}"))?;
        let why = |what: String| format!("{what}\n  became {new}");
        let masked = unsplice::compare(self, old, &again).map_err(why)?;
        for (index, (analysis, one)) in self.analyses(&again).iter().zip(decided).enumerate() {
            if one.decision.way != Way::Compute {
                continue;
            }
            for reference in &analysis.references {
                let is_read = match reference.place {
                    Place::From | Place::TableCommand | Place::Sampled | Place::Copy => true,
                    Place::Target(_) | Place::CopyTarget | Place::Utility => false,
                };
                if is_read && !masked.contains(&reference.name.start) {
                    let name = &new[reference.name.clone()];
                    return Err(why(format!("statement {index} still reads {name}")));
                }
            }
        }
        Ok(())
    }

    /// A forwarded statement touches none of the hidden columns of what it reads: none of their
    /// names stands in it, and no star.
    fn forwards_nothing_hidden(&self, one: &Decided<'_>) -> Result<(), String> {
        for (reference, hidden) in one.analysis.references.iter().zip(&one.decision.hidden) {
            if hidden.iter().any(|hidden| reference.touched.contains(&hidden.column)) {
                return Err(format!("forwarded, though it touches {hidden:?}"));
            }
        }
        Ok(())
    }
}

fn shrinks(fewer: &Decision, more: &Decision) -> Result<(), String> {
    for (fewer, more) in fewer.hidden.iter().zip(&more.hidden) {
        let covered = |hidden: &&Hidden| {
            !fewer.iter().any(|other| {
                other.column == hidden.column && (other.rows.is_none() || hidden.rows.is_some())
            })
        };
        if let Some(hidden) = more.iter().find(covered) {
            return Err(format!("{hidden:?} was not hidden before"));
        }
    }
    Ok(())
}

/// No grant; some rows of a third of the columns; that third; two thirds; all by name; everything.
fn ladder(world: &World) -> Vec<LiveTable> {
    let paths: BTreeSet<_> =
        world.sensitive.columns.values().map(|column| (*column.path).clone()).collect();
    let paths: Vec<ColumnPath> = paths.into_iter().collect();
    let third: Vec<_> = paths.iter().step_by(3).cloned().collect();
    let two: Vec<_> =
        third.iter().cloned().chain(paths.iter().skip(1).step_by(3).cloned()).collect();
    let named = |paths: &[ColumnPath]| -> Vec<Resource> {
        paths.iter().cloned().map(Resource::Column).collect()
    };
    let steps = [named(&third), named(&two), named(&paths), vec![Resource::All]];
    let mut ladder = vec![LiveTable::default()];
    let some_rows = named(&third).into_iter().map(|resource| grant(resource, Some("id = 1")));
    ladder.push(LiveTable::new(Epoch(1), some_rows));
    ladder.extend(steps.into_iter().map(|resources| {
        LiveTable::new(Epoch(1), resources.into_iter().map(|resource| grant(resource, None)))
    }));
    ladder
}

fn grant(resource: Resource, rows: Option<&str>) -> Arc<Grant> {
    let predicate = |text: &str| keyhole::grant::RowPredicate {
        shown: text.to_owned(),
        sql: format!("({text})").into(),
    };
    Arc::new(Grant {
        id: 1,
        subject: Subject::Anyone,
        database: None,
        resource,
        actions: Action::EVERY.into_iter().collect(),
        rows: rows.map(predicate),
        conditions: Conditions::default(),
        limits: Limits::default(),
        from_first_use: None,
        not_before: NOW,
        expires_at: Timestamp::from_second(3600).ok(),
        reason: "INC-1".into(),
        ticket: None,
        requester: "alice".into(),
        approvers: Vec::new(),
        request: None,
        policy: None,
        review: None,
    })
}
