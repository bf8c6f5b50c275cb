//! Why, in sentences that hold no value of the column.

use std::fmt;

use crate::discovery::Kind;

/// Displays as a sentence without a value of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A word of the column's name, or of the path's last key.
    Name {
        kind: Kind,
        words: String,
    },
    /// The same of a comment, of the name of the column's type, of a constraint.
    Comment {
        kind: Kind,
        words: String,
    },
    Type(String),
    Constraint(Kind),
    /// The column is called "name", and the table is one of persons.
    NameOfPerson {
        words: String,
    },
    /// Other columns of the table have what persons have.
    Siblings(String),
    /// Values that fit, of those that were seen.
    Values {
        kind: Kind,
        matched: u64,
        seen: u64,
    },
    /// Numbers of a scheme whose check digits hold, of those that have its form.
    CheckDigits {
        what: &'static str,
        valid: u64,
        shaped: u64,
    },
    /// More than one country's check digits hold.
    Ambiguous,
    /// Dates spread over so many decades as those of persons' births do.
    Decades(usize),
    /// Personal data within longer texts.
    Within {
        what: &'static str,
        matched: u64,
        seen: u64,
    },
    /// What the name says, the values are not.
    ValuesDoNotFit(Kind),
    /// The name is one of things: their numbers and names look like persons'.
    Thing {
        words: String,
    },
    /// Numbers that follow each other.
    Sequence,
    /// A few labels again and again.
    Few,
    Companies {
        matched: u64,
        seen: u64,
    },
    ForeignKey {
        table: String,
    },
    NoValue,
    /// Numbers in a table in which nothing says whose they are.
    Nobodys,
    Second(Kind),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { kind, words } => {
                write!(f, "the name says {} (\"{words}\")", kind.plural())
            }
            Self::Comment { kind, words } => {
                write!(f, "the comment speaks of {} (\"{words}\")", kind.plural())
            }
            Self::Type(name) => write!(f, "the type is {name}"),
            Self::Constraint(kind) => {
                write!(f, "a check constraint describes {}", kind.plural())
            }
            Self::NameOfPerson { words } => {
                write!(f, "a name, and \"{words}\" says that it is a person's")
            }
            Self::Siblings(names) => {
                write!(f, "other columns of the table are what persons have ({names})")
            }
            Self::Values { kind, matched, seen } => {
                write!(f, "{matched} of {seen} values are {}", kind.plural())
            }
            Self::CheckDigits { what, valid, shaped } => {
                write!(f, "check digits hold for {valid} of {shaped} values that look like {what}")
            }
            Self::Ambiguous => f.write_str("numbers of several countries look like this"),
            Self::Decades(count) => {
                write!(f, "the dates spread over {count} decades, as births do")
            }
            Self::Within { what, matched, seen } => {
                write!(f, "{matched} of {seen} texts contain {what}")
            }
            Self::ValuesDoNotFit(kind) => {
                write!(f, "but most values are no {}", kind.plural())
            }
            Self::Thing { words } => {
                write!(f, "but the name speaks of things (\"{words}\")")
            }
            Self::Sequence => f.write_str("but the numbers follow each other"),
            Self::Few => f.write_str("but the same few values come again and again"),
            Self::Companies { matched, seen } => {
                write!(f, "but {matched} of {seen} values are names of companies")
            }
            Self::ForeignKey { table } => {
                write!(f, "but it is a foreign key: what it says is in {table}")
            }
            Self::NoValue => f.write_str("no value was seen: by its name only"),
            Self::Nobodys => f.write_str("but nothing in the table says whose"),
            Self::Second(kind) => {
                write!(f, "but {} explain the column better", kind.plural())
            }
        }
    }
}
