//! A schema, a configuration and what was tagged before, made into a world.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use crate::analysis::mention::MentionError;
use crate::analysis::sensitive::{Problem, Sensitive, Tags, Watch};
use crate::decision::World;
use crate::grant::CatalogView;
use crate::model::Epoch;
use crate::schema::Snapshot;
use crate::server::setup::{Definers, Spec};

/// A world and what it was made of.
pub(in crate::server) struct Made {
    pub(in crate::server) world: World,
    /// For who has the role `ddl`; None where nobody has it, or nothing is hidden.
    pub(in crate::server) for_ddl: Option<World>,
    pub(super) tags: Tags,
    pub(in crate::server) problems: Vec<Problem>,
}

pub(in crate::server) fn make(
    epoch: Epoch,
    schema: Arc<Snapshot>,
    spec: &Spec,
    tags: &Tags,
) -> Result<Made, MentionError> {
    let (sensitive, tags, problems) = match spec.watch {
        Watch::Something => Sensitive::bind(&schema, &spec.catalog, tags, spec.unclassified)?,
        Watch::Nothing => (Sensitive::nothing()?, Tags::default(), Vec::new()),
    };
    let for_ddl = match (spec.watch, spec.definers) {
        (Watch::Something, Definers::Some) => {
            Some(sensitive.bind_for_ddl(&schema, &spec.catalog, &tags, spec.unclassified)?)
        }
        (Watch::Nothing, _) | (_, Definers::None) => None,
    };
    let world = |sensitive| {
        let view = CatalogView::new(&*spec.name, &spec.catalog, Some(&*schema));
        let name = Arc::clone(&spec.name);
        // Masks that do not fit are drift, and told as such.
        World::new(epoch, name, Arc::clone(&schema), sensitive, view, spec.rules).0
    };
    let for_ddl = for_ddl.map(&world);
    Ok(Made { world: world(sensitive), for_ddl, tags, problems })
}

/// Columns that became personal data or ceased to be, by name.
pub(super) fn changed(before: Option<&World>, after: &World) -> Vec<String> {
    let names = |world: &World| -> BTreeSet<String> {
        world.sensitive.columns.values().map(|column| column.path.to_string()).collect()
    };
    let Some(before) = before.map(names) else { return Vec::new() };
    before.symmetric_difference(&names(after)).cloned().collect()
}

/// The error and what led to it, in one line.
pub(in crate::server) fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
