//! What would become of a statement under one of the two configurations.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::asks::Terms;
use super::book::{Entry, Who};
use super::restore::{Lost, restored};
use crate::analysis::SearchPath;
use crate::catalog::Hiding;
use crate::decision::{Dates, Encoding, Forms, Mode, Standpoint};
use crate::grant::{Grant, LiveTable, RowPredicate};
use crate::mask::mask_name;
use crate::model::{Client, ROLE_DDL};
use crate::server::rehearsal::{Rehearsal, Stage};
use crate::session::{Explanation, State, Verdict};

/// How a statement runs, the cheapest way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Forwarded as it is: it names nothing sensitive.
    Unread,
    /// Parsed, and forwarded.
    Analysed,
    /// Masked in its rows.
    Shown,
    /// Masked below it.
    Computed,
    /// As written, once it is on record what it shows.
    Raw,
    Refused,
}

impl Way {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Analysed => "analysed",
            Self::Shown => "shown",
            Self::Computed => "computed",
            Self::Raw => "raw",
            Self::Refused => "refused",
        }
    }
}

/// What becomes of a column that a statement touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) class: String,
    pub(super) state: State,
    /// How it is hidden where it is.
    pub(super) hiding: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) way: Way,
    /// By `schema.table.column`.
    pub(super) columns: BTreeMap<String, Fate>,
    /// Sorted.
    pub(super) relations: Vec<String>,
    /// Of what is refused: the first that there is to say.
    pub(super) why: Option<String>,
}

/// A configuration and what it makes of the database.
pub(super) struct Side<'a> {
    rehearsal: &'a Rehearsal,
    stage: Stage,
    /// How each column is hidden, by `schema.table.column`.
    hiding: HashMap<String, Arc<str>>,
    /// Which of the two it is: of a [`Terms::there`].
    index: usize,
}

/// Numbers of grants that nobody has: far from those of standing ones.
const GRANTS_FROM: u64 = 1 << 40;

impl<'a> Side<'a> {
    pub(super) fn new(rehearsal: &'a Rehearsal, stage: Stage, index: usize) -> Self {
        let columns = stage.columns().map(|(_, column)| {
            let hiding = match &column.hiding {
                Hiding::Mask(spec) => written(spec),
                Hiding::Deny => "denied".to_owned(),
            };
            (column.path.to_string(), Arc::from(hiding))
        });
        Self { rehearsal, hiding: columns.collect(), stage, index }
    }

    pub(super) fn mode(&self) -> Mode {
        self.stage.mode()
    }

    pub(super) fn path(&self) -> &SearchPath {
        &self.stage.path
    }

    /// What would become of the statement, `sql` with constants of some kind.
    pub(super) fn outcome(
        &self,
        entry: &Entry,
        sql: &str,
        path: &SearchPath,
        terms: &[Terms],
    ) -> Outcome {
        let who = &entry.who;
        let client = self.client(who);
        let world = self.stage.world_of(&client.user);
        let grants = self.grants(who, &entry.grants, terms);
        // Hours count as they did then; grants of the log as if they had no end.
        let forms = Forms { encoding: Encoding::Utf8, dates: Dates::Iso };
        let standpoint =
            Standpoint { world, client: &client, grants: &grants, now: who.time, forms };
        self.told(&Explanation::without_grant(sql, path, standpoint))
    }

    fn client(&self, who: &Who) -> Client {
        Client {
            user: self.rehearsal.person(&who.user, &who.groups),
            address: who.address,
            application: who.application.as_str().into(),
            database: who.database.as_str().into(),
        }
    }

    fn told(&self, explanation: &Explanation) -> Outcome {
        let columns: BTreeMap<String, Fate> = explanation
            .columns
            .iter()
            .map(|column| {
                let hiding = self.hiding.get(&column.column).map(Arc::clone);
                let fate = Fate {
                    class: column.class.clone(),
                    state: column.state,
                    hiding: hiding.unwrap_or_else(|| "".into()),
                };
                (column.column.clone(), fate)
            })
            .collect();
        let way = match explanation.verdict {
            Verdict::Clear if explanation.passes_unread() => Way::Unread,
            // In mode observe what is shown is on record first, too.
            Verdict::Clear if self.mode() == Mode::Observe && !columns.is_empty() => Way::Raw,
            Verdict::Clear => Way::Analysed,
            Verdict::Granted => Way::Raw,
            Verdict::Shown => Way::Shown,
            Verdict::Computed => Way::Computed,
            Verdict::Refused => Way::Refused,
        };
        let why = explanation.reasons.first().filter(|_| way == Way::Refused).cloned();
        Outcome { way, columns, relations: explanation.relations.clone(), why }
    }

    /// What the person may, by the configuration and by these grants of the log.
    fn grants(&self, who: &Who, used: &[u64], terms: &[Terms]) -> LiveTable {
        let mut table = self.stage.standing.clone();
        for number in used {
            let found = usize::try_from(*number).ok().and_then(|number| terms.get(number));
            let Some(terms) = found.filter(|terms| terms.there[self.index]) else { continue };
            if let Some(grant) = self.grant(GRANTS_FROM + number, who, terms) {
                table.insert(Arc::new(grant).into());
            }
        }
        table
    }

    /// None: it names nothing that is hidden here.
    fn grant(&self, id: u64, who: &Who, terms: &Terms) -> Option<Grant> {
        let person = self.rehearsal.person(&who.user, &who.groups);
        let view = &self.stage.world_of(&person).view;
        let resource = view.resolve(&terms.resource).ok()?;
        // Which constants a predicate had does not matter, only that there is one. One that cannot
        // be read without them is taken for true.
        let predicate = |rows: &str| {
            let sql = [rows.replace('?', "0"), rows.replace('?', "'2000-01-01'")];
            sql.iter().find_map(|sql| RowPredicate::parse(sql, &resource, view).ok())
        };
        let rows = terms.rows.as_deref().and_then(predicate);
        let grant = Grant::boundless(terms.subject()?, resource, terms.actions());
        Some(Grant { id, database: Some(terms.database.clone()), rows, ..grant })
    }
}

/// The mask and what it goes by.
fn written(spec: &crate::catalog::MaskSpec) -> String {
    use crate::catalog::{DatePrecision, MaskSpec};
    let name = mask_name(spec);
    match spec {
        MaskSpec::Redact | MaskSpec::Null | MaskSpec::Email => name.to_owned(),
        MaskSpec::Constant { value } => format!("{name} {value:?}"),
        MaskSpec::Partial { keep_first, keep_last } => {
            format!("{name} (first {keep_first}, last {keep_last})")
        }
        MaskSpec::Date { to: DatePrecision::Year } => format!("{name} (year)"),
        MaskSpec::Date { to: DatePrecision::Month } => format!("{name} (month)"),
        MaskSpec::Bucket { size } => format!("{name} ({size})"),
        MaskSpec::Ip { v4_prefix, v6_prefix } => format!("{name} (/{v4_prefix}, /{v6_prefix})"),
    }
}

/// A statement under both configurations.
pub(super) struct Both {
    pub(super) before: Outcome,
    pub(super) after: Outcome,
}

/// The two configurations of one database.
pub(super) struct Pair<'a> {
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
    pub(super) terms: &'a [Terms],
}

impl Pair<'_> {
    /// What would become of the entry's statement, `sql` with constants of some kind.
    pub(super) fn outcomes(&self, entry: &Entry, sql: &str) -> Both {
        let usual = self.before.path();
        let before = self.before.outcome(entry, sql, usual, self.terms);
        // Names are looked up as sessions do at their beginning, unless the log says that they led
        // elsewhere, and would have from the schemas that it names.
        let elsewhere = entry.told.as_ref().map(|told| &told.relations);
        let elsewhere = elsewhere.filter(|named| !named.is_empty() && **named != before.relations);
        let path = elsewhere.map(|named| in_front(named, usual));
        if let (Some(path), Some(named)) = (path, elsewhere) {
            let other = self.before.outcome(entry, sql, &path, self.terms);
            if other.relations == *named {
                let after = self.after.outcome(entry, sql, &path, self.terms);
                return Both { before: other, after };
            }
        }
        Both { before, after: self.after.outcome(entry, sql, usual, self.terms) }
    }
}

/// The path with the schemas of these relations before all others.
fn in_front(relations: &[String], path: &SearchPath) -> SearchPath {
    let mut schemas: Vec<String> = Vec::new();
    for relation in relations {
        if let Some((schema, _)) = relation.split_once('.')
            && !schemas.iter().any(|known| known == schema)
        {
            schemas.push(schema.to_owned());
        }
    }
    let others = path.0.iter().filter(|schema| !schemas.contains(schema)).cloned();
    let others: Vec<String> = others.collect();
    schemas.extend(others);
    SearchPath(schemas)
}

/// All that an outcome hangs on beside the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alike {
    /// As the log names them, which may say where names lead.
    relations: Vec<String>,
    whose: Whose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    /// Somebody whom no grant is about: only the role `ddl` counts, in either configuration.
    Anyone {
        ddl: [bool; 2],
    },
    Person {
        user: String,
        groups: Vec<String>,
        holds: Vec<bool>,
        grants: Box<[u64]>,
    },
}

impl Alike {
    fn of(entry: &Entry, pair: &Pair<'_>) -> Self {
        let relations = entry.told.as_ref().map(|told| told.relations.clone());
        let sides = [&pair.before, &pair.after];
        let clients = sides.map(|side| side.client(&entry.who));
        let nobodys = entry.grants.is_empty()
            && sides
                .iter()
                .zip(&clients)
                .all(|(side, client)| !side.stage.standing.is_about(client));
        let whose = if nobodys {
            Whose::Anyone { ddl: clients.map(|client| client.user.has_role(ROLE_DDL)) }
        } else {
            let Who { user, groups, holds, .. } = &*entry.who;
            Whose::Person {
                user: user.clone(),
                groups: groups.clone(),
                holds: holds.clone(),
                grants: entry.grants.clone(),
            }
        };
        Self { relations: relations.unwrap_or_default(), whose }
    }
}

/// So many outcomes of one statement are remembered: of people whom no grant is about there are few,
/// and one person's entries follow each other.
const REMEMBERED_MAX: usize = 8;

/// What was made of the statement that the last entry was about.
pub(super) struct Memory {
    fingerprint: String,
    sql: Result<String, Lost>,
    known: VecDeque<(Alike, Arc<Both>)>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { fingerprint: String::new(), sql: Err(Lost::Syntax), known: VecDeque::new() }
    }

    /// What would become of the entry's statement.
    ///
    /// # Errors
    /// [`Lost`]: nobody knows.
    pub(super) fn both(&mut self, pair: &Pair<'_>, entry: &Entry) -> Result<Arc<Both>, Lost> {
        if self.fingerprint != entry.shape.fingerprint {
            self.fingerprint.clone_from(&entry.shape.fingerprint);
            self.sql = restored(&entry.shape.text);
            self.known.clear();
        }
        let sql = self.sql.as_ref().map_err(|lost| *lost)?;
        let alike = Alike::of(entry, pair);
        if let Some((_, both)) = self.known.iter().find(|(known, _)| *known == alike) {
            return Ok(Arc::clone(both));
        }
        let both = Arc::new(pair.outcomes(entry, sql));
        self.known.truncate(REMEMBERED_MAX - 1);
        self.known.push_front((alike, Arc::clone(&both)));
        Ok(both)
    }
}
