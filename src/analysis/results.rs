//! Which rows one row of a result shows: told by the tree alone, and in doubt it is several.

use super::facts::{Kind, Results};
use super::tree::{Deeper, Node};

/// Clauses after which a row of the result may be made of many, or comes from another query.
const GATHERING: [&str; 7] = [
    "group_clause",
    "having_clause",
    "window_clause",
    "values_lists",
    "with_clause",
    "larg",
    "into_clause",
];

/// Nodes that read rows for themselves.
const NESTED: [&str; 6] = [
    "SubLink",
    "RangeSubselect",
    "RangeFunction",
    "RangeTableFunc",
    "RangeTableSample",
    "JsonTable",
];

/// Of a statement of this kind.
pub(super) fn of(tree: &Node, kind: &Kind) -> Results {
    let select = match kind {
        Kind::Query => Some(tree),
        Kind::Prepare(_) | Kind::Declare(_) => tree.node("query"),
        Kind::CopyOut
        | Kind::CopyIn
        | Kind::Execute(_)
        | Kind::Deallocate(_)
        | Kind::Fetch(_)
        | Kind::Close(_)
        | Kind::Explain
        | Kind::Store
        | Kind::Define
        | Kind::Utility => None,
    };
    match select {
        Some(select) if is_one_by_one(select) => Results::OneByOne,
        Some(_) | None => Results::Mixed,
    }
}

/// One SELECT from relations and joins of them. An aggregate without GROUP BY cannot stand beside
/// a key, so calls are of no matter here, but for window functions.
fn is_one_by_one(select: &Node) -> bool {
    if select.kind != "SelectStmt" || GATHERING.iter().any(|clause| select.has(clause)) {
        return false;
    }
    let mut plain = true;
    select.walk(&mut |node| {
        plain &= !NESTED.contains(&node.kind);
        plain &= !(node.kind == "FuncCall" && node.has("over"));
        Deeper::Yes
    });
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::parse::parse;

    fn results(sql: &str, kind: &Kind) -> Results {
        of(&parse(sql).unwrap().statements[0].tree, kind)
    }

    #[test]
    fn rows_of_plain_queries_are_rows_of_tables() {
        for sql in [
            "SELECT id, email FROM c WHERE email LIKE 'a%' ORDER BY email LIMIT 3",
            "SELECT c.id, upper(c.email), o.total FROM c LEFT JOIN o ON o.c = c.id",
            "SELECT * FROM c FOR UPDATE",
            "SELECT DISTINCT id, email FROM c",
            "TABLE c",
        ] {
            assert_eq!(results(sql, &Kind::Query), Results::OneByOne, "{sql}");
        }
        let cursor = "DECLARE x CURSOR FOR SELECT id, email FROM c";
        assert_eq!(results(cursor, &Kind::Declare("x".into())), Results::OneByOne);
        let prepared = "PREPARE p AS SELECT id, email FROM c WHERE id = $1";
        assert_eq!(results(prepared, &Kind::Prepare("p".into())), Results::OneByOne);
    }

    #[test]
    fn what_gathers_or_nests_may_show_several() {
        for sql in [
            "SELECT id, max(email) FROM c GROUP BY id",
            "SELECT id, lag(email) OVER (ORDER BY id) FROM c",
            "SELECT id, (SELECT email FROM c LIMIT 1) FROM c",
            "SELECT id FROM c WHERE EXISTS (SELECT 1 FROM c)",
            "SELECT id FROM (SELECT * FROM c) x",
            "SELECT id, email FROM c UNION SELECT id, email FROM d",
            "WITH x AS (SELECT * FROM c) SELECT * FROM x",
            "SELECT max(email) FROM c HAVING true",
            "VALUES (1)",
            "UPDATE c SET a = 1 RETURNING id, email",
        ] {
            assert_eq!(results(sql, &Kind::Query), Results::Mixed, "{sql}");
        }
        assert_eq!(results("COPY c TO STDOUT", &Kind::CopyOut), Results::Mixed);
    }
}
