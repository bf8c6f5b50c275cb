/// Each command by example and what it does: `SHOW HELP`.
pub const HELP: &[(&str, &str)] = &[
    ("SHOW HELP", "this list"),
    ("SHOW VERSION", "the proxy's version"),
    ("SHOW GRANTS", "grants in force, to come, standing, or ended in the last day"),
    ("SHOW REQUESTS", "requests that wait or were decided in the last day"),
    ("SHOW SESSIONS", "who is connected to the data port, and what they see raw"),
    ("SHOW CATALOG", "which columns are personal data, and how they are hidden"),
    ("SHOW POLICIES", "who may request what, and who approves"),
    ("SHOW DATABASES", "the databases behind the proxy"),
    ("SHOW DRIFT", "where catalogs and their databases have moved apart"),
    ("SHOW SINKS", "where the audit log goes, and how far each sink is behind"),
    ("SHOW STATS", "counters since the start"),
    (
        "GRANT READ ON shop.public.customers.email TO alice FOR '30 minutes' REASON 'INC-42'",
        "grants access at once, to a column or a table; beside READ: LOOKUP, WRITE, EXPORT",
    ),
    ("GRANT … ON CLASS email IN shop …", "to every column of a class"),
    ("GRANT … WHERE id = 42 TO …", "to those rows only"),
    ("GRANT … TO GROUP support …", "to everybody in a group"),
    ("GRANT … STARTING '2026-01-31 09:00+01' TICKET 'T-1'", "from then on, with a ticket"),
    ("GRANT … MAX 10 ROWS MAX 3 USES MAX 5 SUBJECTS", "until any of them is used up"),
    ("GRANT … FROM FIRST USE UNUSED '10 minutes'", "time runs from its first use; ends by disuse"),
    (
        "REQUEST READ ON customers.email WHERE id = 42 FOR '30 minutes' REASON 'INC-42'",
        "asks for oneself, in the words of GRANT; BREAK GLASS for an emergency",
    ),
    ("EXTEND 7 FOR '10 minutes' REASON 'INC-42'", "asks for a longer life of one's own grant"),
    ("CANCEL 3", "takes one's own request back"),
    ("APPROVE 3", "approves a request of somebody else"),
    ("APPROVE 3 CODE '123456'", "with a code of one's second factor, or a recovery code"),
    ("SHOW CHALLENGE 3", "what one's own key signs: see `keyhole approvals sign`"),
    ("APPROVE 3 SIGNATURE '…'", "with that signature"),
    ("DENY 3 REASON 'no ticket'", "denies a request"),
    ("REVOKE 7", "ends a grant at once, open results included"),
    ("REVOKE ALL", "ends every grant but the standing ones"),
    ("REVOKE ALL FROM alice", "ends what was granted to her, or FROM GROUP support to it"),
    ("REVOKE ALL ON customers.email", "ends what shows it to anybody, or ON CLASS email IN shop"),
    ("REVIEW 7 REASON 'it was real'", "says that break-glass access was looked at"),
    ("KILL SESSION 12", "ends a session on the data port"),
    ("SHOW RESTRICTIONS", "who is suspended, or needs one approval more"),
    (
        "SUSPEND alice FOR '1 hour' REASON 'INC-42'",
        "no grant counts for her, standing ones included",
    ),
    ("LIFT alice", "gives her back what was taken; nobody lifts their own"),
    ("RELOAD", "reads configuration and catalog again"),
];

#[cfg(test)]
mod tests {
    use super::super::verb::Verb;
    use super::super::{Command, HELP_HINT, Probe, SELECT_HINT, SHOW_FORM, SyntaxError, Topic};
    use super::HELP;
    use crate::control::grammar::parse;

    fn one(text: &str) -> Command {
        let mut commands = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(commands.len(), 1, "{text}");
        commands.remove(0)
    }

    fn refused(text: &str) -> SyntaxError {
        parse(text).expect_err(text)
    }

    /// Every command is in SHOW HELP, and every example there is a command.
    #[test]
    fn the_help_has_every_command_and_its_examples_are_commands() {
        let examples: Vec<&str> = HELP.iter().map(|(example, _)| *example).collect();
        // What drivers send on their own, and what is refused whatever stands behind it.
        let silent = [Verb::Set, Verb::Select, Verb::Pause, Verb::Resume];
        for verb in Verb::ALL.into_iter().filter(|verb| !silent.contains(verb)) {
            let is_one = |example: &&&str| example.split(' ').next() == Some(verb.word());
            assert!(examples.iter().any(|example| is_one(&example)), "{}", verb.word());
        }
        for topic in Topic::ALL {
            assert!(
                examples.contains(&format!("SHOW {}", topic.word()).as_str()),
                "{}",
                topic.word()
            );
        }
        for (example, description) in HELP {
            assert!(!description.is_empty(), "{example}");
            // A form that leaves something out, and one with a signature, which cannot be made up.
            if !example.contains('…') {
                one(example);
            }
        }
        assert!(SHOW_FORM.starts_with("SHOW HELP"));
        for topic in Topic::ALL {
            assert!(SHOW_FORM.contains(topic.word()), "{}", topic.word());
        }
    }

    /// Each clause that the forms of GRANT and REQUEST know is shown by an example.
    #[test]
    fn the_help_shows_every_clause() {
        let help: String =
            HELP.iter().map(|(example, what)| format!("{example} {what}\n")).collect();
        for clause in [
            "READ",
            "LOOKUP",
            "WRITE",
            "EXPORT",
            "CLASS",
            "IN",
            "WHERE",
            "GROUP",
            "STARTING",
            "FIRST",
            "TICKET",
            "ROWS",
            "USES",
            "SUBJECTS",
            "UNUSED",
            "BREAK GLASS",
            "CODE",
            "SIGNATURE",
            "FROM",
        ] {
            assert!(help.contains(clause), "{clause}");
        }
    }

    #[test]
    fn what_was_meant_is_offered_ahead_of_the_form() {
        for (text, hint) in [
            ("SHWO GRANTS", "Did you mean SHOW? SHOW HELP lists the commands of this console."),
            ("aprove 3", "Did you mean APPROVE? SHOW HELP lists the commands of this console."),
            ("grants", "Did you mean SHOW GRANTS? SHOW HELP lists the commands of this console."),
            ("frobnicate", HELP_HINT),
            ("\"SHOW\" GRANTS", HELP_HINT),
        ] {
            assert_eq!(refused(text).hint, hint, "{text}");
        }
        let topic = refused("SHOW SESSION");
        assert!(
            topic.hint.starts_with("Did you mean SHOW SESSIONS? SHOW HELP | "),
            "{}",
            topic.hint
        );
        assert_eq!(topic.position, 6);
        assert_eq!(refused("SHOW weather").hint, SHOW_FORM);
    }

    /// As psql 15 asks while somebody presses the tab key, or types `\\d`.
    #[test]
    fn what_psql_asks_on_its_own_is_answered_or_refused_in_one_line() {
        let settings = "SELECT pg_catalog.lower(name) FROM pg_catalog.pg_settings\
                        \n WHERE pg_catalog.lower(name) LIKE pg_catalog.lower('GR%')\nLIMIT 1000";
        assert_eq!(one(settings), Command::Probe(Probe::Topics("gr".to_owned())));
        for lookup in [
            "SELECT n.nspname as \"Schema\", c.relname FROM pg_catalog.pg_class c",
            "SELECT d.datname FROM pg_catalog.pg_database d ORDER BY 1;",
            "SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c \
             WHERE c.relname LIKE 'cu%'",
        ] {
            let error = refused(lookup);
            assert_eq!(error.message, "the console has no tables to list", "{lookup}");
            assert!(error.hint.contains("data port"), "{}", error.hint);
        }
        assert_eq!(one("SELECT pg_catalog.version()"), Command::Probe(Probe::Version));
        assert_eq!(refused("SELECT email FROM customers").hint, SELECT_HINT);
    }
}
