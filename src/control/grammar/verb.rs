//! The words that begin a command, and which of them somebody may have meant.

use super::Topic;

/// The first word of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Show,
    Grant,
    Request,
    Extend,
    Cancel,
    Approve,
    Deny,
    Revoke,
    Review,
    Kill,
    Suspend,
    Lift,
    Reload,
    Pause,
    Resume,
    /// What drivers say on their own.
    Set,
    /// As it is.
    Select,
}

impl Verb {
    pub(super) const ALL: [Self; 17] = [
        Self::Show,
        Self::Grant,
        Self::Request,
        Self::Extend,
        Self::Cancel,
        Self::Approve,
        Self::Deny,
        Self::Revoke,
        Self::Review,
        Self::Kill,
        Self::Suspend,
        Self::Lift,
        Self::Reload,
        Self::Pause,
        Self::Resume,
        Self::Set,
        Self::Select,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Show => "SHOW",
            Self::Grant => "GRANT",
            Self::Request => "REQUEST",
            Self::Extend => "EXTEND",
            Self::Cancel => "CANCEL",
            Self::Approve => "APPROVE",
            Self::Deny => "DENY",
            Self::Revoke => "REVOKE",
            Self::Review => "REVIEW",
            Self::Kill => "KILL",
            Self::Suspend => "SUSPEND",
            Self::Lift => "LIFT",
            Self::Reload => "RELOAD",
            Self::Pause => "PAUSE",
            Self::Resume => "RESUME",
            Self::Set => "SET",
            Self::Select => "SELECT",
        }
    }

    /// `word` in upper case.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// What somebody may have meant by a first word that begins no command.
pub(super) fn meant(word: &str) -> Option<String> {
    let topic = Topic::ALL.into_iter().find(|topic| topic.word().eq_ignore_ascii_case(word));
    if let Some(topic) = topic {
        return Some(format!("SHOW {}", topic.word()));
    }
    nearest(word, Verb::ALL.into_iter().map(Verb::word)).map(str::to_owned)
}

/// What somebody may have meant by what stands behind SHOW.
pub(super) fn meant_topic(word: &str) -> Option<String> {
    let words = Topic::ALL.into_iter().map(Topic::word).chain(["CHALLENGE"]);
    nearest(word, words).map(|near| format!("SHOW {near}"))
}

/// The word with the fewest typos between it and `word`, if those are few.
fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word: Vec<char> = word.to_ascii_uppercase().chars().take(WORD_LEN_MAX).collect();
    let (typos, near) = words
        .map(|candidate| (typos(&word, &candidate.chars().collect::<Vec<_>>()), candidate))
        .min_by_key(|(typos, _)| *typos)?;
    // A third of its letters, and one of a short word.
    (typos <= (word.len() / 3).max(1)).then_some(near)
}

/// No command's word is nearly as long.
const WORD_LEN_MAX: usize = 32;

/// Letters to insert, leave out, replace or swap with their neighbour.
fn typos(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_counted_as_people_make_them() {
        let count = |a: &str, b: &str| {
            typos(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        for (a, b, expected) in [
            ("SHOW", "SHOW", 0),
            ("SHWO", "SHOW", 1),
            ("APROVE", "APPROVE", 1),
            ("REVOKEE", "REVOKE", 1),
            ("DENI", "DENY", 1),
            ("", "LIFT", 4),
            ("GRANT", "", 5),
        ] {
            assert_eq!(count(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn what_is_near_is_offered_and_nothing_else() {
        for (word, expected) in [
            ("shwo", Some("SHOW")),
            ("Aprove", Some("APPROVE")),
            ("revok", Some("REVOKE")),
            ("grants", Some("SHOW GRANTS")),
            ("help", Some("SHOW HELP")),
            ("frobnicate", None),
            ("x", None),
        ] {
            assert_eq!(meant(word).as_deref(), expected, "{word}");
        }
        assert_eq!(meant_topic("grant").as_deref(), Some("SHOW GRANTS"));
        assert_eq!(meant_topic("polices").as_deref(), Some("SHOW POLICIES"));
        assert_eq!(meant_topic("weather"), None);
        assert_eq!(meant(&"SHOW".repeat(10_000)), None);
    }
}
