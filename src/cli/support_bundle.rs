//! `keyhole support-bundle`: what somebody needs who helps from outside, and nothing of anybody's.
//!
//! **Invariant:** what is not known to be harmless is left out: of the configuration, keys and words
//! that the documented `proxy.toml` has, numbers and durations; of log lines, the plain words of their
//! message; of the audit log, counts. No names, addresses, hosts, texts, keys or passwords.

mod configuration;
mod counts;
mod tar;
mod words;

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use toml::Table;

use self::configuration::harmless;
use self::tar::Archive;
use super::ready::Place;
use super::{failed, say};

/// Bytes of a log's end that are looked at.
const LOG_TAIL_LEN: u64 = 512 << 10;

const ABOUT: &str = "\
What a proxy looks like from outside, for whoever helps. Written by `keyhole support-bundle`.

version.json        version, system, processors, memory, limits
configuration.json  the configuration: keys, numbers, durations and documented words; \"(removed)\" for all else
catalog.json        how many tables, columns and classes there are, by kind of mask
readiness.txt       what /readyz says, plain words only
metrics.txt         what /metrics says, without the series of columns
audit.json          whether the chain of the audit log holds, and how many records of which kind there are
log.txt             with --log: time, level, place and plain words of the last lines

Left out: names of people, groups, hosts, databases, tables and columns, addresses, passwords, keys, tokens,
URLs, statements, reasons and records. \"?\" stands for a word that was none of the plain ones.
";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// Where to write it; must not exist
    #[arg(long, value_name = "FILE", default_value = "keyhole-support.tar.gz")]
    out: PathBuf,
    /// A file with the proxy's log lines (or - for standard input: journalctl -u keyhole -o cat | …)
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The proxy to ask, instead of the one that the configuration says
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Certificates of the authorities to trust, instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    match write(arguments).await {
        Ok(names) => {
            say(format_args!("{}: {}", arguments.out.display(), names.join(", ")));
            ExitCode::SUCCESS
        }
        Err(message) => failed(&message),
    }
}

async fn write(arguments: &Arguments) -> Result<Vec<&'static str>, String> {
    let Arguments { config, out, log, url, ca } = arguments;
    let text = fs::read_to_string(config).map_err(|error| at(config, &error))?;
    // Where it is no TOML, even the parser's words may be somebody's.
    let parsed: Option<Table> = toml::from_str(&text).ok();
    let table = parsed.clone().unwrap_or_default();
    let folder = config.parent().unwrap_or(Path::new("."));
    let place = Place {
        url: url.clone().unwrap_or_else(|| configuration::url(&table)),
        ca: ca.clone().or_else(|| configuration::certificate(&table, folder)),
    };
    let lines = match log {
        Some(file) => Some(tail(file).map_err(|error| at(file, &error))?),
        None => None,
    };
    let shown = match &parsed {
        Some(table) => harmless(table),
        None => json!("it is not TOML"),
    };
    let mut parts = vec![
        ("README.txt", ABOUT.to_owned()),
        ("version.json", pretty(&counts::system())),
        ("configuration.json", pretty(&shown)),
        ("catalog.json", pretty(&counts::catalogs(&table, folder))),
        ("readiness.txt", readiness(&place).await),
        ("metrics.txt", metrics(&place).await),
        ("audit.json", pretty(&counts::audit(&configuration::audit_dir(&table, folder)))),
    ];
    parts.extend(lines.map(|lines| ("log.txt", words::log(&lines))));
    // For its owner only, and never instead of what is there.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let file = file.map_err(|error| at(out, &error))?;
    let mut archive = Archive::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in &parts {
        archive.add(name, text.as_bytes()).map_err(|error| at(out, &error))?;
    }
    let done = archive.end().and_then(GzEncoder::finish).and_then(|file| file.sync_all());
    done.map_err(|error| at(out, &error))?;
    Ok(parts.into_iter().map(|(name, _)| name).collect())
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

async fn readiness(place: &Place) -> String {
    match place.ask("/readyz").await {
        Ok((status, text)) => format!("{}\n{}", status.as_u16(), words::plain_lines(&text)),
        Err(error) => format!("not asked: {}\n", words::plain(&error)),
    }
}

async fn metrics(place: &Place) -> String {
    match place.ask("/metrics").await {
        Ok((_, text)) => words::metrics(&text),
        Err(error) => format!("not asked: {}\n", words::plain(&error)),
    }
}

/// The end of a log, from the beginning of a line.
fn tail(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        let mut file = fs::File::open(file)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_LEN)))?;
        file.read_to_end(&mut bytes)?;
    }
    let from = bytes.len().saturating_sub(usize::try_from(LOG_TAIL_LEN).unwrap_or(usize::MAX));
    Ok(String::from_utf8_lossy(&bytes[from..]).into_owned())
}
