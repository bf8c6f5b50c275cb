//! Statements inside others: a query as a cursor, what returns rows as a COPY.

use super::session::Form;

/// What is sent instead in this form, for a statement that may stand inside another; `status` is
/// that of the transaction.
pub(super) fn wrapped(form: Form, sql: &str, status: u8) -> Option<Vec<String>> {
    let text = sql.trim().trim_end_matches(';');
    let words = Words::of(text);
    // A comment to the end of the line must not swallow what follows.
    match form {
        Form::Cursor if words.query() && !words.any(&WRITES) => {
            let declare = format!("DECLARE attack CURSOR FOR {text}\n");
            let mut all = vec![declare, "FETCH ALL FROM attack".into(), "CLOSE attack".into()];
            match status {
                b'I' => {
                    all.insert(0, "BEGIN".into());
                    all.push("COMMIT".into());
                }
                b'T' => {}
                _ => return None,
            }
            Some(all)
        }
        Form::Copy if words.query() || words.any(&WRITES[..3]) && words.any(&["RETURNING"]) => {
            Some(vec![format!("COPY ({text}\n) TO STDOUT")])
        }
        Form::Simple | Form::Text | Form::Binary | Form::Pipelined | Form::Cursor | Form::Copy => {
            None
        }
    }
}

const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
const QUERIES: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];

/// The words of a statement, in capitals.
struct Words(Vec<String>);

impl Words {
    fn of(text: &str) -> Self {
        // Several statements in one text cannot stand anywhere.
        if text.contains(';') {
            return Self(Vec::new());
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        Self(words.filter(|it| !it.is_empty()).map(str::to_ascii_uppercase).collect())
    }

    fn any(&self, wanted: &[&str]) -> bool {
        self.0.iter().any(|word| wanted.contains(&&**word))
    }

    fn query(&self) -> bool {
        let first = self.0.first();
        first.is_some_and(|word| QUERIES.contains(&&**word)) && !self.any(&["INTO"])
    }
}
