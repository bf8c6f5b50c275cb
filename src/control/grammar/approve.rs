//! `APPROVE 3 [SIGNATURE '…'] [CODE '…']`

use super::cursor::Cursor;
use super::{Command, SyntaxError};
use crate::grant::Proof;
use crate::model::Secret;

const FORM: &str =
    "APPROVE 3 [SIGNATURE '…'] [CODE '123456'], with the id that SHOW REQUESTS lists";

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(FORM);
    let request = cursor.number("the id of a request")?;
    let mut proof = Proof::default();
    while cursor.peek().is_some() {
        let start = cursor.position();
        if cursor.take("SIGNATURE").is_some() && proof.signature.is_none() {
            let start = cursor.position();
            let text = cursor.string("a signature in quotes")?;
            let signature =
                text.parse().map_err(|error| cursor.error_at(format!("{error}"), start))?;
            proof.signature = Some(signature);
        } else if cursor.take("CODE").is_some() && proof.code.is_none() {
            proof.code = Some(Secret::new(cursor.string("a code in quotes")?));
        } else {
            return Err(cursor.error_at("APPROVE takes one SIGNATURE and one CODE", start));
        }
    }
    Ok(Command::Approve { request, proof })
}
