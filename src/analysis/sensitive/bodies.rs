//! What the bodies of user-defined functions mention, and which of them nobody can read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Audience, Opaque};
use crate::analysis::mention::MentionError;
use crate::analysis::mention::names::{Boundary, Names, Pattern};
use crate::analysis::mention::side_doors::{self, Kind};
use crate::model::Oid;
use crate::schema::{Function, LANGUAGE_AGGREGATE, LANGUAGE_RANGE, Snapshot};

/// Extensions whose C functions compute from their arguments and read nothing else. All others are
/// opaque until the catalog declares their functions.
const HARMLESS_EXTENSIONS: &[&str] = &[
    "address_standardizer",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "h3",
    "hll",
    "hstore",
    "intagg",
    "intarray",
    "ip4r",
    "isn",
    "jsonb_plperl",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "plpgsql",
    "postgis",
    "postgis_raster",
    "prefix",
    "seg",
    "semver",
    "sslinfo",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
];

/// `pg_type.dat`.
const REFCURSOR_OID: Oid = 1790;

/// What is looked for in a body.
#[derive(Clone, Copy, Debug)]
enum Word<'a> {
    Name(&'a str),
    /// Anywhere: which tokens operators are made of depends on what is beside them.
    Operator(&'a str),
    SideDoor(Kind),
    Execute,
    Unicode,
    Notify,
    /// FETCH and MOVE.
    Fetch,
    Refcursor,
}

/// What one body mentions.
#[derive(Clone, Debug, Default)]
pub(super) struct Body<'a> {
    /// Names of user relations, functions and types that run code, as stored; in whatever schema.
    pub(super) names: BTreeSet<&'a str>,
    /// Symbols of user-defined operators.
    pub(super) operators: BTreeSet<&'a str>,
    pub(super) side_door: Option<String>,
    pub(super) opaque: Option<Opaque>,
    pub(super) notifies: bool,
    cursors: Cursors,
}

/// How far a body gets with cursors that are not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursors {
    fetches: u32,
    named: u32,
}

/// The bodies of all functions, by OID.
pub(super) struct Bodies<'a> {
    pub(super) by_function: BTreeMap<Oid, Body<'a>>,
    names: Names<Word<'a>>,
    pub(super) audience: Audience,
}

impl<'a> Bodies<'a> {
    pub(super) fn read(schema: &'a Snapshot, audience: Audience) -> Result<Self, MentionError> {
        let relations = schema.relations.values().filter(|relation| !relation.is_system());
        let mut known: BTreeSet<&str> = relations.map(|r| r.name.name.as_str()).collect();
        known.extend(schema.functions.iter().map(|function| function.name.name.as_str()));
        known.extend(schema.types.iter().map(|code| code.name.name.as_str()));
        let operators: BTreeSet<&str> = schema.operators.iter().map(|it| &*it.symbol).collect();
        let mut patterns: Vec<(Pattern, Word<'_>)> = vec![
            (Pattern::new("execute", Boundary::Both), Word::Execute),
            (Pattern::new("u&", Boundary::Before), Word::Unicode),
            (Pattern::new("fetch", Boundary::Both), Word::Fetch),
            (Pattern::new("move", Boundary::Both), Word::Fetch),
            (Pattern::new("refcursor", Boundary::Both), Word::Refcursor),
            (Pattern::new("notify", Boundary::Both), Word::Notify),
            (Pattern::new("pg_notify", Boundary::Both), Word::Notify),
        ];
        for name in known {
            patterns.extend(Pattern::of_name(name).map(|pattern| (pattern, Word::Name(name))));
        }
        let operator = |symbol| (Pattern::new(symbol, Boundary::None), Word::Operator(symbol));
        patterns.extend(operators.into_iter().map(operator));
        patterns
            .extend(side_doors::patterns().map(|(pattern, kind)| (pattern, Word::SideDoor(kind))));
        let (by_function, names) = (BTreeMap::new(), Names::new(patterns)?);
        let mut bodies = Self { by_function, names, audience };
        for function in &schema.functions {
            let body = bodies.body(function);
            bodies.by_function.insert(function.oid, body);
        }
        Ok(bodies)
    }

    fn body(&self, function: &Function) -> Body<'a> {
        let mut body = self.mentions(&function.body);
        let defaults = self.mentions(&function.defaults);
        body.names.extend(defaults.names);
        body.operators.extend(defaults.operators);
        body.side_door = body.side_door.or(defaults.side_door);
        // A cursor given by name may be the client's own portal, which holds rows unmasked.
        let is_given = body.cursors.named > 0 || function.argument_types.contains(&REFCURSOR_OID);
        if body.cursors.fetches > 0 && is_given {
            body.opaque.get_or_insert(Opaque::DynamicSql);
        }
        body.opaque = match function.language.as_str() {
            "sql" | "plpgsql" => body.opaque.or(defaults.opaque),
            LANGUAGE_AGGREGATE | LANGUAGE_RANGE => None,
            "c" | "internal" if is_harmless(function) => None,
            _ => Some(Opaque::Language),
        };
        if self.audience == Audience::Ddl {
            body.opaque = None;
        }
        body
    }

    /// What a text mentions. A side door's function counts where it is called; a column of a like
    /// name does not.
    pub(super) fn mentions(&self, text: &str) -> Body<'a> {
        let bytes = text.as_bytes();
        let mut body = Body::default();
        self.names.each(bytes, |at, word| match word {
            Word::Name(name) => {
                body.names.insert(name);
            }
            Word::Operator(symbol) => {
                body.operators.insert(symbol);
            }
            Word::SideDoor(Kind::Function) if !may_be_call(bytes, at.end) => {}
            Word::SideDoor(_) if self.audience.may_use(&text[at.clone()].to_ascii_lowercase()) => {}
            Word::SideDoor(Kind::Function | Kind::Relation) => {
                body.side_door.get_or_insert_with(|| text[at].to_owned());
            }
            Word::Execute => {
                body.opaque.get_or_insert(Opaque::DynamicSql);
            }
            Word::Unicode => body.opaque = Some(Opaque::UnicodeEscapes),
            Word::Notify => body.notifies = true,
            Word::Fetch => body.cursors.fetches += 1,
            Word::Refcursor => body.cursors.named += 1,
        });
        body
    }

    /// Functions that send NOTIFY themselves or run one that does.
    pub(super) fn notifying(&self, schema: &Snapshot) -> BTreeSet<Oid> {
        let names: HashMap<Oid, &str> =
            schema.functions.iter().map(|f| (f.oid, f.name.name.as_str())).collect();
        let mut found: BTreeSet<Oid> = self
            .by_function
            .iter()
            .filter(|(_, body)| body.notifies)
            .map(|(oid, _)| *oid)
            .collect();
        loop {
            let called: BTreeSet<&str> =
                found.iter().filter_map(|oid| names.get(oid).copied()).collect();
            let before = found.len();
            let callers = schema.functions.iter().filter(|function| {
                let body = self.by_function.get(&function.oid);
                body.is_some_and(|body| !body.names.is_disjoint(&called))
                    || function.runs.iter().any(|oid| found.contains(oid))
            });
            let callers: Vec<Oid> = callers.map(|function| function.oid).collect();
            found.extend(callers);
            if found.len() == before {
                return found;
            }
        }
    }
}

fn is_harmless(function: &Function) -> bool {
    let extension = function.extension.as_deref();
    extension.is_some_and(|extension| HARMLESS_EXTENSIONS.contains(&extension))
}

/// Whether the identifier that reaches up to `end` or beyond is followed by an opening parenthesis,
/// or by a comment that may stand before one.
fn may_be_call(text: &[u8], end: usize) -> bool {
    let rest = text.get(end..).unwrap_or_default();
    let continues = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..);
    let identifier_end = rest.iter().position(|b| !continues(b)).unwrap_or(rest.len());
    let rest = &rest[identifier_end..];
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    // PostgreSQL's white space has the vertical tab, too (since 16).
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let rest = &rest[rest.iter().position(|b| !blank(b)).unwrap_or(rest.len())..];
    rest.starts_with(b"(") || rest.starts_with(b"--") || rest.starts_with(b"/*")
}
