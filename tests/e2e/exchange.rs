//! `keyhole export` into a database's comments and security labels, and `keyhole import` out of
//! them.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::Postgres;
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};

const TABLES: &str = r#"
    CREATE SCHEMA hr;
    CREATE TABLE customers (id int, email text, tel text, born date, "Odd ""name" text, note text);
    CREATE TABLE hr.staff (id int, tel text, pay int);
    COMMENT ON COLUMN customers.email IS 'Where we write to. It''s checked \ weekly';
    COMMENT ON COLUMN customers.id IS 'pii: none';
"#;

const CATALOG: &str = r#"
    class = [
        { name = "email", mask = { kind = "email" } },
        { name = "phone", mask = { kind = "partial", keep_first = 3, keep_last = 2 } },
        { name = "birth_date", mask = { kind = "date", to = "year" } },
        { name = "free_text", mask = { kind = "constant", value = "it's \\ (gone)" } },
        { name = "pay", deny = true },
    ]
    [[table]]
    name = "public.customers"
    [table.columns]
    email = "email"
    tel = "phone"
    born = "birth_date"
    "Odd \"name" = "free_text"
    note = "free_text"
    [[table]]
    name = "hr.staff"
    columns = { tel = "phone", pay = "pay" }
"#;

/// A provider takes a library. This is the least of one, with PostgreSQL 15's marks of a module.
const PROVIDERS: &str = r#"
    static const struct { int len, version, args, keys, names, by_value; char extra[32]; }
    magic = { sizeof(magic), 1500, 100, 32, 64, 1, "PostgreSQL" };
    const void *Pg_magic_func(void) { return &magic; }
    extern void register_label_provider(const char *, void (*)(const void *, const char *));
    static void check(const void *object, const char *label) { (void) object; (void) label; }
    void _PG_init(void) {
        register_label_provider("anon", check);
        register_label_provider("house", check);
    }
"#;

struct Desk {
    server: &'static Postgres,
    database: &'static str,
    config: Config,
}

impl Desk {
    fn open(database: &'static str) -> Self {
        let server = Postgres::shared();
        // For the account that the proxy has there.
        traps::create(server, database, Variant::A);
        server.drop_database(database);
        server.create_database(database, "template0");
        server.admin(database).query(TABLES).ok();
        let config = Config::new().database("shop", server, database, CATALOG);
        config.write();
        Self { server, database, config }
    }

    /// What it prints, and what it has to say, with its exit code.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let file = self.config.file();
        let mut all = arguments.to_vec();
        all.extend(["--config", file.to_str().expect("UTF-8")]);
        let output = self.config.command(&all).stdin(Stdio::null()).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (output.status.code().expect("an end"), text(&output.stdout), text(&output.stderr))
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let (code, shown, said) = self.run(arguments);
        assert_eq!((code, &*said), (0, ""), "{shown}");
        shown
    }

    /// The catalog as comma separated values.
    fn csv(&self) -> String {
        self.done(&["export", "csv", "--database", "shop"])
    }

    /// That a catalog which was read says what ours does.
    #[track_caller]
    fn same(&self, imported: &str) {
        let expected = self.csv();
        let other = Config::new().database("shop", self.server, self.database, imported);
        other.write();
        let other = Self { server: self.server, database: self.database, config: other };
        assert_eq!(other.csv(), expected, "{imported}");
        let (code, shown, said) = other.run(&["check"]);
        assert_eq!(code, 0, "{shown}{said}");
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.config.path().join(name);
        std::fs::write(&path, text).expect("a writable directory");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn dump(&self) -> String {
        let mut command = Command::new(self.server.program("pg_dump"));
        let url = self.server.admin_url(self.database);
        let output = command.args(["--dbname", &url]).output().expect("pg_dump runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// The library, where the server may read it.
fn providers(desk: &Desk) -> String {
    let source = desk.file("providers.c", PROVIDERS);
    let library = desk.server.dir().join("providers.so");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(command.status().expect("a C compiler").success());
    std::fs::set_permissions(&library, std::fs::Permissions::from_mode(0o755)).expect("ours");
    library.to_str().expect("UTF-8").to_owned()
}

#[test]
fn files_come_back_as_the_same_catalog() {
    let desk = Desk::open("exchange_files");
    for form in ["csv", "dbt"] {
        let text = desk.done(&["export", form, "--database", "shop"]);
        desk.same(&desk.done(&["import", form, &desk.file("exported", &text)]));
    }
}

#[test]
fn comments_come_back_and_keep_their_words() {
    let desk = Desk::open("exchange_comments");
    let mut admin = desk.server.admin(desk.database);
    // Twice: what is there is not said again.
    for _ in 0..2 {
        let sql = desk.done(&["export", "comments", "--database", "shop"]);
        admin.query(&sql).ok();
        let comment = "SELECT col_description('customers'::regclass, 2)";
        assert_eq!(
            admin.query(comment).ok().scalar(),
            "Where we write to. It's checked \\ weekly pii: email (email)"
        );
    }
    desk.same(&desk.done(&["import", "comments", "--database", "shop"]));
    desk.same(&desk.done(&["import", "comments", &desk.file("dump.sql", &desk.dump())]));
}

#[test]
fn labels_of_a_provider_come_back() {
    let desk = Desk::open("exchange_labels");
    let library = providers(&desk);
    let mut admin = desk.server.admin(desk.database);
    admin.query(&format!("LOAD '{library}'")).ok();
    let sql = desk.done(&["export", "labels", "--provider", "house", "--database", "shop"]);
    admin.query(&sql).ok();
    admin.query("SECURITY LABEL FOR anon ON COLUMN customers.id IS 'MASKED WITH VALUE 0'").ok();

    let of_house = ["import", "labels", "--provider", "house"];
    let live = [&of_house[..], &["--database", "shop"]].concat();
    desk.same(&desk.done(&live));
    let dump = desk.file("dump.sql", &desk.dump());
    desk.same(&desk.done(&[&of_house[..], &[&dump]].concat()));

    // Of every provider, it is one column more.
    let all = desk.done(&["import", "labels", "--database", "shop"]);
    assert!(all.contains("id = \"personal\""), "{all}");

    admin.query("SECURITY LABEL FOR house ON COLUMN hr.staff.id IS 'ask Dora, please'").ok();
    let (code, shown, said) = desk.run(&live);
    assert_eq!(code, 1, "{shown}{said}");
    assert_eq!(said, "hr.staff.id: its label is neither a class nor a masking rule\n");
}

#[test]
fn masking_rules_come_back_with_their_masks() {
    let desk = Desk::open("exchange_rules");
    let library = providers(&desk);
    let mut admin = desk.server.admin(desk.database);
    admin.query(&format!("LOAD '{library}'")).ok();
    let sql = desk.done(&["export", "labels", "--database", "shop"]);
    admin.query(&sql).ok();
    let labels = "SELECT label FROM pg_seclabels WHERE provider = 'anon' ORDER BY objname COLLATE \
                  \"C\"";
    let labels: Vec<_> = admin.query(labels).ok().rows().concat();
    assert!(labels.contains(&"MASKED WITH FUNCTION anon.partial_email(\"email\")".to_owned()));
    assert_eq!(labels.len(), 7, "{labels:?}");
    let live = desk.done(&["import", "labels", "--provider", "anon", "--database", "shop"]);
    let dump = desk.file("dump.sql", &desk.dump());
    assert_eq!(desk.done(&["import", "labels", "--provider", "anon", &dump]), live);
    for line in [
        "mask = { kind = \"email\" }",
        "mask = { kind = \"partial\", keep_first = 3, keep_last = 2 }",
        "mask = { kind = \"date\", to = \"year\" }",
        "mask = { kind = \"constant\", value = \"it's \\\\ (gone)\" }",
        "mask = { kind = \"null\" }",
        "email = \"email\"",
    ] {
        assert!(live.contains(line), "{line} in {live}");
    }
}
