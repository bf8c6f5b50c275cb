//! `SUSPEND alice [FOR '1 hour'] REASON '…'` and `LIFT alice`

use super::cursor::Cursor;
use super::{Command, SyntaxError, grant, reason};

const SUSPEND_FORM: &str = "SUSPEND alice [FOR '1 hour'] REASON 'INC-42'";
const LIFT_FORM: &str = "LIFT alice, with a name that SHOW RESTRICTIONS lists";

pub(super) fn suspend(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(SUSPEND_FORM);
    let user = cursor.name("the name of a user")?;
    let duration = match cursor.take("FOR") {
        Some(()) => Some(grant::duration(cursor)?),
        None => None,
    };
    cursor.expect("REASON")?;
    Ok(Command::Suspend { user, duration, reason: reason(cursor)? })
}

pub(super) fn lift(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(LIFT_FORM);
    cursor.name("the name of a user").map(Command::Lift)
}
