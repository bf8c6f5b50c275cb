use super::{Condition, Literal, Operator};
use crate::model::quote_ident;

/// Whom the text is for.
#[derive(Clone, Copy)]
enum Style {
    People,
    Database,
}

/// The condition as people read it; it reads back as the same condition.
pub(super) fn shown(condition: &Condition) -> String {
    print(condition, Style::People)
}

/// The condition as SQL whose meaning no setting of a session can change.
pub(super) fn sql(condition: &Condition) -> String {
    format!("({})", print(condition, Style::Database))
}

fn print(condition: &Condition, style: Style) -> String {
    match condition {
        Condition::All(parts) => join(parts, " AND ", style),
        Condition::Any(parts) => join(parts, " OR ", style),
        Condition::Not(inner) => format!("NOT ({})", print(inner, style)),
        Condition::Compare { column, operator, literal } => {
            compare(column, *operator, literal, style)
        }
        Condition::In { column, literals } => match style {
            Style::People => {
                let list: Vec<_> = literals.iter().map(|l| print_literal(l, style)).collect();
                format!("{} IN ({})", quote_ident(column), list.join(", "))
            }
            Style::Database => {
                let equal = |literal| compare(column, Operator::Equal, literal, style);
                literals.iter().map(equal).collect::<Vec<_>>().join(" OR ")
            }
        },
        Condition::Between { column, low, high } => match style {
            Style::People => format!(
                "{} BETWEEN {} AND {}",
                quote_ident(column),
                print_literal(low, style),
                print_literal(high, style)
            ),
            Style::Database => format!(
                "{} AND {}",
                compare(column, Operator::GreaterOrEqual, low, style),
                compare(column, Operator::LessOrEqual, high, style)
            ),
        },
        Condition::Null { column } => format!("{} IS NULL", quote_ident(column)),
    }
}

/// Every part that is no plain comparison stands in parentheses.
fn join(parts: &[Condition], word: &str, style: Style) -> String {
    let part = |condition: &Condition| {
        let text = print(condition, style);
        let plain = match condition {
            Condition::Compare { .. } | Condition::Null { .. } | Condition::Not(_) => true,
            Condition::In { .. } | Condition::Between { .. } => matches!(style, Style::People),
            Condition::All(_) | Condition::Any(_) => false,
        };
        if plain { text } else { format!("({text})") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(word)
}

fn compare(column: &str, operator: Operator, literal: &Literal, style: Style) -> String {
    let symbol = match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
    };
    let column = quote_ident(column);
    let literal = print_literal(literal, style);
    match style {
        Style::People => format!("{column} {symbol} {literal}"),
        Style::Database => format!("{column} OPERATOR(pg_catalog.{symbol}) {literal}"),
    }
}

fn print_literal(literal: &Literal, style: Style) -> String {
    match (literal, style) {
        (Literal::Number(digits), Style::Database) if digits.starts_with('-') => {
            format!("({digits})")
        }
        (Literal::Number(digits), _) => digits.clone(),
        (Literal::Boolean(truth), _) => truth.to_string(),
        (Literal::Text(text), Style::People) => format!("'{}'", text.replace('\'', "''")),
        (Literal::Text(text), Style::Database) => quote_ascii(text),
    }
}

/// A string literal in ASCII, so that neither `standard_conforming_strings` nor a client encoding
/// in which a backslash can be half a character changes what it says.
fn quote_ascii(text: &str) -> String {
    let mut plain = true;
    let mut body = String::new();
    for c in text.chars() {
        match c {
            '\'' => body.push_str("''"),
            '\\' => {
                plain = false;
                body.push_str("\\\\");
            }
            ' '..='~' => body.push(c),
            wide => {
                plain = false;
                body.push_str(&format!("\\U{:08X}", u32::from(wide)));
            }
        }
    }
    if plain { format!("'{body}'") } else { format!("E'{body}'") }
}
