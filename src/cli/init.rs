//! `keyhole init`: a configuration to begin with, for one's own database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::check;
use super::exit::Exit;
use super::{FromConfig, failed, report, say};
use crate::auth::scram::Verifier;
use crate::model::Secret;

mod hide;

use hide::Hide;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The proxy's own account on the database: postgres://app@127.0.0.1:5432/crm
    #[arg(value_name = "URL", value_parser = upstream)]
    upstream: Upstream,
    /// A column with personal data, and how it is hidden; may be given again
    ///
    /// public.people.email, or with a kind: public.people.note=text. Kinds: email (first letter and
    /// domain), number (the last four), date (the year), ip (the network), text (***), deny
    /// (refused). Without one, the column's name decides.
    #[arg(long = "hide", value_name = "COLUMN[=KIND]", required = true)]
    hidden: Vec<Hide>,
    /// The environment variable that holds the password of the account; not used if it is not set
    #[arg(long, value_name = "VARIABLE", default_value = "KEYHOLE_UPSTREAM_PASSWORD")]
    password_env: String,
    /// The folder that the files are written to; it is made if it is missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Where clients connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6432")]
    data: SocketAddr,
    /// Where the psql console is
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6433")]
    console: SocketAddr,
    /// Where the API and the metrics are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8432")]
    http: SocketAddr,
}

/// Where the database is, and its name there.
#[derive(Clone, Debug)]
struct Upstream {
    url: String,
    database: String,
}

fn upstream(url: &str) -> Result<Upstream, String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or("it begins with postgres://")?;
    let (place, _) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, database) = place.rsplit_once('/').ok_or("it ends with /DATABASE")?;
    if host.split_once('@').is_some_and(|(account, _)| account.contains(':')) {
        return Err("a password does not belong into the URL: see --password-env".to_owned());
    }
    if database.is_empty() || !host.contains('@') {
        return Err("it is postgres://ACCOUNT@HOST:PORT/DATABASE".to_owned());
    }
    Ok(Upstream { url: format!("postgres://{rest}"), database: database.to_owned() })
}

/// Who there is to begin with: one who asks and one who approves.
const USERS: [(&str, &str); 2] = [("alice", ""), ("dora", "roles = [\"control\"]\n")];

const ITERATIONS: u32 = 4096;

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { upstream, hidden, password_env, dir, data, console, http } = arguments;
    let passwords = USERS.map(|_| Secret::new(format!("{:032x}", rand::random::<u128>())));
    let catalog = format!("catalog/{}.toml", file_name(&upstream.database));
    let password = std::env::var_os(password_env).map(|_| password_env.as_str());
    let files = Files { dir, written: Vec::new() }
        .with("proxy.toml", &configuration(arguments, &catalog, password, &passwords))
        .and_then(|files| files.with(&catalog, &catalog_of(hidden)))
        .and_then(|files| files.with("alice.password", &format!("{}\n", passwords[0].expose())))
        .and_then(|files| files.with("dora.password", &format!("{}\n", passwords[1].expose())));
    let files = match files {
        Ok(files) => files,
        Err(message) => return failed(&message),
    };
    for path in &files.written {
        report(format_args!("wrote {}", path.display()));
    }
    let config = dir.join("proxy.toml");
    let from = FromConfig { config: config.clone() };
    let checked = check::Arguments { from, json: false, strict: false, notes: false };
    let code = check::run(&checked).await;
    if code != ExitCode::from(Exit::Done) {
        report("Put it right in these files; `keyhole check` says when it is.");
    }
    let shown = |name: &str| dir.join(name).display().to_string();
    say(format_args!("serve:    keyhole serve --config {}", config.display()));
    for (what, user, address, database) in [
        ("ask:", "alice", data, upstream.database.as_str()),
        ("approve:", "dora", console, "keyhole"),
    ] {
        let (ip, port) = (address.ip(), address.port());
        let file = shown(&format!("{user}.password"));
        say(format_args!(
            "{what:<9} PGPASSWORD=$(cat {file}) psql -h {ip} -p {port} -U {user} {database}"
        ));
    }
    say(format_args!("metrics:  http://{http}/metrics"));
    code
}

/// What has been written so far.
struct Files<'a> {
    dir: &'a Path,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    /// For its owner only; what is there already stays.
    fn with(mut self, name: &str, text: &str) -> Result<Self, String> {
        let path = self.dir.join(name);
        let write = || -> io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(self.dir))?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())
        };
        match write() {
            Ok(()) => {
                self.written.push(path);
                Ok(self)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(format!("{} is there already: name another folder, --dir DIR", path.display()))
            }
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

/// A database may be called anything; a file may not.
fn file_name(database: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    database.chars().map(plain).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn configuration(
    arguments: &Arguments,
    catalog: &str,
    password_env: Option<&str>,
    passwords: &[Secret; 2],
) -> String {
    let Arguments { upstream, data, console, http, .. } = arguments;
    let password =
        password_env.map(|name| format!("password_env = {}\n", quoted(name))).unwrap_or_default();
    let users: String = USERS
        .iter()
        .zip(passwords)
        .map(|((name, roles), password)| {
            let verifier =
                Verifier::from_password(password, &rand::random::<[u8; 16]>(), ITERATIONS);
            let verifier = quoted(&verifier.to_string());
            format!("\n[[user]]\nname = \"{name}\"\n{roles}scram = {verifier}\n")
        })
        .collect();
    format!(
        "# Made by `keyhole init`. docs/reference/configuration.md lists every key.\n\n\
         [data]                          # where clients connect\nlisten = \"{data}\"\n\n\
         [control]\nlisten = \"{console}\"       # the psql console\n\
         http   = \"{http}\"       # API, metrics, /readyz\n\n\
         [[database]]\nname     = {}\nupstream = {}\n{password}catalog  = [{}]\n{users}\n\
         [[policy]]                      # everybody may ask for anything; dora decides\n\
         name         = \"with approval\"\nsubjects     = [\"*\"]\nresources    = [\"*\"]\n\
         actions      = [\"read\"]\nmax_duration = \"1h\"\napprovals    = 1\n\
         approvers    = [\"dora\"]\n",
        quoted(&upstream.database),
        quoted(&upstream.url),
        quoted(catalog),
    )
}

/// The classes that are used, and the tables with their columns.
fn catalog_of(hidden: &[Hide]) -> String {
    let classes: BTreeSet<_> = hidden.iter().map(|hide| hide.kind).collect();
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for hide in hidden {
        let column = format!("{} = \"{}\"", quoted(&hide.column), hide.kind.class());
        tables.entry(&hide.table).or_default().push(column);
    }
    let classes = classes
        .iter()
        .map(|kind| format!("[[class]]\nname = \"{}\"\n{}\n", kind.class(), kind.hiding()));
    let tables = tables.iter().map(|(table, columns)| {
        format!("[[table]]\nname = {}\ncolumns = {{ {} }}\n", quoted(table), columns.join(", "))
    });
    classes.chain(tables).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_account_and_database_and_no_password() {
        let good = upstream("postgresql://app@h1:5432,h2/crm?sslmode=require").expect("good");
        assert_eq!(good.url, "postgres://app@h1:5432,h2/crm?sslmode=require");
        assert_eq!(good.database, "crm");
        for bad in [
            "mysql://app@h/crm",
            "postgres://app@h",
            "postgres://app@h/",
            "postgres://h/crm",
            "postgres://app:secret@h/crm",
        ] {
            let said = upstream(bad).expect_err(bad);
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn each_class_and_table_is_there_once() {
        let hidden = ["public.people.email", "public.people.ssn"];
        let hidden = hidden.map(|text| text.parse().expect("a column"));
        assert_eq!(
            catalog_of(&hidden),
            "[[class]]\nname = \"email\"\nmask = { kind = \"email\" }\n\n\
             [[class]]\nname = \"number\"\nmask = { kind = \"partial\", keep_last = 4 }\n\n\
             [[table]]\nname = \"public.people\"\n\
             columns = { \"email\" = \"email\", \"ssn\" = \"number\" }\n"
        );
    }
}
