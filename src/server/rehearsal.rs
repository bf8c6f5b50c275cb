//! Two configurations of one proxy side by side, made once and without serving anybody: the one
//! that is there, and the one that somebody would like to have.

use std::sync::Arc;

use crate::analysis::SearchPath;
use crate::analysis::sensitive::PiiColumn;
use crate::auth::Lasting;
use crate::config::Config;
use crate::decision::{Mode, World};
use crate::grant::{CatalogView, Conditions, LiveTable, Policies};
use crate::model::{ColumnId, ROLE_DDL, Timestamp, User};
use crate::store::approvals::{standing_only, steady_clock};
use crate::store::tags::TagFiles;

use super::preview::{EPOCH, Live, PreviewError};
use super::refresher::{Made, make};
use super::setup::Setup;

/// A configuration that was understood; no database has been asked for it.
pub struct Rehearsal {
    setup: Setup,
}

/// What one database would be under a configuration.
pub struct Stage {
    world: World,
    /// For who has the role `ddl`; None: the same.
    for_ddl: Option<World>,
    /// Where unqualified names are looked up when a session begins.
    pub path: SearchPath,
    /// Standing grants alone.
    pub standing: LiveTable,
    pub now: Timestamp,
}

impl Rehearsal {
    /// # Errors
    /// [`PreviewError::Setup`] when the configuration cannot be used.
    pub fn new(config: Config) -> Result<Self, PreviewError> {
        let setup = Setup::build(config, &Lasting::new(rand::random(), steady_clock()), None);
        Ok(Self { setup: setup.map_err(PreviewError::Setup)? })
    }

    /// Who has that name, whether configured or not, and brought these groups to their login.
    pub fn person(&self, name: &str, groups: &[String]) -> User {
        self.setup.named(name, groups)
    }

    pub fn policies(&self) -> &Policies {
        &self.setup.policies
    }

    /// What can be asked for in a database as clients name it, before its schema was read; None:
    /// there is no such database.
    pub fn view(&self, database: &str) -> Option<CatalogView> {
        let config = self.setup.config.database(database)?;
        Some(CatalogView::new(database, &config.catalog, None))
    }

    /// What standing grants depend on beside who asks for what.
    pub fn conditions(&self) -> impl Iterator<Item = &Conditions> {
        let conditions = self.setup.standing.iter().map(|standing| &standing.conditions);
        conditions.filter(|conditions| !conditions.is_none())
    }

    /// Whether a database of that name is served.
    pub fn serves(&self, database: &str) -> bool {
        self.setup.config.database(database).is_some()
    }
}

impl Stage {
    /// Reads the schema of `database`, as clients name it, once, where the first of the two
    /// configurations says it is, and makes of it what either would.
    ///
    /// # Errors
    /// [`PreviewError`]: the first thing that is missing or out of reach.
    pub async fn pair(
        before: &Rehearsal,
        after: &Rehearsal,
        database: &str,
    ) -> Result<[Self; 2], PreviewError> {
        let missing = || PreviewError::Database(database.to_owned());
        let spec = before.setup.spec(database).ok_or_else(missing)?;
        let files = TagFiles::beside(before.setup.config.store.beside());
        let live = Live::read(&spec, &files).await?;
        Ok([Self::of(before, database, &live)?, Self::of(after, database, &live)?])
    }

    fn of(rehearsal: &Rehearsal, database: &str, live: &Live) -> Result<Self, PreviewError> {
        let spec = rehearsal.setup.spec(database);
        let spec = spec.ok_or_else(|| PreviewError::Database(database.to_owned()))?;
        let made = make(EPOCH, Arc::clone(&live.schema), &spec, &live.tags)?;
        let Made { world, for_ddl, .. } = made;
        let now = steady_clock()();
        let standing = standing_only(&rehearsal.setup.standing, now)?;
        Ok(Self { world, for_ddl, path: live.path.clone(), standing, now })
    }

    /// The world by which the user's statements are decided.
    pub fn world_of(&self, user: &User) -> &World {
        self.for_ddl.as_ref().filter(|_| user.has_role(ROLE_DDL)).unwrap_or(&self.world)
    }

    /// Whether anything is held back at all.
    pub fn mode(&self) -> Mode {
        self.world.rules.mode
    }

    /// Every column that is personal data there.
    pub fn columns(&self) -> impl Iterator<Item = (ColumnId, &PiiColumn)> {
        self.world.sensitive.columns.iter().map(|(id, column)| (*id, column))
    }
}
