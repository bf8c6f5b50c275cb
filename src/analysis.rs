//! What a statement touches: gate 1 (mention) and gate 2 (syntax tree and names). Pure.

pub mod parse;
pub mod tree;
