//! `keyhole import` and `keyhole export`: what others wrote down of columns as a catalog, and back.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio_postgres::Client;

use super::exit::Exit;
use super::{failed, report};
use crate::config::Config;
use crate::discovery::exchange::statements::{self, Wanted};
use crate::discovery::exchange::{
    Assumed, Reading, Unclear, anonymizer, catalog, csv, dbt, said_by,
};
use crate::model::ColumnPath;
use crate::server::preview;
use crate::upstream::notes::{self, Note};
use crate::upstream::own::{self, OwnError};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest file that is read, in bytes: a schema's dump is well below.
const FILE_LEN_MAX: u64 = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Comma separated values: schema,table,column,class,mask
    Csv,
    /// dbt's properties (schema.yml): `meta` and `tags` of columns
    Dbt,
    /// Comments on columns: `pii: email`
    Comments,
    /// Security labels: a class, `pii: email`, or masking rules of PostgreSQL Anonymizer
    Labels,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// How it is written
    form: Form,
    /// Where; `-` is standard input. Without it, comments and labels are read from the database
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The database as clients name it, if there is no FILE
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The provider whose labels are read; without it, all are
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The schema of tables that are named without one
    #[arg(long, value_name = "NAME", default_value = "public")]
    schema: String,
    /// The class of columns that are called personal, and no more is said
    #[arg(long, value_name = "NAME", default_value = "personal")]
    class: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// How it is to be written
    form: Form,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The database as clients name it
    #[arg(long, value_name = "NAME")]
    database: String,
    /// The provider of the labels; with `anon`, they are masking rules of PostgreSQL Anonymizer
    #[arg(long, value_name = "NAME", default_value = anonymizer::PROVIDER)]
    provider: String,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("{0} is longer than {FILE_LEN_MAX} bytes")]
    Length(String),
    #[error("a FILE has to be named, or - for standard input")]
    NoFile,
    #[error("a FILE has to be named, or a --database")]
    NoPlace,
    #[error("{0}")]
    Config(crate::config::Problems),
    #[error("no database \"{0}\" is configured")]
    Unknown(String),
    #[error(transparent)]
    Preview(#[from] preview::PreviewError),
    #[error("database \"{0}\": no answer in {TIMEOUT:?}")]
    Patience(String),
    #[error("database \"{0}\": {1}")]
    Database(String, OwnError),
}

pub(super) async fn import(arguments: &Import) -> ExitCode {
    match reading(arguments).await {
        Err(error) => failed(&error.to_string()),
        Ok(reading) => {
            print(&catalog::written(&reading.said));
            told(&reading.unclear)
        }
    }
}

async fn reading(arguments: &Import) -> Result<Reading, ExchangeError> {
    let Import { form, file, config, database, provider, schema, class } = arguments;
    let assumed = Assumed { schema: schema.clone(), class: class.clone() };
    let wanted = match form {
        Form::Comments => Some(Wanted::Comments),
        Form::Labels => Some(Wanted::Labels { provider: provider.as_deref() }),
        Form::Csv | Form::Dbt => None,
    };
    match (form, wanted, file, database) {
        (_, Some(wanted), Some(file), _) => Ok(statements::read(&content(file)?, wanted, &assumed)),
        (_, Some(wanted), None, Some(database)) => {
            let notes = ask(load(config)?, database, wanted).await?;
            let mut reading = Reading::default();
            for note in &notes {
                take(note, wanted, &assumed, &mut reading);
            }
            Ok(reading)
        }
        (_, Some(_), None, None) => Err(ExchangeError::NoPlace),
        (_, None, None, _) => Err(ExchangeError::NoFile),
        (Form::Dbt, None, Some(file), _) => Ok(dbt::read(&content(file)?, &assumed)),
        (Form::Csv | Form::Comments | Form::Labels, None, Some(file), _) => {
            Ok(csv::read(&content(file)?, &assumed))
        }
    }
}

fn take(note: &Note, wanted: Wanted<'_>, assumed: &Assumed, reading: &mut Reading) {
    let Note { column, provider: of, text } = note;
    let note = match (of, wanted) {
        (None, _) => statements::Note::Comment(text),
        (Some(of), Wanted::Labels { provider: Some(provider) }) if of != provider => return,
        (Some(provider), _) => statements::Note::Label { provider, label: text },
    };
    reading.note(column, note, assumed);
}

pub(super) async fn export(arguments: &Export) -> ExitCode {
    match exported(arguments).await {
        Err(error) => failed(&error.to_string()),
        Ok((text, unclear)) => {
            print(&text);
            told(&unclear)
        }
    }
}

async fn exported(arguments: &Export) -> Result<(String, Vec<Unclear>), ExchangeError> {
    let Export { form, config, database, provider } = arguments;
    let config = load(config)?;
    let known = config.database(database);
    let said = said_by(&known.ok_or_else(|| ExchangeError::Unknown(database.clone()))?.catalog);
    Ok(match form {
        Form::Csv => (csv::written(&said), Vec::new()),
        Form::Dbt => (dbt::written(&said), Vec::new()),
        Form::Labels if provider == anonymizer::PROVIDER => statements::masking_rules(&said),
        Form::Labels => (statements::labels(&said, provider), Vec::new()),
        Form::Comments => {
            let notes = ask(config, database, Wanted::Comments).await?;
            let present: HashMap<&ColumnPath, &str> =
                notes.iter().map(|note| (&note.column, &*note.text)).collect();
            (statements::comments(&said, |column| present.get(column).copied()), Vec::new())
        }
    })
}

fn load(path: &Path) -> Result<Config, ExchangeError> {
    Config::load(path).map_err(ExchangeError::Config)
}

fn content(path: &Path) -> Result<String, ExchangeError> {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(FILE_LEN_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_string(&mut text))
    };
    match read {
        Err(error) => Err(ExchangeError::File(name, error)),
        Ok(length) if length as u64 > FILE_LEN_MAX => Err(ExchangeError::Length(name)),
        Ok(_) => Ok(text),
    }
}

/// What the database's columns carry.
async fn ask(
    config: Config,
    database: &str,
    wanted: Wanted<'_>,
) -> Result<Vec<Note>, ExchangeError> {
    let target = preview::target(config, database)?;
    let doing = async {
        let (client, connection) = own::connect(&target).await?;
        tokio::select! {
            notes = read(&client, wanted) => Ok(notes?),
            ended = connection => {
                ended?;
                Ok(Vec::new())
            }
        }
    };
    match tokio::time::timeout(TIMEOUT, doing).await {
        Err(_) => Err(ExchangeError::Patience(database.to_owned())),
        Ok(done) => done.map_err(|error| ExchangeError::Database(database.to_owned(), error)),
    }
}

async fn read(client: &Client, wanted: Wanted<'_>) -> Result<Vec<Note>, tokio_postgres::Error> {
    match wanted {
        Wanted::Comments => notes::comments(client).await,
        Wanted::Labels { provider: _ } => notes::labels(client).await,
    }
}

/// The text as it is: it ends its own lines.
fn print(text: &str) {
    use std::io::Write;
    // A reader that went away is no error of ours.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn told(unclear: &[Unclear]) -> ExitCode {
    for Unclear { place, why } in unclear {
        report(format_args!("{place}: {why}"));
    }
    if unclear.is_empty() { Exit::Done.into() } else { Exit::Wrong.into() }
}
