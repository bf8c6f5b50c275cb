//! One database as the proxy would see it now, made once and without serving anybody.

use std::sync::Arc;

use crate::analysis::SearchPath;
use crate::analysis::mention::MentionError;
use crate::analysis::sensitive::Tags;
use crate::auth::Lasting;
use crate::config::{Config, UpstreamUrl};
use crate::decision::World;
use crate::grant::LiveTable;
use crate::model::{Epoch, ROLE_DDL, Secret, Timestamp, User};
use crate::schema::Snapshot;
use crate::store::approvals::{Location, StoreError, peek, standing_only, steady_clock};
use crate::store::tags::{TagFiles, TagsError};
use crate::upstream::connect::Target;
use crate::upstream::introspect;
use crate::upstream::own;

use super::refresher::{Made, READ_TIMEOUT, make, with_cause};
use super::setup::{self, Setup, Spec};

/// `search_path` of the database's account, schemas that do not exist left out.
const PATH: &str = "SELECT pg_catalog.current_schemas(true)::text[]";

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error("{}", .0.join("\n"))]
    Setup(Vec<String>),
    #[error("no [[database]] serves \"{0}\"")]
    Database(String),
    #[error("no [[user]] has the name \"{0}\"")]
    User(String),
    #[error("database \"{0}\": {1}")]
    Upstream(String, String),
    #[error("the catalog names too much: {0}")]
    Mention(#[from] MentionError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tags(#[from] TagsError),
}

/// What decisions about one database rest on at one moment.
#[derive(Debug)]
pub struct Preview {
    pub world: World,
    /// For who has the role `ddl`; None: the same.
    for_ddl: Option<World>,
    /// Where unqualified names are looked up when a session begins.
    pub path: SearchPath,
    pub grants: LiveTable,
    pub source: Source,
    /// In the order asked for.
    pub users: Vec<User>,
    pub now: Timestamp,
}

/// Which grants are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Store,
    /// A proxy has the store; what it granted is known to it alone.
    StandingOnly,
}

impl Preview {
    /// The world by which the user's statements are decided.
    pub fn world_of(&self, user: &User) -> &World {
        self.for_ddl.as_ref().filter(|_| user.has_role(ROLE_DDL)).unwrap_or(&self.world)
    }

    /// Reads configuration, schema and approval store for `database` as clients name it, and looks
    /// up the users called `names`. Writes nothing anywhere.
    ///
    /// # Errors
    /// [`PreviewError`]: the first thing that is missing or out of reach.
    pub async fn open(
        config: Config,
        database: &str,
        names: &[String],
    ) -> Result<Self, PreviewError> {
        let setup = Setup::build(config, &Lasting::new(rand::random(), steady_clock()), None);
        let setup = setup.map_err(PreviewError::Setup)?;
        let user = |name: &String| {
            setup.user(name).cloned().ok_or_else(|| PreviewError::User(name.clone()))
        };
        let users = names.iter().map(user).collect::<Result<_, _>>()?;
        let spec = setup.spec(database);
        let spec = spec.ok_or_else(|| PreviewError::Database(database.to_owned()))?;
        let tags = TagFiles::beside(setup.config.store.beside());
        let (made, path) = read(&spec, &tags).await?;
        let now = steady_clock()();
        let (location, standing) = (setup.store.clone(), setup.standing.clone());
        let peeking = tokio::task::spawn_blocking(move || peek(&location, &standing, now));
        let (grants, source) = match peeking.await.unwrap_or(Err(StoreError::Stopped)) {
            Ok(grants) => (grants, Source::Store),
            Err(StoreError::InUse(_)) => {
                (standing_only(&setup.standing, now)?, Source::StandingOnly)
            }
            Err(error) => return Err(error.into()),
        };
        let Made { world, for_ddl, .. } = made;
        Ok(Self { world, for_ddl, path, grants, source, users, now })
    }
}

/// Where the approval store of a configuration is.
///
/// # Errors
/// [`PreviewError::Setup`] when the configuration cannot be used.
pub fn store(config: Config) -> Result<Location, PreviewError> {
    let setup = Setup::build(config, &Lasting::new(rand::random(), steady_clock()), None);
    setup.map(|setup| setup.store).map_err(PreviewError::Setup)
}

/// Every account that is used at the database whatever the user's name, and where it is; the one
/// that reads the schema first.
///
/// # Errors
/// As [`target`].
pub fn targets(config: Config, database: &str) -> Result<Vec<Target>, PreviewError> {
    let setup = Setup::build(config, &Lasting::new(rand::random(), steady_clock()), None);
    let setup = setup.map_err(PreviewError::Setup)?;
    let spec = setup.spec(database);
    let spec = spec.ok_or_else(|| PreviewError::Database(database.to_owned()))?;
    let accounts = spec.accounts.fixed(&spec.target);
    Ok(std::iter::once((*spec.target).clone()).chain(accounts).collect())
}

/// Where `database`, as clients name it, is and who the proxy is there.
///
/// # Errors
/// [`PreviewError`] when the configuration cannot be used or has no such database.
pub fn target(config: Config, database: &str) -> Result<Target, PreviewError> {
    let setup = Setup::build(config, &Lasting::new(rand::random(), steady_clock()), None);
    let setup = setup.map_err(PreviewError::Setup)?;
    let spec = setup.spec(database);
    let spec = spec.ok_or_else(|| PreviewError::Database(database.to_owned()))?;
    Ok((*spec.target).clone())
}

/// Where a URL leads that no configuration names.
///
/// # Errors
/// [`PreviewError::Setup`] when its certificates cannot be read.
pub fn target_of(url: &UpstreamUrl, password: Option<Secret>) -> Result<Target, PreviewError> {
    setup::target_of(url, password).map_err(|error| PreviewError::Setup(vec![error]))
}

async fn read(spec: &Spec, files: &TagFiles) -> Result<(Made, SearchPath), PreviewError> {
    let read = Live::read(spec, files).await?;
    Ok((make(EPOCH, read.schema, spec, &read.tags)?, read.path))
}

pub(super) const EPOCH: Epoch = Epoch(1);

/// What a database says of itself, and what was tagged in it before.
pub(super) struct Live {
    pub(super) schema: Arc<Snapshot>,
    pub(super) tags: Tags,
    /// Where unqualified names are looked up when a session begins.
    pub(super) path: SearchPath,
}

impl Live {
    pub(super) async fn read(spec: &Spec, files: &TagFiles) -> Result<Self, PreviewError> {
        let failed = |why: String| PreviewError::Upstream(spec.name.to_string(), why);
        let patience = spec.target.servers.patience();
        let connected = tokio::time::timeout(patience, own::connect(&spec.target)).await;
        let connected = connected.map_err(|_| failed(format!("no answer in {patience:?}")))?;
        let (mut client, connection) = connected.map_err(|error| failed(with_cause(&error)))?;
        let reading = async {
            let schema = introspect::read(&mut client, EPOCH).await;
            let schema = schema.map_err(|error| failed(with_cause(&error)))?;
            let identity = introspect::identity(&client).await;
            let identity = identity.map_err(|error| failed(with_cause(&error)))?;
            let tags = files.load(&spec.name, &identity, &schema)?;
            let row = client.query_one(PATH, &[]).await;
            let path = row.and_then(|row| row.try_get(0));
            let path = path.map_err(|error| failed(with_cause(&error)))?;
            Ok(Self { schema: Arc::new(schema), tags, path: SearchPath(path) })
        };
        tokio::select! {
            read = tokio::time::timeout(READ_TIMEOUT, reading) => match read {
                Ok(read) => read,
                Err(_) => Err(failed(format!("the schema was not read in {READ_TIMEOUT:?}"))),
            },
            ended = connection => Err(failed(match ended {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => with_cause(&error),
            })),
        }
    }
}
