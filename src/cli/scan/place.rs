//! Which database is scanned, as whom, and what is known of it already.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Arguments, Catalog};
use crate::cli::report;
use crate::config::{Config, DatabaseConfig, UpstreamDatabase, UpstreamHost, UpstreamUrl};
use crate::model::Secret;
use crate::server::preview;
use crate::upstream::connect::Target;

const CONFIG: &str = "proxy.toml";

/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

pub(super) struct Place {
    /// As clients name it, or the database of the URL.
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) catalog: Catalog,
    /// The files of the catalog.
    pub(super) files: Vec<PathBuf>,
    /// Where what is found is left for a review in the web console.
    pub(super) findings: Option<PathBuf>,
    /// The configuration that names them.
    pub(super) config: Option<PathBuf>,
}

impl Place {
    /// # Errors
    /// Says what is missing or wrong.
    pub(super) fn find(arguments: &Arguments) -> Result<Self, String> {
        let Arguments { config, url, .. } = arguments;
        let path = match (config, url) {
            (None, Some(url)) => return Self::of_url(url, arguments),
            (Some(path), _) => path.clone(),
            (None, None) => PathBuf::from(CONFIG),
        };
        let config = Config::load(&path).map_err(|problems| problems.to_string())?;
        let database = database(&config, arguments.database.as_deref())?;
        let name = arguments.database.clone();
        let name = name.unwrap_or_else(|| database.name.as_str().to_owned());
        let (catalog, files) = (database.catalog.clone(), database.catalog_files.clone());
        let findings = database.findings.clone();
        let target = match url {
            Some(url) => target_of(url, arguments)?,
            None => preview::target(config, &name).map_err(|error| error.to_string())?,
        };
        Ok(Self { name, target, catalog, files, findings, config: Some(path) })
    }

    fn of_url(url: &UpstreamUrl, arguments: &Arguments) -> Result<Self, String> {
        let UpstreamDatabase::Named(name) = &url.database else {
            return Err("--url names one database".to_owned());
        };
        Ok(Self {
            name: name.clone(),
            target: target_of(url, arguments)?,
            catalog: Catalog::default(),
            files: Vec::new(),
            findings: None,
            config: None,
        })
    }
}

fn database<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a DatabaseConfig, String> {
    let fixed = |database: &&DatabaseConfig| database.name.as_str() != "*";
    match name {
        Some(name) => config
            .databases
            .iter()
            .find(|database| database.name.as_str() == name)
            .or_else(|| config.databases.iter().find(|database| !fixed(database)))
            .ok_or_else(|| format!("no [[database]] serves \"{name}\"")),
        None => match config.databases.as_slice() {
            [one] if fixed(&one) => Ok(one),
            several => {
                let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
                Err(format!("say which by --database: {}", names.join(", ")))
            }
        },
    }
}

fn target_of(url: &UpstreamUrl, arguments: &Arguments) -> Result<Target, String> {
    let password = std::env::var(&arguments.password_env).ok().filter(|it| !it.is_empty());
    let password = match password {
        Some(password) => Some(Secret::new(password)),
        None => pgpass(url)?,
    };
    preview::target_of(url, password).map_err(|error| error.to_string())
}

/// The password in `$PGPASSFILE` or `~/.pgpass`; none if it is not there.
fn pgpass(url: &UpstreamUrl) -> Result<Option<Secret>, String> {
    let named = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let path = named("PGPASSFILE").or_else(|| Some(named("HOME")?.join(".pgpass")));
    let Some(path) = path else { return Ok(None) };
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mode = match std::fs::metadata(&path) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & OTHERS != 0 {
        report(format_args!("{} may be read by others, so it is not used", path.display()));
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    Ok(password_of(&text, url))
}

/// The password that the lines have for every host of the URL: what is meant for one of them is
/// not shown to another.
fn password_of(text: &str, url: &UpstreamUrl) -> Option<Secret> {
    let of = |host: &UpstreamHost| text.lines().find_map(|line| password(line, url, host));
    let mut all = url.hosts.iter().map(of);
    let first = all.next()??;
    all.all(|other| other.is_some_and(|other| other.expose() == first.expose())).then_some(first)
}

/// The password of a line `host:port:database:user:password`, if the line is for the URL.
fn password(line: &str, url: &UpstreamUrl, there: &UpstreamHost) -> Option<Secret> {
    let parts = parts(line)?;
    let [host, port, database, user, password] = parts.as_slice() else { return None };
    let UpstreamDatabase::Named(name) = &url.database else { return None };
    let is = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    let fits = match there {
        UpstreamHost::Tcp { host: name, port: number } => {
            is(host, name) && is(port, &number.to_string())
        }
        UpstreamHost::Socket { dir, port: number } => {
            (is(host, "localhost") || Path::new(host) == dir) && is(port, &number.to_string())
        }
    };
    let all = fits && is(database, name) && is(user, &url.user);
    all.then(|| Secret::new(password.as_str()))
}

/// Colons part, and a backslash makes the next character mean itself.
fn parts(line: &str) -> Option<Vec<String>> {
    if line.starts_with('#') {
        return None;
    }
    let mut parts = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            ':' => {
                parts.push(String::new());
                continue;
            }
            '\\' => chars.next()?,
            c => c,
        };
        parts.last_mut()?.push(c);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_pgpass_is_for_whom_it_names() {
        let url = UpstreamUrl::parse("postgres://dba@db.example:5433/crm").expect("a URL");
        for (line, found) in [
            ("db.example:5433:crm:dba:s3cret", Some("s3cret")),
            ("*:*:*:dba:a\\:b\\\\c", Some("a:b\\c")),
            ("db.example:5432:crm:dba:s3cret", None),
            ("db.example:5433:crm:app:s3cret", None),
            ("#*:*:*:*:s3cret", None),
            ("*:*:*:s3cret", None),
            ("", None),
        ] {
            let read = password_of(line, &url);
            assert_eq!(read.as_ref().map(|secret| secret.expose()), found, "{line}");
        }
    }

    #[test]
    fn a_password_is_told_to_the_host_that_it_is_for() {
        let url = UpstreamUrl::parse("postgres://dba@one:5432,two:5432/crm").expect("a URL");
        for (text, found) in [
            ("one:*:*:*:s3cret\n", None),
            ("one:*:*:*:s3cret\ntwo:*:*:*:other\n", None),
            ("one:*:*:*:s3cret\ntwo:*:*:*:s3cret\n", Some("s3cret")),
            ("*:*:*:*:s3cret\n", Some("s3cret")),
        ] {
            let read = password_of(text, &url);
            assert_eq!(read.as_ref().map(|secret| secret.expose()), found, "{text}");
        }
    }
}
