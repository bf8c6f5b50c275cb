//! What a `?` is, from what stands around it.

use super::Spelling;

/// What a hole stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before<'a> {
    /// A value: what follows is no constant.
    Value,
    /// A word that may be a column, and then is a value, or a type, as in `interval '1 day'`.
    Word(&'a str),
    /// `(` behind a word, as in `varchar(20)`.
    Within(&'a str),
    /// `@`, of which the hole may be a part: `data @? '$.a'`.
    At,
    Operator,
}

/// Words behind which a value comes, or a constant of their type.
const INTRODUCE: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "between",
    "by",
    "call",
    "case",
    "comment",
    "date",
    "default",
    "delimiter",
    "distinct",
    "do",
    "else",
    "encoding",
    "escape",
    "except",
    "execute",
    "exists",
    "from",
    "header",
    "having",
    "ilike",
    "in",
    "interval",
    "is",
    "language",
    "like",
    "limit",
    "not",
    "notify",
    "null",
    "offset",
    "on",
    "or",
    "password",
    "quote",
    "return",
    "returning",
    "select",
    "set",
    "similar",
    "symmetric",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "to",
    "uescape",
    "union",
    "until",
    "using",
    "values",
    "when",
    "where",
    "with",
    "zone",
];

/// Words behind which a number comes, and nothing else does.
const COUNT: &[&str] = &[
    "absolute",
    "backward",
    "by",
    "cache",
    "first",
    "forward",
    "increment",
    "limit",
    "maxvalue",
    "minvalue",
    "next",
    "offset",
    "prior",
    "relative",
    "restart",
    "start",
];

/// Words that end what came before, so that a constant may stand before them.
const FOLLOW: &[&str] = &[
    "and",
    "as",
    "asc",
    "at",
    "between",
    "collate",
    "cross",
    "day",
    "delimiter",
    "desc",
    "else",
    "end",
    "escape",
    "except",
    "fetch",
    "for",
    "from",
    "full",
    "group",
    "having",
    "hour",
    "ilike",
    "in",
    "inner",
    "intersect",
    "is",
    "isnull",
    "join",
    "language",
    "left",
    "like",
    "limit",
    "minute",
    "month",
    "not",
    "notnull",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "overlaps",
    "preceding",
    "following",
    "returning",
    "right",
    "row",
    "rows",
    "second",
    "similar",
    "then",
    "to",
    "union",
    "using",
    "when",
    "where",
    "window",
    "with",
    "year",
];

/// Types whose length stands in brackets behind their names.
const SIZED: &[&str] = &[
    "bit",
    "char",
    "character",
    "dec",
    "decimal",
    "float",
    "interval",
    "numeric",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "varbit",
    "varchar",
    "varying",
];

fn is_among(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The word that the text ends with.
pub(super) fn last_word(text: &str) -> &str {
    let start = text.char_indices().rev().take_while(|(_, c)| is_word(*c)).last();
    start.map_or("", |(at, _)| &text[at..])
}

impl<'a> Before<'a> {
    /// `hole`: how the hole right before is spelled, if there is one.
    pub(super) fn of(text: &'a str, hole: Option<Spelling>) -> Self {
        if text.ends_with('@') {
            return Self::At;
        }
        let text = text.trim_end();
        match (hole, text.chars().next_back()) {
            (Some(Spelling::Text | Spelling::Number), _) => Self::Value,
            (Some(Spelling::Operator), _) | (None, None) => Self::Operator,
            (None, Some(')' | ']' | '"')) => Self::Value,
            (None, Some('(')) => Self::Within(last_word(text[..text.len() - 1].trim_end())),
            (None, Some(c)) if is_word(c) => match last_word(text) {
                parameter if parameter.starts_with('$') => Self::Value,
                word => Self::Word(word),
            },
            (None, Some(_)) => Self::Operator,
        }
    }

    pub(super) fn guess(self, behind: &str) -> Spelling {
        let next = behind.trim_start().chars().next();
        let word: String = behind.trim_start().chars().take_while(|c| is_word(*c)).collect();
        // What a value would follow is an operator.
        let value_follows = match next {
            Some('?' | '(' | '"' | '$') => true,
            Some(c) if is_word(c) => !is_among(FOLLOW, &word),
            Some(_) | None => false,
        };
        let operator_goes_on = matches!(behind.chars().next(), Some('|' | '&' | '#' | '-'));
        match self {
            Self::Value => Spelling::Operator,
            Self::Word(word) if is_among(COUNT, word) => Spelling::Number,
            Self::Word(word) if is_among(INTRODUCE, word) => Spelling::Text,
            Self::Word(_) if value_follows || operator_goes_on => Spelling::Operator,
            Self::At if value_follows => Spelling::Operator,
            Self::Within(word) if is_among(SIZED, word) => Spelling::Number,
            Self::Word(_) | Self::Within(_) | Self::At | Self::Operator => Spelling::Text,
        }
    }
}
