//! Puts the rows of the introspection queries together into relations and functions.

use std::collections::HashMap;

use tokio_postgres::{Error, Row};

use super::types::{Part, Types};
use crate::model::{ColumnNumber, Oid, RelationName};
use crate::schema::{
    Code, Column, ColumnDefault, Constraint, ConstraintKind, Function, LANGUAGE_AGGREGATE,
    Relation, RelationKind, ValueType,
};

/// The relations as far as they are known.
pub(super) struct Relations(HashMap<Oid, Relation>);

impl Relations {
    pub(super) fn new(rows: &[Row]) -> Result<Self, Error> {
        let mut relations = HashMap::with_capacity(rows.len());
        for row in rows {
            let oid: Oid = row.try_get(0)?;
            let mut relation =
                Relation::new(oid, name(row, 1)?, relation_kind(row.try_get::<_, i8>(3)?));
            relation.row_type = row.try_get(4)?;
            relation.row_security = row.try_get(5)?;
            relation.definition = row.try_get::<_, Option<String>>(6)?.map(without_semicolon);
            relations.insert(oid, relation);
        }
        Ok(Self(relations))
    }

    pub(super) fn into_vec(self) -> Vec<Relation> {
        self.0.into_values().collect()
    }

    pub(super) fn columns(&mut self, rows: &[Row], types: &[Row]) -> Result<(), Error> {
        let mut values: HashMap<(Oid, i32), ValueType> = HashMap::with_capacity(types.len());
        for row in types {
            let value = ValueType {
                oid: row.try_get(2)?,
                typmod: row.try_get(3)?,
                sql: row.try_get(4)?,
                category: row.try_get::<_, i8>(5)?.cast_unsigned(),
            };
            values.insert((row.try_get(0)?, row.try_get(1)?), value);
        }
        for row in rows {
            let type_oid: Oid = row.try_get(3)?;
            // A type that is not among those read was changed meanwhile; without a value type the
            // column cannot be described, so it is left out and answers as unknown.
            let Some(value) = values.get(&(type_oid, row.try_get(4)?)) else { continue };
            let Some(relation) = self.0.get_mut(&row.try_get(0)?) else { continue };
            relation.columns.push(Column {
                number: row.try_get(1)?,
                name: row.try_get(2)?,
                type_oid,
                value: value.clone(),
                not_null: row.try_get(5)?,
                generated_from: row.try_get::<_, bool>(6)?.then(Vec::new),
                default: if row.try_get(7)? {
                    ColumnDefault::Expression
                } else {
                    ColumnDefault::Null
                },
            });
        }
        Ok(())
    }

    pub(super) fn generated(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let number: ColumnNumber = row.try_get(1)?;
            let Some(relation) = self.0.get_mut(&row.try_get(0)?) else { continue };
            let column = relation.columns.iter_mut().find(|column| column.number == number);
            if let Some(sources) = column.and_then(|column| column.generated_from.as_mut()) {
                push_new(sources, row.try_get(2)?);
            }
        }
        Ok(())
    }

    pub(super) fn parents(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            if let Some(relation) = self.0.get_mut(&row.try_get(0)?) {
                relation.parents.push(row.try_get(1)?);
            }
        }
        Ok(())
    }

    pub(super) fn triggers(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            if let Some(relation) = self.0.get_mut(&row.try_get(0)?) {
                relation.triggers.push(row.try_get(1)?);
            }
        }
        Ok(())
    }

    pub(super) fn indexes(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let Some(relation) = self.0.get_mut(&row.try_get(0)?) else { continue };
            let key_count = usize::try_from(row.try_get::<_, i16>(3)?).unwrap_or_default();
            let keys: Vec<ColumnNumber> = row.try_get(4)?;
            let expressions: Vec<ColumnNumber> = row.try_get(5)?;
            let mut columns = Vec::new();
            // In `indkey`, 0 stands for an expression; the columns behind the keys are INCLUDEd.
            for number in keys.into_iter().take(key_count).filter(|number| *number != 0) {
                push_new(&mut columns, number);
            }
            for number in expressions {
                push_new(&mut columns, number);
            }
            if columns.contains(&0) {
                columns = relation.columns.iter().map(|column| column.number).collect();
            }
            if row.try_get(1)? {
                relation.primary_key.clone_from(&columns);
            }
            let kind =
                if row.try_get(2)? { ConstraintKind::Exclusion } else { ConstraintKind::Unique };
            relation.constraints.push(Constraint { kind, columns, other: None, cascades: false });
        }
        Ok(())
    }

    pub(super) fn constraints(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let oid: Oid = row.try_get(0)?;
            let columns: Vec<ColumnNumber> = row.try_get(2)?;
            if row.try_get::<_, i8>(1)?.cast_unsigned() == b'c' {
                let kind = ConstraintKind::Check;
                self.constrain(oid, Constraint { kind, columns, other: None, cascades: false });
                continue;
            }
            let (referenced, kind): (Oid, _) = (row.try_get(3)?, ConstraintKind::ForeignKey);
            let other = Some(referenced);
            self.constrain(oid, Constraint { kind, columns, other, cascades: false });
            let (columns, cascades) = (row.try_get(4)?, row.try_get(5)?);
            let (kind, other) = (ConstraintKind::ReferencedBy, Some(oid));
            self.constrain(referenced, Constraint { kind, columns, other, cascades });
        }
        Ok(())
    }

    fn constrain(&mut self, oid: Oid, mut constraint: Constraint) {
        let Some(relation) = self.0.get_mut(&oid) else { return };
        // A check without columns is one over whole rows.
        if constraint.columns.is_empty() {
            constraint.columns = relation.columns.iter().map(|column| column.number).collect();
        }
        relation.constraints.push(constraint);
    }

    pub(super) fn texts(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let kind: &str = row.try_get(0)?;
            let Some(relation) = self.0.get_mut(&row.try_get(1)?) else { continue };
            // NULL: dropped meanwhile.
            let Some(text) = row.try_get::<_, Option<&str>>(2)? else { continue };
            let code = if kind == "p" { &mut relation.policies } else { &mut relation.on_write };
            code.text.push_str(text);
            code.text.push('\n');
        }
        Ok(())
    }
}

/// What a piece of code needs.
#[derive(Clone, Debug, Default)]
struct Needs {
    reads: Vec<Oid>,
    calls: Vec<Oid>,
}

/// What code of every kind depends on, by kind (see [`super::queries::DEPENDENCIES`]) and owner.
pub(super) struct Dependencies {
    needs: HashMap<(u8, Oid), Needs>,
    pub(super) types: Types,
}

impl Dependencies {
    /// `types` as their own functions go, `parts` the rows of [`super::queries::TYPE_PARTS`].
    pub(super) fn new(
        rows: &[Row],
        operators: &[Row],
        mut types: Types,
        parts: &[Row],
    ) -> Result<Self, Error> {
        let mut functions: HashMap<Oid, Oid> = HashMap::with_capacity(operators.len());
        for row in operators {
            functions.insert(row.try_get(0)?, row.try_get(2)?);
        }
        let parsed: Vec<(u8, Oid, u8, Oid)> = rows
            .iter()
            .map(|row| {
                let (kind, needs): (&str, &str) = (row.try_get(0)?, row.try_get(2)?);
                Ok((first(kind), row.try_get(1)?, first(needs), row.try_get(3)?))
            })
            .collect::<Result<_, Error>>()?;
        // Code that makes a value of a type runs its checks, and those of the types in them.
        let mut parts: Vec<Part> = parts
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, Error>>()?;
        for (_, domain, needs, oid) in parsed.iter().filter(|(kind, ..)| *kind == b'd') {
            match needs {
                b'p' => types.add(*domain, *oid),
                b'o' => functions.get(oid).into_iter().for_each(|it| types.add(*domain, *it)),
                b't' => parts.push((*domain, *oid)),
                _ => {}
            }
        }
        types.spread(&parts);
        let mut all: HashMap<(u8, Oid), Needs> = HashMap::new();
        for (kind, owner, needs, oid) in parsed {
            let entry = all.entry((kind, owner)).or_default();
            match needs {
                b'c' if oid != owner => push_new(&mut entry.reads, oid),
                b'p' if oid != owner => push_new(&mut entry.calls, oid),
                b'o' => entry.calls.extend(functions.get(&oid)),
                b't' => entry.calls.extend(types.unasked(oid)),
                // Itself: no news.
                b'c' | b'p' => {}
                other => unreachable!("the query names four catalogs, not {other}"),
            }
        }
        Ok(Self { needs: all, types })
    }

    fn needs(&self, kind: u8, owner: Oid) -> Needs {
        self.needs.get(&(kind, owner)).cloned().unwrap_or_default()
    }

    pub(super) fn fill(&self, relations: &mut Relations) {
        for (oid, relation) in &mut relations.0 {
            let rules = self.needs(b'r', *oid);
            (relation.reads, relation.calls) = (rules.reads, rules.calls);
            for (kind, code) in [(b'p', &mut relation.policies), (b'w', &mut relation.on_write)] {
                let needs = self.needs(kind, *oid);
                *code = Code { reads: needs.reads, calls: needs.calls, text: code.text.clone() };
            }
        }
    }
}

pub(super) fn functions(
    rows: &[Row],
    aggregates: &[Row],
    dependencies: &Dependencies,
) -> Result<Vec<Function>, Error> {
    let mut aggregated: HashMap<Oid, (Vec<Oid>, String)> = HashMap::with_capacity(aggregates.len());
    for row in aggregates {
        aggregated.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    rows.iter()
        .map(|row| {
            let oid = row.try_get(0)?;
            let needs = dependencies.needs(b'f', oid);
            let (language, body, mut runs) = match aggregated.remove(&oid) {
                Some((runs, names)) => (LANGUAGE_AGGREGATE.to_owned(), names, runs),
                None => (row.try_get(8)?, row.try_get(9)?, Vec::new()),
            };
            runs.extend(needs.calls);
            runs.retain(|oid| *oid != 0);
            Ok(Function {
                oid,
                name: name(row, 1)?,
                arguments: row.try_get(3)?,
                signature: row.try_get(4)?,
                argument_types: row.try_get(5)?,
                output_types: row.try_get(6)?,
                return_type: row.try_get(7)?,
                language,
                body,
                defaults: row.try_get(10)?,
                extension: row.try_get(11)?,
                reads: needs.reads,
                runs,
            })
        })
        .collect()
}

fn relation_kind(kind: i8) -> RelationKind {
    match kind.cast_unsigned() {
        b'r' => RelationKind::Table,
        b'p' => RelationKind::PartitionedTable,
        b'v' => RelationKind::View,
        b'm' => RelationKind::MaterializedView,
        b'f' => RelationKind::ForeignTable,
        b'S' => RelationKind::Sequence,
        b'c' => RelationKind::CompositeType,
        b'i' | b'I' => RelationKind::Index,
        _ => RelationKind::Other,
    }
}

fn name(row: &Row, schema_at: usize) -> Result<RelationName, Error> {
    let (schema, name): (String, String) = (row.try_get(schema_at)?, row.try_get(schema_at + 1)?);
    Ok(RelationName::new(schema, name))
}

fn without_semicolon(definition: String) -> String {
    definition.trim().trim_end_matches(';').to_owned()
}

fn first(text: &str) -> u8 {
    text.bytes().next().unwrap_or_default()
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
