//! Statements that change what exists, and code in strings: allowed only as long as no text in
//! them, decoded as PostgreSQL decodes it, mentions anything sensitive.

use pg_query::protobuf::{GrantTargetType, ObjectType};

use super::facts::Obstacle;
use super::mention::Hits;
use super::tree::Node;
use super::walk::Walker;

/// Statements that open a way around the proxy whatever they name.
const ALWAYS_REFUSED: [&str; 30] = [
    "AlterDatabaseSetStmt",
    "AlterDefaultPrivilegesStmt",
    // A new check of a domain runs over what is stored, whatever names the tables have.
    "AlterDomainStmt",
    "AlterEventTrigStmt",
    "AlterFdwStmt",
    "AlterForeignServerStmt",
    "AlterPublicationStmt",
    "AlterRoleSetStmt",
    "AlterRoleStmt",
    "AlterSubscriptionStmt",
    "AlterSystemStmt",
    "AlterUserMappingStmt",
    "CreateAmStmt",
    "CreateEventTrigStmt",
    "CreateFdwStmt",
    "CreateForeignServerStmt",
    "CreateForeignTableStmt",
    "CreatePLangStmt",
    "CreatePublicationStmt",
    "CreateRoleStmt",
    "CreateSubscriptionStmt",
    "CreateTransformStmt",
    "CreateUserMappingStmt",
    "DropOwnedStmt",
    "GrantRoleStmt",
    "ImportForeignSchemaStmt",
    "LoadStmt",
    "ReassignOwnedStmt",
    "ReplicaIdentityStmt",
    "SecLabelStmt",
];

/// Definitions of code and types. Names in other people's statements, and in code that is given
/// personal data, mean whatever fits best under the `search_path`: a new function, operator, cast
/// or type may fit better than PostgreSQL's own.
const MAKES_CODE: [&str; 14] = [
    "AlterFunctionStmt",
    "AlterOpFamilyStmt",
    "AlterOperatorStmt",
    "AlterTypeStmt",
    "CompositeTypeStmt",
    "CreateCastStmt",
    "CreateConversionStmt",
    "CreateDomainStmt",
    "CreateEnumStmt",
    "CreateFunctionStmt",
    "CreateOpClassStmt",
    "CreateOpFamilyStmt",
    "CreateRangeStmt",
    "DefineStmt",
];

/// What may get another name, schema or owner without becoming a function, operator or type.
const HOLDS_NO_CODE: [ObjectType; 12] = [
    ObjectType::ObjectColumn,
    ObjectType::ObjectDatabase,
    ObjectType::ObjectForeignTable,
    ObjectType::ObjectIndex,
    ObjectType::ObjectMatview,
    ObjectType::ObjectRole,
    ObjectType::ObjectSchema,
    ObjectType::ObjectSequence,
    ObjectType::ObjectTabconstraint,
    ObjectType::ObjectTable,
    ObjectType::ObjectTrigger,
    ObjectType::ObjectView,
];

fn makes_code(tree: &Node) -> bool {
    let moved = match tree.kind {
        "RenameStmt" => Some(tree.int("rename_type")),
        "AlterObjectSchemaStmt" | "AlterOwnerStmt" => Some(tree.int("object_type")),
        _ => None,
    };
    if let Some(moved) = moved {
        return !HOLDS_NO_CODE.iter().any(|it| *it as i64 == moved);
    }
    // Functions and aggregates in pg_temp are found by that name only.
    let is_temporary =
        ["funcname", "defnames"].iter().any(|field| tree.names(field).first() == Some(&"pg_temp"))
            && (tree.kind == "CreateFunctionStmt"
                || tree.int("kind") == ObjectType::ObjectAggregate as i64);
    MAKES_CODE.contains(&tree.kind) && !is_temporary
}

/// Refuses a defining statement that mentions, or may hide, anything sensitive.
pub(super) fn check(walker: &mut Walker<'_>, tree: &Node) {
    let what = statement_name(tree.kind);
    // A grant on everything of a schema names no table.
    let everything = tree.kind == "GrantStmt"
        && tree.int("targtype") == GrantTargetType::AclTargetAllInSchema as i64
        && tree.is("is_grant");
    let hides_something = !walker.context.sensitive.columns.is_empty();
    if everything || ALWAYS_REFUSED.contains(&tree.kind) || (hides_something && makes_code(tree)) {
        return walker.out.obstacles.push(Obstacle::Ddl(what));
    }
    let mention = &walker.context.sensitive.mention;
    let mut hits = Hits::NONE;
    tree.texts(&mut |text| hits |= mention.scan(text.as_bytes()));
    let hidden_code = match tree.kind {
        "CreateFunctionStmt" | "DoStmt" => {
            Hits::PREPARED | Hits::DYNAMIC | Hits::UNICODE | Hits::DDL
        }
        _ => Hits::NONE,
    };
    // A portal may hold rows that are masked on their way to the client, or whose grant is over.
    let mut fetches = false;
    if hidden_code != Hits::NONE {
        tree.texts(&mut |text| fetches |= reads_by_name(text));
    }
    let foreign_language = matches!(tree.kind, "CreateFunctionStmt" | "DoStmt")
        && !language(tree).is_none_or(|language| matches!(language, "sql" | "plpgsql"));
    if hits.intersects(Hits::NAME | Hits::SIDE_DOOR | hidden_code) || foreign_language || fetches {
        walker.out.obstacles.push(Obstacle::Ddl(what));
    }
}

/// Whether code reads from cursors or portals, which have names.
fn reads_by_name(code: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    code.split(|c| !is_word(c))
        .any(|word| ["fetch", "move", "refcursor"].iter().any(|it| word.eq_ignore_ascii_case(it)))
}

/// The language of CREATE FUNCTION or DO, if it says one.
fn language(tree: &Node) -> Option<&str> {
    ["options", "args"]
        .into_iter()
        .flat_map(|field| tree.nodes(field))
        .find(|option| option.kind == "DefElem" && option.text("defname") == "language")
        .and_then(|option| option.node("arg"))
        .map(|name| name.text("sval"))
}

/// `CreateFunctionStmt` as people say it: `create function`.
fn statement_name(kind: &str) -> String {
    let mut words = String::new();
    for c in kind.trim_end_matches("Stmt").chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}
