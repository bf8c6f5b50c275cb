//! The same conversations with PostgreSQL and with the proxy, message by message, byte by byte.
//!
//! What must differ, and does: the line in the server's sources that an error names (Execute of an
//! unknown portal fails in the Describe that the proxy sends before it); words about messages that
//! cannot be read (their SQLSTATE is the server's); function calls over the fast path, which are
//! refused; and a length word that no message has (the proxy says so before it hangs up).

use crate::support::client::{close, describe, execute, frame, parse, query, sync};
use crate::support::keyhole::Config;
use crate::support::message::Message;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Target};

enum Step {
    Say(Vec<u8>),
    /// Everything up to so many ReadyForQuery, or the end.
    Hear(usize),
    /// Everything up to a message of this kind.
    Until(u8),
    /// Something that another session does meanwhile.
    Meanwhile(&'static str),
    Cancel,
}

use Step::{Cancel, Hear, Meanwhile, Say, Until};

/// Which words have to be the same: but not the places in the server's sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    All,
    /// Severity, SQLSTATE and message.
    Main,
    /// Severity and SQLSTATE.
    Codes,
}

struct Talk {
    what: &'static str,
    words: Words,
    steps: Vec<Step>,
}

fn talk(what: &'static str, steps: Vec<Step>) -> Talk {
    Talk { what, words: Words::All, steps }
}

/// Says everything at once and hears so many ReadyForQuery.
fn at_once(what: &'static str, frames: &[Vec<u8>], replies: usize) -> Talk {
    talk(what, vec![Say(frames.concat()), Hear(replies)])
}

fn play(what: &str, steps: &[Step], target: &Target, other: &Target) -> Vec<Message> {
    let (mut session, mut other) = (target.connect(), other.connect());
    let mut heard = Vec::new();
    for step in steps {
        match step {
            // The server may have hung up already.
            Say(bytes) => drop(session.send(bytes)),
            Hear(count) => {
                for _ in 0..*count {
                    heard.extend(ready(&mut session, what));
                }
            }
            Until(tag) => {
                while let Some(message) = session
                    .read()
                    .unwrap_or_else(|error| panic!("{what}: no {tag}: {error}: {heard:?}"))
                {
                    let found = message.tag == *tag;
                    heard.push(message);
                    if found {
                        break;
                    }
                }
            }
            Meanwhile(sql) => drop(other.query(sql).ok()),
            Cancel => session.cancel().expect("the port answers"),
        }
    }
    // Where the conversation stands.
    drop(session.send(&[query("SELECT 'still here'"), sync()].concat()));
    heard.extend(ready(&mut session, what));
    heard
}

/// Everything up to ReadyForQuery or the end.
fn ready(session: &mut Client, what: &str) -> Vec<Message> {
    let mut heard = Vec::new();
    loop {
        match session.read() {
            Ok(Some(message)) => heard.push(message),
            Ok(None) => return heard,
            Err(error) => panic!("{what}: {error} behind {heard:?}"),
        }
        if heard.last().is_some_and(|message| message.tag == b'Z') {
            return heard;
        }
    }
}

fn normal(message: Message, words: Words) -> Message {
    let Message { tag, mut body } = message;
    match tag {
        b'A' => body[..4].fill(0),
        b'E' | b'N' => {
            let keeps = |code: &char| match words {
                Words::All => !matches!(code, 'F' | 'L' | 'R'),
                Words::Main => matches!(code, 'V' | 'C' | 'M'),
                Words::Codes => matches!(code, 'V' | 'C'),
            };
            let fields = Message { tag, body }.error().fields;
            let fields = fields.into_iter().filter(|(code, _)| keeps(code));
            body = format!("{:?}", fields.collect::<Vec<_>>()).into_bytes();
        }
        _ => {}
    }
    Message { tag, body }
}

#[track_caller]
fn same(talks: &[Talk], direct: &Target, proxied: &Target, other: &Target) {
    let mut wrong = Vec::new();
    for Talk { what, words, steps } in talks {
        let [expected, seen] = [direct, proxied].map(|target| {
            let heard = play(what, steps, target, other).into_iter();
            heard.map(|message| normal(message, *words)).collect::<Vec<_>>()
        });
        assert!(!expected.is_empty(), "{what}: the server says something");
        if expected != seen {
            let short = |messages: &[Message]| {
                let lines = messages.iter().map(|m| format!("    {m:.200?}\n"));
                lines.take(40).collect::<String>()
            };
            wrong.push(format!("{what}:\n  server\n{}  proxy\n{}", short(&expected), short(&seen)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

const FLUSH: &[u8] = b"H\0\0\0\x04";

fn flush() -> Vec<u8> {
    FLUSH.to_vec()
}

fn data(bytes: &[u8]) -> Vec<u8> {
    frame(b'd', bytes)
}

fn done() -> Vec<u8> {
    frame(b'c', b"")
}

fn fail(why: &str) -> Vec<u8> {
    frame(b'f', &[why.as_bytes(), b"\0"].concat())
}

/// Values with the formats of parameters and results.
fn bind_as(
    portal: &str,
    name: &str,
    formats: &[i16],
    values: &[Option<&[u8]>],
    results: &[i16],
) -> Vec<u8> {
    let codes = |body: &mut Vec<u8>, codes: &[i16]| {
        body.extend((codes.len() as u16).to_be_bytes());
        codes.iter().for_each(|code| body.extend(code.to_be_bytes()));
    };
    let mut body = [portal.as_bytes(), b"\0", name.as_bytes(), b"\0"].concat();
    codes(&mut body, formats);
    body.extend((values.len() as u16).to_be_bytes());
    for value in values {
        let len = value.map_or(-1, |value| value.len() as i32);
        body.extend(len.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    codes(&mut body, results);
    frame(b'B', &body)
}

fn bind(portal: &str, name: &str) -> Vec<u8> {
    bind_as(portal, name, &[], &[], &[])
}

/// Parse with types of parameters.
fn parse_as(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = [name.as_bytes(), b"\0", sql.as_bytes(), b"\0"].concat();
    body.extend((types.len() as u16).to_be_bytes());
    types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
    frame(b'P', &body)
}

/// Parse, Bind, Execute with the unnamed statement.
fn run(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", ""), describe(b'P', ""), execute("", 0)].concat()
}

const ROWS: &str = "SELECT id, sku, name FROM products ORDER BY id";

#[expect(clippy::too_many_lines, reason = "a table of conversations")]
fn batches() -> Vec<Talk> {
    let (begin, rollback) = (query("BEGIN"), query("ROLLBACK"));
    vec![
        at_once("several batches at once", &[run(ROWS), sync(), run("SELECT 2"), sync()], 2),
        at_once("Sync alone, and twice", &[sync(), sync(), sync()], 3),
        at_once("a batch of statements", &[run("SELECT 1"), run("SELECT 2"), sync()], 1),
        talk(
            "Flush gives answers before Sync",
            vec![
                Say([parse("", ROWS), describe(b'S', ""), flush()].concat()),
                Until(b'T'),
                Say([bind("", ""), execute("", 2), flush()].concat()),
                Until(b's'),
                Say([execute("", 0), sync()].concat()),
                Hear(1),
            ],
        ),
        at_once(
            "portals in pieces across batches of a transaction",
            &[begin.clone(), parse("s", ROWS), bind("p", "s"), execute("p", 2), sync()]
                .into_iter()
                .chain([execute("p", 3), execute("p", 1), sync(), execute("p", 0), sync()])
                .chain([execute("p", 0), sync(), rollback.clone()])
                .collect::<Vec<_>>(),
            6,
        ),
        at_once(
            "a portal ends with its transaction",
            &[parse("s", ROWS), bind("p", "s"), execute("p", 1), sync(), execute("p", 1), sync()],
            2,
        ),
        at_once(
            "two portals of one statement, in turns",
            &[parse("s", ROWS), bind("a", "s"), bind_as("b", "s", &[], &[], &[1])]
                .into_iter()
                .chain([execute("a", 1), execute("b", 2), execute("a", 1), describe(b'P', "b")])
                .chain([close(b'P', "a"), execute("b", 1), execute("a", 1), sync()])
                .collect::<Vec<_>>(),
            1,
        ),
        at_once(
            "a negative number of rows means all",
            &[parse("", ROWS), bind("", ""), execute("", -1), sync()],
            1,
        ),
        at_once(
            "Execute of a portal that is closed, or never was",
            &[parse("", ROWS), bind("p", ""), close(b'P', "p"), execute("p", 0), sync()]
                .into_iter()
                .chain([execute("nosuch", 0), sync(), describe(b'P', "nosuch"), sync()])
                .chain([describe(b'S', "nosuch"), sync(), bind("", "nosuch"), sync()])
                .collect::<Vec<_>>(),
            5,
        ),
        at_once(
            "Close of names that nobody knows",
            &[close(b'S', "nosuch"), close(b'P', "nosuch"), close(b'S', ""), sync()],
            1,
        ),
        at_once(
            "a name is taken",
            &[parse("s", "SELECT 1"), sync(), parse("s", "SELECT 2"), run("SELECT 3"), sync()]
                .into_iter()
                .chain([bind("", "s"), execute("", 0), sync()])
                .chain([close(b'S', "s"), parse("s", "SELECT 2"), bind("", "s")])
                .chain([execute("", 0), sync()])
                .collect::<Vec<_>>(),
            4,
        ),
        at_once(
            "a portal's name is taken",
            &[begin, parse("s", ROWS), bind("p", "s"), bind("p", "s"), sync(), rollback],
            3,
        ),
        at_once(
            "the unnamed statement stays until the next Parse or Query",
            &[parse("", "SELECT 1"), sync(), bind("", ""), execute("", 0), sync()]
                .into_iter()
                .chain([bind("", ""), execute("", 0), sync(), query("SELECT 2")])
                .chain([bind("", ""), execute("", 0), sync()])
                .collect::<Vec<_>>(),
            5,
        ),
        at_once(
            "a Parse that fails takes the unnamed statement along",
            &[parse("", "SELECT 1"), sync(), parse("", "SELEC"), sync(), bind("", ""), sync()],
            3,
        ),
        at_once(
            "errors skip to Sync, whatever is in between",
            &[run("SELECT 1/0"), parse("x", "SELECT 1"), query("SELECT 2"), close(b'S', "y")]
                .into_iter()
                .chain([data(b"zz"), done(), flush(), sync(), bind("", "x"), sync()])
                .collect::<Vec<_>>(),
            2,
        ),
        at_once(
            "an implicit transaction is undone by a later error",
            &[run("INSERT INTO app_settings VALUES ('i', '1')"), run("SELECT 1/0"), sync()]
                .into_iter()
                .chain([query("SELECT count(*) FROM app_settings WHERE key = 'i'")])
                .collect::<Vec<_>>(),
            2,
        ),
        at_once(
            "in a failed transaction nothing but its end",
            &[query("BEGIN; SELECT 1/0"), run("SELECT 1"), sync(), close(b'S', "a"), sync()]
                .into_iter()
                .chain([run("ROLLBACK"), sync()])
                .collect::<Vec<_>>(),
            4,
        ),
        at_once(
            "Query inside an open batch",
            &[run("SELECT 1"), query("SELECT 2"), run("SELECT 3"), sync()],
            2,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of conversations")]
fn values() -> Vec<Talk> {
    let long = "n".repeat(3000);
    let many: Vec<String> = (1..=65_535).map(|number| format!("${number}::int")).collect();
    let sum = format!("SELECT cardinality(ARRAY[{}])", many.join(","));
    let ones: Vec<Option<&[u8]>> = vec![Some(b"1"); 65_535];
    vec![
        at_once(
            "values of no length, NULL, text and binary",
            &[parse_as("", "SELECT $1::text, $2::text, $3::int4, $4", &[25, 25, 23, 17])]
                .into_iter()
                .chain([describe(b'S', ""), describe(b'S', "")])
                .chain([bind_as(
                    "",
                    "",
                    &[0, 0, 1, 1],
                    &[Some(b""), None, Some(&[0, 0, 1, 0]), Some(b"\0\xff")],
                    &[0, 1, 1, 0],
                )])
                .chain([describe(b'P', ""), execute("", 0), sync()])
                .collect::<Vec<_>>(),
            1,
        ),
        at_once(
            "long names",
            &[parse(&long, ROWS), bind(&long, &long), describe(b'P', &long), execute(&long, 1)]
                .into_iter()
                .chain([describe(b'S', &long), close(b'P', &long), close(b'S', &long), sync()])
                .chain([query(&format!("SELECT 1 AS {long}, \"{long}\" FROM products"))])
                .collect::<Vec<_>>(),
            2,
        ),
        at_once(
            "as many parameters as there can be",
            &[parse("", &sum), bind_as("", "", &[], &ones, &[]), execute("", 0), sync()],
            1,
        ),
        at_once(
            "too few parameters, too many formats",
            &[parse("s", "SELECT $1::int"), bind("", "s"), sync()]
                .into_iter()
                .chain([bind_as("", "s", &[], &[Some(b"1")], &[0, 0]), execute("", 0), sync()])
                .chain([bind_as("", "s", &[1], &[Some(b"1")], &[]), execute("", 0), sync()])
                .chain([bind_as("", "s", &[], &[Some(b"x")], &[]), execute("", 0), sync()])
                .collect::<Vec<_>>(),
            4,
        ),
        at_once("a type that is none", &[parse_as("", "SELECT $1", &[4_000_000]), sync()], 1),
        at_once("two statements in a Parse", &[parse("", "SELECT 1; SELECT 2"), sync()], 1),
        at_once(
            "empty statements",
            &[query(""), query(";"), query(" -- x"), run(""), sync(), run("/* */"), sync()],
            5,
        ),
        at_once(
            "several statements, an error among them",
            &[query("SELECT 1; SELECT 1/0; SELECT 2"), query("SELECT 1; SELEC; SELECT 2")]
                .into_iter()
                .chain([query("BEGIN; SELECT 1; ROLLBACK; SELECT 1/0; SELECT 2")])
                .chain([query("INSERT INTO app_settings VALUES ('m', ''); SELECT 1/0")])
                .chain([query("SELECT count(*) FROM app_settings WHERE key = 'm'")])
                .chain([query("COMMIT; BEGIN; COMMIT; ROLLBACK")])
                .collect::<Vec<_>>(),
            6,
        ),
        at_once(
            "settings are reported",
            &[query("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'")]
                .into_iter()
                .chain([query("SET application_name = 'x y'; SELECT '2024-02-01'::date")])
                .chain([query("BEGIN; SET LOCAL IntervalStyle = 'iso_8601'; ROLLBACK"), sync()])
                .chain([run("SET client_encoding = 'LATIN1'"), sync(), query("SELECT 'x'")])
                .collect::<Vec<_>>(),
            6,
        ),
        at_once(
            "SQL and protocol share names",
            &[query("PREPARE s (int) AS SELECT $1 + 1"), describe(b'S', "s")]
                .into_iter()
                .chain([bind_as("", "s", &[], &[Some(b"41")], &[]), execute("", 0), sync()])
                .chain([query("EXECUTE s (1)"), query("DEALLOCATE s"), query("EXECUTE s (1)")])
                .chain([parse("t", "SELECT 7"), sync(), query("EXECUTE t"), bind("", "t"), sync()])
                .chain([query("BEGIN"), parse("", ROWS), bind("c", ""), sync()])
                .chain([query("FETCH 2 FROM c; MOVE 1 FROM c; CLOSE c"), query("ROLLBACK")])
                .chain([query("DEALLOCATE ALL"), query("EXECUTE t")])
                .collect::<Vec<_>>(),
            13,
        ),
    ]
}

/// COPY of the settings in a transaction that is rolled back.
fn copy_in(what: &'static str, options: &str, frames: &[Vec<u8>], replies: usize) -> [Talk; 2] {
    let sql = format!("COPY app_settings FROM STDIN{options}");
    let check = query("SELECT * FROM app_settings ORDER BY key; ROLLBACK");
    let simple = [query("BEGIN"), query(&sql), frames.concat(), check.clone()].concat();
    let extended = [query("BEGIN"), parse("", &sql), bind("", ""), execute("", 0), sync()];
    let mut steps = vec![Say(extended.concat()), Until(b'Z'), Until(b'G')];
    steps.extend([Say([frames.concat(), sync()].concat()), Hear(1), Say(check), Hear(replies)]);
    [talk(what, vec![Say(simple), Hear(2 + replies)]), talk(what, steps)]
}

#[expect(clippy::too_many_lines, reason = "a table of conversations")]
fn copies() -> Vec<Talk> {
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let binary = [&header[..], b"\0\x02\0\0\0\x01k\0\0\0\x01v\xff\xff"].concat();
    let mut talks: Vec<Talk> = [
        copy_in("COPY IN", "", &[data(b"a\tb\nc"), data(b"\td\n"), done()], 1),
        copy_in("COPY IN of nothing", "", &[done()], 1),
        copy_in("COPY IN with empty messages", "", &[data(b""), data(b"a\tb"), done()], 1),
        copy_in("COPY IN with an end mark", "", &[data(b"a\tb\n\\.\n"), done()], 1),
        copy_in("COPY IN, csv", " (FORMAT csv, HEADER)", &[data(b"k,v\na,\"b,\nc\"\n"), done()], 1),
        copy_in("COPY IN, binary", " (FORMAT binary)", &[data(&binary), done()], 1),
        copy_in("COPY IN, binary, cut", " (FORMAT binary)", &[data(&binary[..20]), done()], 1),
        copy_in("COPY IN that the client gives up", "", &[data(b"a\tb\n"), fail("enough")], 1),
        copy_in("COPY IN of a bad row", "", &[data(b"a\tb\tc\n"), data(b"d\te\n"), done()], 1),
        copy_in(
            "Flush during COPY IN",
            "",
            &[data(b"a\tb\n"), flush(), data(b"c\td\n"), done()],
            1,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    for options in ["", " (FORMAT csv, HEADER)", " (FORMAT binary)"] {
        let sql = format!("COPY (SELECT id, sku FROM products ORDER BY id) TO STDOUT{options}");
        let frames = [query(&sql), parse("", &sql), bind("", ""), describe(b'P', "")];
        let frames = frames.into_iter().chain([execute("", 0), sync(), query("SELECT 1")]);
        talks.push(at_once("COPY OUT", &frames.collect::<Vec<_>>(), 3));
    }
    let settings = "COPY app_settings FROM STDIN";
    let extended = |sql: &str| [parse("", sql), bind("", ""), execute("", 0)].concat();
    talks.extend([
        at_once(
            "COPY IN in one go, Sync only at its end",
            &[query("BEGIN"), extended(settings), data(b"a\tb\n"), done(), sync()]
                .into_iter()
                .chain([extended("SELECT count(*) FROM app_settings"), sync(), query("ROLLBACK")])
                .collect::<Vec<_>>(),
            4,
        ),
        talk(
            "Sync behind the Execute of COPY IN, and among its data, is ignored",
            vec![
                Say([query("BEGIN"), extended(settings), sync()].concat()),
                Until(b'Z'),
                Until(b'G'),
                Say([sync(), data(b"a\tb\n"), sync(), data(b"c\td\n"), done(), sync()].concat()),
                Hear(1),
                Say([run("SELECT count(*) FROM app_settings"), sync(), query("ROLLBACK")].concat()),
                Hear(2),
            ],
        ),
        at_once(
            "COPY IN that fails before it begins, with Sync behind it",
            &[extended("COPY nosuch FROM STDIN"), sync(), extended("SELECT 1"), sync()],
            2,
        ),
        Talk {
            what: "Query during COPY IN ends the session",
            words: Words::Main,
            steps: vec![Say([query("BEGIN"), query(settings)].concat()), Until(b'G')]
                .into_iter()
                .chain([Say(query("SELECT 1")), Hear(2)])
                .collect(),
        },
        at_once(
            "COPY FROM STDOUT takes data as well",
            &[query("BEGIN"), query("COPY app_settings FROM STDOUT"), data(b"a\tb\n"), done()]
                .into_iter()
                .chain([query("SELECT * FROM app_settings ORDER BY key"), query("ROLLBACK")])
                .collect::<Vec<_>>(),
            4,
        ),
        at_once(
            "data outside of COPY",
            &[data(b"zz"), done(), fail("no"), query("SELECT 1"), data(b"zz"), sync()],
            2,
        ),
        at_once(
            "two COPY in one Query",
            &[query("BEGIN"), query(&format!("{settings}; SELECT 1; {settings}"))]
                .into_iter()
                .chain([data(b"a\tb\n"), done(), data(b"c\td\n"), done()])
                .chain([query("SELECT count(*) FROM app_settings; ROLLBACK")])
                .collect::<Vec<_>>(),
            3,
        ),
    ]);
    talks
}

#[expect(clippy::too_many_lines, reason = "a table of conversations")]
fn at_any_time() -> Vec<Talk> {
    let lock = "SELECT pg_advisory_lock(77)";
    let blocked = "DO $$ BEGIN RAISE NOTICE 'one'; PERFORM pg_advisory_lock(77); \
                   RAISE NOTICE 'two'; PERFORM pg_advisory_unlock(77); END $$";
    vec![
        talk(
            "a notification comes while the session is idle",
            vec![
                Say(query("LISTEN ch")),
                Hear(1),
                Meanwhile("NOTIFY ch, 'first'"),
                Until(b'A'),
                Say(query("BEGIN")),
                Hear(1),
                Meanwhile("NOTIFY ch, 'second'"),
                Say([run("SELECT 1"), sync(), query("COMMIT")].concat()),
                Hear(2),
                Say(query("NOTIFY ch; UNLISTEN *")),
                Hear(1),
            ],
        ),
        talk(
            "a notice comes while its statement waits",
            vec![
                Meanwhile(lock),
                Say(query(blocked)),
                Until(b'N'),
                Meanwhile("SELECT pg_advisory_unlock(77)"),
                Hear(1),
                Meanwhile(lock),
                Say([run(blocked), sync()].concat()),
                Until(b'N'),
                Meanwhile("SELECT pg_advisory_unlock(77)"),
                Hear(1),
            ],
        ),
        talk(
            "a cancel request while nothing runs is for nothing",
            vec![Cancel, Say(query("SELECT 1")), Hear(1), Cancel],
        ),
        // Where it hits is a matter of time.
        Talk {
            what: "a cancel request while something runs",
            words: Words::Main,
            steps: vec![
                Meanwhile(lock),
                Say(query("SET client_min_messages = notice")),
                Hear(1),
                Say(query(blocked)),
                Until(b'N'),
                Cancel,
                Hear(1),
                Say([run("SELECT 1"), run(blocked), run("SELECT 2"), sync()].concat()),
                Until(b'N'),
                Cancel,
                Hear(1),
                Meanwhile("SELECT pg_advisory_unlock(77)"),
            ],
        },
        Talk {
            what: "a cancel request during COPY IN",
            words: Words::Main,
            steps: vec![
                Say([query("BEGIN"), query("COPY app_settings FROM STDIN")].concat()),
                Until(b'G'),
                Say(data(b"a\tb\n")),
                // The server looks at it when it reads the next row.
                Cancel,
                Say([data(b"c\td\n"), done()].concat()),
                Hear(1),
                Say(query("ROLLBACK")),
                Hear(1),
            ],
        },
        talk(
            "Terminate inside a transaction",
            vec![
                Say(query("BEGIN; INSERT INTO app_settings VALUES ('t', '')")),
                Hear(1),
                Say(frame(b'X', b"")),
                Hear(1),
            ],
        ),
        Talk {
            what: "an unknown message ends the session",
            words: Words::Main,
            steps: vec![Say(frame(b'z', b"zz")), Hear(1)],
        },
        Talk {
            what: "an unknown message inside a batch that failed ends the session",
            words: Words::Main,
            steps: vec![Say([run("SELECT 1/0"), frame(b'1', b"")].concat()), Hear(1)],
        },
        Talk {
            what: "messages that cannot be read are errors",
            words: Words::Codes,
            steps: vec![
                Say([frame(b'D', b"X\0"), sync(), frame(b'C', b"Zx\0"), sync()].concat()),
                Hear(2),
                Say([frame(b'E', b"p\0\0"), sync(), frame(b'Q', b"SELECT 1\0x"), sync()].concat()),
                Hear(3),
                Say([frame(b'Q', b"SELECT '\xff'\0"), frame(b'P', b"\0SELECT"), sync()].concat()),
                Hear(2),
                Say([
                    parse("", "SELECT $1::int"),
                    bind_as("", "", &[7], &[Some(b"1")], &[]),
                    run("SELECT 1"),
                    sync(),
                ]
                .concat()),
                Hear(1),
            ],
        },
    ]
}

/// A proxy over a database of traps in which this is hidden.
fn proxy(database: &str, catalog: &str) -> Keyhole {
    let server = Postgres::shared();
    traps::create(server, database, Variant::A);
    let config = Config::new().database("shop", server, database, catalog);
    Keyhole::start(config.set("enforcement", "notice", false))
}

/// Hides something that no conversation reads.
const ELSEWHERE: &str = "[[class]]\nname = \"pay\"\nmask = { kind = \"null\" }\n\n\
                         [[table]]\nname = \"hr.employees\"\ncolumns = { salary = \"pay\" }\n";

fn conversations_are_the_same(database: &str, talks: Vec<Talk>) {
    for (number, catalog) in ["", ELSEWHERE].iter().enumerate() {
        let database = format!("{database}_{number}");
        let proxy = proxy(&database, catalog);
        let direct = Postgres::shared().direct(&database);
        same(&talks, &direct, &proxy.data("alice", "shop"), &direct);
    }
}

#[test]
fn batches_are_the_same() {
    conversations_are_the_same("protocol_batches", batches());
}

#[test]
fn values_names_and_statements_are_the_same() {
    conversations_are_the_same("protocol_values", values());
}

#[test]
fn copies_are_the_same() {
    conversations_are_the_same("protocol_copies", copies());
}

#[test]
fn what_comes_at_any_time_is_the_same() {
    conversations_are_the_same("protocol_any_time", at_any_time());
}

/// What the catalog below makes of an address.
const MASK: &str =
    "UPDATE customers SET email = left(email, 1) || '***@' || split_part(email, '@', 2)";
const CATALOG: &str = "[[class]]\nname = \"contact\"\nmask = { kind = \"email\" }\n\n\
                       [[table]]\nname = \"public.customers\"\ncolumns = { email = \"contact\" }\n";

fn masked_talks() -> Vec<Talk> {
    let shown = "SELECT id, email FROM customers ORDER BY id LIMIT 6";
    let computed =
        "SELECT upper(email), count(*) FROM customers WHERE id < 30 GROUP BY 1 ORDER BY 1";
    let begin = || query("BEGIN");
    let mut talks = Vec::new();
    for sql in [shown, computed] {
        talks.extend([
            at_once("shown, simple", &[query(sql), query(&format!("{sql}; SELECT 2"))], 2),
            at_once(
                "shown, extended",
                &[parse("s", sql), bind("", "s"), execute("", 0), sync()]
                    .into_iter()
                    .chain([bind_as("", "s", &[], &[], &[1]), execute("", 2), execute("", 0)])
                    .chain([sync(), close(b'S', "s"), sync()])
                    .collect::<Vec<_>>(),
                3,
            ),
            at_once(
                "shown, by portals in pieces",
                &[begin(), parse("", sql), bind("p", ""), execute("p", 1), sync()]
                    .into_iter()
                    .chain([execute("p", 2), sync(), run("SELECT 1/0"), run(sql), sync()])
                    .chain([query("ROLLBACK")])
                    .collect::<Vec<_>>(),
                5,
            ),
            at_once(
                "shown, by names of SQL",
                &[query(&format!("PREPARE s AS {sql}")), query("EXECUTE s")]
                    .into_iter()
                    .chain([bind("", "s"), execute("", 0), sync()])
                    .chain([query(&format!("BEGIN; DECLARE c CURSOR FOR {sql}"))])
                    .chain([query("FETCH 3 FROM c"), execute("c", 2), sync(), query("CLOSE c")])
                    .chain([query("COMMIT; DEALLOCATE s")])
                    .collect::<Vec<_>>(),
                8,
            ),
            at_once(
                "shown, by COPY",
                &[query(&format!("COPY ({sql}) TO STDOUT"))]
                    .into_iter()
                    .chain([query(&format!("COPY ({sql}) TO STDOUT (FORMAT binary)"))])
                    .collect::<Vec<_>>(),
                2,
            ),
        ]);
    }
    let find = "SELECT id FROM customers WHERE email = $1 ORDER BY id";
    talks.push(at_once(
        "compared",
        &[parse("", find), bind_as("", "", &[], &[Some(b"a***@example.test")], &[])]
            .into_iter()
            .chain([execute("", 0), sync()])
            .collect::<Vec<_>>(),
        1,
    ));
    talks
}

/// RowDescription of a rewritten column names no table: that is a limit of ours.
fn without_provenance(mut message: Message) -> Message {
    if message.tag == b'T' {
        let columns = message.columns();
        message.body = columns
            .iter()
            .flat_map(|c| format!("{} {} {};", c.name, c.type_oid, c.format).into_bytes())
            .collect();
    }
    message
}

#[test]
fn masked_tables_are_the_same_as_tables_with_masks_in_them() {
    let proxy = proxy("protocol_masked", CATALOG);
    let server = Postgres::shared();
    traps::create(server, "protocol_twin", Variant::A);
    let mut admin = server.admin("protocol_twin");
    admin.query("ALTER TABLE customers DISABLE TRIGGER USER").ok();
    admin.query(MASK).ok();
    let (direct, proxied) = (server.direct("protocol_twin"), proxy.data("alice", "shop"));
    for Talk { what, steps, .. } in masked_talks() {
        let [expected, seen] = [&direct, &proxied].map(|target| {
            let heard = play(what, &steps, target, &direct).into_iter();
            heard.map(without_provenance).collect::<Vec<_>>()
        });
        assert!(expected.iter().any(|message| matches!(message.tag, b'D' | b'd')), "{what}");
        assert_eq!(seen, expected, "{what}");
    }
}

#[test]
fn function_calls_over_the_fast_path_are_refused_and_the_session_goes_on() {
    let proxy = proxy("protocol_fast_path", CATALOG);
    let mut session: Client = proxy.data("alice", "shop").connect();
    // abs(int4), by its OID.
    let call = frame(b'F', b"\0\0\x05\x75\0\x01\0\x01\0\x01\0\0\0\x04\xff\xff\xff\xff\0\x01");
    session.send(&call).expect("alive");
    let reply = session.until_ready();
    assert_eq!((reply.code(), reply.status()), ("42501".to_owned(), Some('I')));
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
}
