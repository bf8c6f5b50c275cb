//! Schema `keyhole` inside a data session: requests, grants, catalog and explain, answered as FROM
//! items of literal rows, so that everything else of the statement stays PostgreSQL's.

use std::fmt::Write as _;

use super::explain::Explanation;
use super::plan::{Missing, Plan, Planned};
use super::{Env, Session};
use crate::analysis::facts::{Argument, Given, InBand};
use crate::grant::{AskText, Said, yes};
use crate::model::{Report, SqlState, quote_ident, quote_literal};
use crate::rewrite::InBandAnswer;

/// What the shell is asked to look up or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InBandCall {
    Request {
        ask: Box<AskText>,
        patience: Patience,
    },
    /// A longer life of one's own grant.
    Extend {
        grant: String,
        duration: String,
        reason: String,
        patience: Patience,
    },
    Cancel {
        id: String,
    },
    /// One's own grant is given back.
    Revoke {
        grant: String,
    },
    MyGrants,
    MyRequests,
    Catalog,
}

/// Whether the call returns before the request is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    AtOnce,
    UntilDecided,
}

/// The answer: rows in PostgreSQL's text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InBandTable {
    pub columns: Vec<InBandColumn>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InBandColumn {
    pub name: &'static str,
    pub kind: InBandType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InBandType {
    Int8,
    Text,
    Timestamptz,
}

const fn column(name: &'static str, kind: InBandType) -> InBandColumn {
    InBandColumn { name, kind }
}

const REQUEST: [InBandColumn; 5] = [
    column("id", InBandType::Int8),
    column("state", InBandType::Text),
    column("resource", InBandType::Text),
    column("expires_at", InBandType::Timestamptz),
    column("note", InBandType::Text),
];
const MY_GRANTS: [InBandColumn; 7] = [
    column("id", InBandType::Int8),
    column("state", InBandType::Text),
    column("resource", InBandType::Text),
    column("actions", InBandType::Text),
    column("rows", InBandType::Text),
    column("expires_at", InBandType::Timestamptz),
    column("reason", InBandType::Text),
];
const MY_REQUESTS: [InBandColumn; 6] = [
    column("id", InBandType::Int8),
    column("state", InBandType::Text),
    column("resource", InBandType::Text),
    column("duration", InBandType::Text),
    column("reason", InBandType::Text),
    column("note", InBandType::Text),
];
const CATALOG: [InBandColumn; 4] = [
    column("resource", InBandType::Text),
    column("class", InBandType::Text),
    column("hiding", InBandType::Text),
    column("granted_until", InBandType::Text),
];
const EXPLAIN: [InBandColumn; 2] =
    [column("item", InBandType::Text), column("value", InBandType::Text)];

impl InBandCall {
    /// The columns of its answer.
    pub fn columns(&self) -> &'static [InBandColumn] {
        match self {
            Self::Request { .. } | Self::Extend { .. } | Self::Cancel { .. } => &REQUEST,
            Self::Revoke { .. } => &MY_GRANTS,
            Self::MyGrants => &MY_GRANTS,
            Self::MyRequests => &MY_REQUESTS,
            Self::Catalog => &CATALOG,
        }
    }
}

/// A reference that was understood.
pub(super) enum Understood {
    Call(InBandCall),
    Explain(String),
}

/// Values of parameters, in text, by number from 1; None: not known yet.
pub(super) type Parameters<'a> = Option<&'a [Option<String>]>;

impl Understood {
    /// What the reference asks for.
    ///
    /// # Errors
    /// No such relation or function, or arguments that do not fit.
    pub(super) fn read(reference: &InBand, values: Parameters<'_>) -> Result<Self, Box<Report>> {
        let arguments = reference.arguments.as_deref();
        let text = |index: usize| argument(&arguments?.get(index)?.value, values);
        let count = arguments.map(<[Given]>::len);
        let is_named = arguments.is_some_and(|all| all.iter().any(|one| one.name.is_some()));
        let call = match (reference.name.as_str(), count) {
            ("request", Some(_)) => request(arguments.unwrap_or_default(), values)?,
            ("extend", Some(_)) => extend(arguments.unwrap_or_default(), values)?,
            (name, Some(_)) if is_named => {
                return Err(misused(&format!("keyhole.{name} takes no named arguments")));
            }
            ("cancel", Some(1)) => {
                InBandCall::Cancel { id: text(0).ok_or_else(|| misused("which request?"))? }
            }
            ("revoke", Some(1)) => {
                InBandCall::Revoke { grant: text(0).ok_or_else(|| misused("which grant?"))? }
            }
            ("my_grants", None | Some(0)) => InBandCall::MyGrants,
            ("my_requests", None | Some(0)) => InBandCall::MyRequests,
            ("catalog", None | Some(0)) => InBandCall::Catalog,
            ("explain", Some(1)) => {
                let statement = text(0).ok_or_else(|| misused("explain which statement?"))?;
                return Ok(Self::Explain(statement));
            }
            (name, _) => return Err(misused(&format!("there is no keyhole.{name} like this"))),
        };
        Ok(Self::Call(call))
    }

    pub(super) fn columns(&self) -> &'static [InBandColumn] {
        match self {
            Self::Call(call) => call.columns(),
            Self::Explain(_) => &EXPLAIN,
        }
    }
}

/// `('customers.email', '30 minutes', 'reason', rows => 'id = 42', wait => true)`
fn request(given: &[Given], values: Parameters<'_>) -> Result<InBandCall, Box<Report>> {
    let (mut ask, mut patience) = (AskText::default(), Patience::AtOnce);
    let places = places(given, values, ["resource", "duration", "reason"], |name, value| {
        if name == "wait" {
            patience = wait(value.as_deref())?;
            return Ok(());
        }
        match ask.field_mut(name) {
            Some(field) if field.is_none() => *field = value,
            Some(_) => return Err(misused(&format!("{name} is given twice"))),
            None if ["subject", "user", "for"].contains(&name) => return Err(for_others()),
            None => return Err(misused(&format!("keyhole.request has no {name}"))),
        }
        Ok(())
    })?;
    [ask.resource, ask.duration, ask.reason] = places;
    Ok(InBandCall::Request { ask: Box::new(ask), patience })
}

fn extend(given: &[Given], values: Parameters<'_>) -> Result<InBandCall, Box<Report>> {
    let mut patience = Patience::AtOnce;
    let places = places(given, values, ["grant", "duration", "reason"], |name, value| {
        if name != "wait" {
            return Err(misused(&format!("keyhole.extend has no {name}")));
        }
        patience = wait(value.as_deref())?;
        Ok(())
    })?;
    let [grant, duration, reason] = places;
    Ok(InBandCall::Extend { grant, duration, reason, patience })
}

/// The arguments that have to be there, by place or name; others go to `other`.
fn places(
    given: &[Given],
    values: Parameters<'_>,
    names: [&str; 3],
    mut other: impl FnMut(&str, Option<String>) -> Result<(), Box<Report>>,
) -> Result<[String; 3], Box<Report>> {
    let mut places: [Option<String>; 3] = [None, None, None];
    for (index, one) in given.iter().enumerate() {
        let value = argument(&one.value, values);
        let place = match &one.name {
            None => Some(index).filter(|index| *index < names.len()),
            Some(name) => names.iter().position(|known| known == name),
        };
        match (place, &one.name) {
            (Some(place), _) if places[place].is_none() => places[place] = value,
            (Some(place), _) => return Err(misused(&format!("{} is given twice", names[place]))),
            (None, Some(name)) => other(name, value)?,
            (None, None) => {
                return Err(misused("more than three arguments go by name: rows => 'id = 42'"));
            }
        }
    }
    let [Some(first), Some(second), Some(third)] = places else {
        let why =
            format!("{}, {} and {} have to be given, and not NULL", names[0], names[1], names[2]);
        return Err(misused(&why));
    };
    Ok([first, second, third])
}

fn wait(value: Option<&str>) -> Result<Patience, Box<Report>> {
    Ok(match yes("wait", value)? {
        Said::Yes => Patience::UntilDecided,
        Said::No => Patience::AtOnce,
    })
}

fn for_others() -> Box<Report> {
    Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "a request is for oneself")
        .hint("Whoever needs access asks for it; a DBA can GRANT it on the console.")
        .into()
}

fn argument(argument: &Argument, values: Parameters<'_>) -> Option<String> {
    match argument {
        Argument::Text(text) => Some(text.clone()),
        Argument::Null => None,
        // Until Bind every parameter is some text.
        Argument::Parameter(number) => match values {
            None => Some(String::new()),
            Some(values) => values.get(usize::from(*number).checked_sub(1)?)?.clone(),
        },
    }
}

fn misused(why: &str) -> Box<Report> {
    Report::error(SqlState::UNDEFINED_OBJECT, why)
        .hint(
            "keyhole.request('table.column', '30 minutes', 'reason'), keyhole.extend(7, '10 \
             minutes', 'reason'), keyhole.cancel(3), keyhole.revoke(7), keyhole.my_grants, \
             keyhole.my_requests, keyhole.catalog, keyhole.explain('select …')",
        )
        .into()
}

/// The answer as a FROM item. Parameters stay mentioned, so that the statement keeps them.
pub(super) fn from_item(
    reference: &InBand,
    columns: &[InBandColumn],
    rows: &[Vec<Option<String>>],
) -> InBandAnswer {
    let mut sql = String::from("(SELECT ");
    for (index, column) in columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(
            sql,
            "{comma}CAST(NULL AS {}) AS {}",
            type_sql(column.kind),
            quote_ident(column.name)
        );
    }
    sql.push_str(" WHERE false");
    for given in reference.arguments.iter().flatten() {
        if let Argument::Parameter(number) = &given.value {
            let _ = write!(sql, " AND CAST(${number} AS pg_catalog.text) IS NULL");
        }
    }
    for row in rows {
        sql.push_str(" UNION ALL SELECT ");
        for (index, (value, column)) in row.iter().zip(columns).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let value = value.as_deref().map_or("NULL".to_owned(), quote_literal);
            let _ = write!(sql, "{comma}CAST({value} AS {})", type_sql(column.kind));
        }
    }
    sql.push(')');
    InBandAnswer { sql, default_alias: quote_ident(&reference.name) }
}

fn type_sql(kind: InBandType) -> &'static str {
    match kind {
        InBandType::Int8 => "pg_catalog.int8",
        InBandType::Text => "pg_catalog.text",
        InBandType::Timestamptz => "pg_catalog.timestamptz",
    }
}

impl Session {
    /// The references of a plan, in order.
    pub(super) fn in_band(plan: &Plan) -> Vec<&InBand> {
        plan.statements().flat_map(|statement| &statement.analysis.in_band).collect()
    }

    /// What would happen to a statement in this session, now, and why.
    pub(super) fn explain(&self, text: &str, env: Env<'_>) -> Vec<Vec<Option<String>>> {
        let explanation = Explanation::new(text, self.search_path(), self.standpoint(env));
        let explanation = match self.plan(text, env) {
            // What was prepared or declared before counts, and settings of the session.
            Ok(Planned::Refused(report)) => explanation.refused(&report),
            Ok(Planned::Clear | Planned::Known(_)) => explanation,
            Err(Missing::Preparing(_) | Missing::Answers) => explanation,
            Err(Missing::SearchPath | Missing::Schema) => explanation
                .doubted("a relation of it is not known; the schema is read again when it runs"),
        };
        let row = |(item, value): (&str, String)| vec![Some(item.to_owned()), Some(value)];
        explanation.items().into_iter().map(row).collect()
    }
}
