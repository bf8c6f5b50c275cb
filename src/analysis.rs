//! What a statement touches: gate 1 (mention) and gate 2 (syntax tree and names). Pure.

pub mod facts;
pub mod mention;
pub mod names;
mod near;
pub mod parse;
pub mod sensitive;
pub mod tree;

mod ctes;
mod define;
mod in_band;
mod lookups;
mod relations;
mod results;
mod shape;
mod statement;
mod walk;
mod writes;

pub use statement::{Context, SearchPath, analyse};
