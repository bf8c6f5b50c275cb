//! A configuration with some of its files exchanged: what somebody would like to have, held against
//! what is there.

use std::path::{Path, PathBuf};

use super::builder::Builder;
use super::source::{Problem, Problems, Source};
use super::{Config, catalog, identity, raw};

/// Where mistakes in the names of catalog files are said to be.
const CATALOG_OPTION: &str = "--catalog";

/// No file that is read here names a variable.
fn no_environment(_: &str) -> Option<String> {
    None
}

impl Config {
    /// The same, where the database that serves `database` has these catalog files in the place of
    /// its own. Paths are relative to the working directory.
    ///
    /// # Errors
    /// [`Problems`]: what is wrong in the files, and what policies and standing grants name that
    /// these catalogs do not have.
    pub fn with_catalog(mut self, database: &str, files: &[PathBuf]) -> Result<Self, Problems> {
        let mut builder = Builder::new(Source::of_option(CATALOG_OPTION), &no_environment);
        let files: Vec<_> =
            files.iter().map(|file| (file.to_string_lossy().into_owned(), 0..0)).collect();
        let catalog = catalog::load(&mut builder, &files);
        let named = self.database(database).map(|database| database.name.clone());
        let Some(name) = named else {
            let message = format!("no [[database]] serves \"{database}\"");
            return Err(Problems(vec![Problem { file: self.path, line: None, message }]));
        };
        for database in self.databases.iter_mut().filter(|database| database.name == name) {
            database.catalog = catalog.clone();
        }
        whole(builder.problems)?;
        self.resolved()
    }

    /// The same with the `[[policy]]` and `[[standing]]` tables of this file in the place of its own.
    /// The file has nothing else in it.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong in it, with its line.
    pub fn with_policies(mut self, path: &Path) -> Result<Self, Problems> {
        let one = |problem: Problem| Problems(vec![problem]);
        let source = Source::read(path).map_err(one)?;
        let file: raw::PolicyFile = source.parse().map_err(one)?;
        let mut builder = Builder::new(source, &no_environment);
        let views = self.catalog_views();
        self.policies = identity::policies(&mut builder, file.policy, Some(&views));
        self.standing = identity::standing(&mut builder, file.standing, Some(&views));
        whole(builder.problems)?;
        Ok(self)
    }

    fn resolved(self) -> Result<Self, Problems> {
        let views = self.catalog_views();
        self.grant_policies(&views)?;
        self.grant_standing(&views)?;
        Ok(self)
    }
}

fn whole(problems: Problems) -> Result<(), Problems> {
    if problems.0.is_empty() { Ok(()) } else { Err(problems) }
}
