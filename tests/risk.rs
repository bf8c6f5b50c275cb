//! The rules over the audit log: each against a scripted attack that it has to tell, and all of
//! them against weeks of ordinary work of which they should tell nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "risk/attacks.rs"]
mod attacks;
#[path = "risk/notable.rs"]
mod notable;
#[path = "risk/office.rs"]
mod office;
#[path = "risk/properties.rs"]
mod properties;
#[path = "risk/quiet.rs"]
mod quiet;
#[path = "risk/script.rs"]
mod script;
