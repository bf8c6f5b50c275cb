//! The texts: what other parsers misread, and the statements of the other tests.

/// Texts over the small shop that mean something else to some other parser, by what misleads it.
/// PostgreSQL reads a hidden column in each.
pub(crate) const CLASSES: [(&str, &str); 38] = [
    ("a keyword as a label", "SELECT 1 end, ssn FROM customers"),
    ("a type's name as a label", "SELECT 1 date, ssn FROM customers"),
    ("a bit string's letter as a row", "SELECT b\"x\", b.ssn FROM customers b(x)"),
    ("a letter before a quoted name", "SELECT x\"a\", ssn FROM customers AS x(\"a\", id)"),
    ("a comment in an operator", "SELECT 5 -/* ' */ 1, ssn FROM customers --'"),
    ("a comment that begins in an operator", "SELECT 5 *-- '\n1, ssn FROM customers --'"),
    ("dollar quotes that are not ASCII", "SELECT $€$ x $€$, ssn FROM customers"),
    ("dollar quotes inside each other", "SELECT $a$ $$ ' $b$ $a$, ssn FROM customers --'"),
    ("a dollar in a name", "SELECT 1 a$b$, ssn FROM customers --$b$"),
    ("an identifier in escapes", "SELECT U&\"s\\0073n\" FROM customers"),
    ("another escape character", "SELECT U&\"s!0073n\" UESCAPE '!' FROM customers"),
    ("a relation in escapes", "SELECT ssn FROM U&\"\\0063ustomers\""),
    ("a column called like a type", "SELECT date true, ssn FROM customers AS date"),
    ("a column called interval", "SELECT interval ssn, c.ssn x FROM customers c"),
    ("an operator that is none", "SELECT ssn regexp FROM customers"),
    ("data behind COPY", "COPY orders FROM STDIN; SELECT ssn FROM customers"),
    ("TABLE as an arm", "SELECT total FROM orders UNION ALL TABLE customers"),
    ("TABLE alone", "TABLE customers"),
    ("TABLE ONLY with a star", "TABLE ONLY (customers)"),
    ("ONLY in FROM", "SELECT * FROM ONLY customers"),
    ("a star behind a relation", "SELECT ssn FROM customers *"),
    ("a join's kind as an alias", "SELECT * FROM customers semi JOIN orders ON true"),
    ("another join's kind as an alias", "SELECT * FROM customers asof JOIN orders ON true"),
    ("a backslash in a string", "SELECT '\\', ssn, '\\' FROM customers WHERE id = 5"),
    ("a number that touches a name", "SELECT 5\"a\",ssn\"b\"FROM\"customers\"WHERE(1)=(1)"),
    ("two minus signs apart", "SELECT - - 1, ssn FROM customers"),
    ("an escape string's quote", "SELECT E'\\'', ssn FROM customers --'"),
    ("a string that goes on", "SELECT 'a' -- comment '\n'b', ssn FROM customers"),
    ("comments inside comments", "SELECT /* /* nested */ ' */ ssn FROM customers --'"),
    ("a quote in dollar quotes", "SELECT ssn FROM customers WHERE name = $$it's$$"),
    ("a national string", "SELECT n'a', N'it''s', ssn FROM customers"),
    ("a unicode string", "SELECT U&'\\0027', ssn FROM customers --'"),
    ("no select list", "SELECT FROM customers c WHERE c.ssn IS NOT NULL"),
    ("an array of rows", "SELECT (ARRAY(SELECT c FROM customers c))[1].ssn"),
    ("a row's function", "SELECT c.ssn, (c).email, email(c) FROM customers c"),
    ("an operator by its schema", "SELECT ssn OPERATOR(pg_catalog.||) '' FROM customers"),
    ("a name of other spaces", "SELECT\u{b}ssn\u{c}FROM\u{b}customers"),
    ("VALUES with a query", "VALUES ((SELECT ssn FROM customers LIMIT 1))"),
];

const GOLDEN: [&str; 4] = [
    include_str!("../golden/parsers.sql"),
    include_str!("../golden/queries.sql"),
    include_str!("../golden/writes.sql"),
    include_str!("../golden/others.sql"),
];

const TWIN: &str = include_str!("../prove/corpus/basics.sql");

/// Every text of the tree: the classes, the golden files, the twin's statements, the attacks.
pub(crate) fn all() -> Vec<String> {
    let mut texts: Vec<String> = CLASSES.iter().map(|(_, sql)| (*sql).to_owned()).collect();
    let golden = GOLDEN.iter().flat_map(|file| file.split("\n\n")).map(str::trim);
    texts.extend(golden.filter(|sql| !sql.is_empty()).map(str::to_owned));
    texts.extend(twin().map(str::to_owned));
    texts.extend(attacks());
    texts
}

pub(crate) fn twin() -> impl Iterator<Item = &'static str> {
    TWIN.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"))
}

/// The texts of all steps of all attacks, whatever form a step has; what is no SQL does no harm.
pub(crate) fn attacks() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/attacks");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the attacks are in the tree")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("UTF-8");
        let table: toml::Table = text.parse().expect("TOML");
        for attack in table["attack"].as_array().expect("a list of attacks") {
            strings(&attack["steps"], &mut texts);
        }
    }
    // A placeholder of a stored value is a value like any other here.
    texts.iter().map(|text| text.replace("<<", "").replace(">>", "")).collect()
}

fn strings(value: &toml::Value, texts: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => texts.push(text.clone()),
        toml::Value::Array(items) => items.iter().for_each(|item| strings(item, texts)),
        toml::Value::Table(table) => table.values().for_each(|item| strings(item, texts)),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}
