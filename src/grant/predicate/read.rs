use std::collections::HashMap;

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value, ValueWithSpan};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Condition, Literal, Operator, PredicateError, TEXT_BYTES_MAX, literal};
use crate::schema::ValueType;

/// How deep parentheses and operators may nest while parsing; bounds the stack.
const NESTING_MAX: usize = 40;

type Columns = HashMap<String, ValueType>;

pub(super) fn condition(text: &str, columns: &Columns) -> Result<Condition, PredicateError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(PredicateError::Length);
    }
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(NESTING_MAX)
        .try_with_sql(text)
        .map_err(|_| PredicateError::Syntax)?;
    let expr = parser.parse_expr().map_err(|_| PredicateError::Syntax)?;
    if parser.peek_token().token != Token::EOF {
        return Err(PredicateError::Syntax);
    }
    read(&expr, columns)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is refused")]
fn read(expr: &Expr, columns: &Columns) -> Result<Condition, PredicateError> {
    match expr {
        Expr::Nested(inner) => read(inner, columns),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(read(expr, columns)?.negated()),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut parts = Vec::new();
            for side in [left, right] {
                match read(side, columns)? {
                    Condition::All(more) => parts.extend(more),
                    one => parts.push(one),
                }
            }
            Ok(Condition::All(parts))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let mut parts = Vec::new();
            for side in [left, right] {
                match read(side, columns)? {
                    Condition::Any(more) => parts.extend(more),
                    one => parts.push(one),
                }
            }
            Ok(Condition::Any(parts))
        }
        Expr::BinaryOp { left, op, right } => compare(left, op, right, columns),
        Expr::InList { expr, list, negated } => {
            let (column, value) = column(expr, columns)?;
            let literals =
                list.iter().map(|item| literal(item, &column, value)).collect::<Result<_, _>>()?;
            let within = Condition::In { column, literals };
            Ok(if *negated { within.negated() } else { within })
        }
        Expr::Between { expr, negated, low, high } => {
            let (column, value) = column(expr, columns)?;
            let low = literal(low, &column, value)?;
            let high = literal(high, &column, value)?;
            let between = Condition::Between { column, low, high };
            Ok(if *negated { between.negated() } else { between })
        }
        Expr::IsNull(inner) => Ok(Condition::Null { column: column(inner, columns)?.0 }),
        Expr::IsNotNull(inner) => {
            Ok(Condition::Null { column: column(inner, columns)?.0 }.negated())
        }
        other => Err(PredicateError::Form(what(other))),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is refused")]
fn compare(
    left: &Expr,
    operator: &BinaryOperator,
    right: &Expr,
    columns: &Columns,
) -> Result<Condition, PredicateError> {
    let operator = match operator {
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::NotEqual,
        BinaryOperator::Lt => Operator::Less,
        BinaryOperator::LtEq => Operator::LessOrEqual,
        BinaryOperator::Gt => Operator::Greater,
        BinaryOperator::GtEq => Operator::GreaterOrEqual,
        _ => return Err(PredicateError::Form("other operators")),
    };
    let (name, other, operator) = if matches!(left, Expr::Identifier(_)) {
        (left, right, operator)
    } else {
        (right, left, operator.turned())
    };
    let (column, value) = column(name, columns)?;
    let literal = literal(other, &column, value)?;
    Ok(Condition::Compare { column, operator, literal })
}

/// A plain column of the relation, by its own name.
fn column<'c>(
    expr: &Expr,
    columns: &'c Columns,
) -> Result<(String, &'c ValueType), PredicateError> {
    let Expr::Identifier(ident) = expr else {
        return Err(PredicateError::Form(what(expr)));
    };
    let name = fold(ident)?;
    match columns.get(&name) {
        Some(value) => Ok((name, value)),
        None => Err(PredicateError::Column(name)),
    }
}

/// The identifier as PostgreSQL stores it.
fn fold(ident: &Ident) -> Result<String, PredicateError> {
    match ident.quote_style {
        None => Ok(ident.value.to_ascii_lowercase()),
        Some('"') => Ok(ident.value.clone()),
        Some(_) => Err(PredicateError::Syntax),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is refused")]
fn literal(expr: &Expr, column: &str, value: &ValueType) -> Result<Literal, PredicateError> {
    let written = match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match &**expr {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => {
                Literal::Number(format!("-{digits}"))
            }
            other => return Err(PredicateError::Form(what(other))),
        },
        Expr::Value(ValueWithSpan { value: written, .. }) => match written {
            Value::Number(digits, _) => Literal::Number(digits.clone()),
            Value::SingleQuotedString(text) => Literal::Text(text.clone()),
            Value::Boolean(truth) => Literal::Boolean(*truth),
            Value::Null => return Err(PredicateError::Form("comparison with NULL (use IS NULL)")),
            Value::Placeholder(_) => return Err(PredicateError::Form("parameters")),
            _ => return Err(PredicateError::Form("other kinds of literals")),
        },
        other => return Err(PredicateError::Form(what(other))),
    };
    literal::settle(written, column, value)
}

/// The name of a form that is refused.
#[expect(clippy::wildcard_enum_match_arm, reason = "only words for a message")]
fn what(expr: &Expr) -> &'static str {
    match expr {
        Expr::Function(_) => "functions",
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => "subqueries",
        Expr::Cast { .. } | Expr::TypedString { .. } => "casts",
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => "names with dots",
        Expr::Identifier(_) => "bare columns (compare them with a literal)",
        Expr::Value(_) => "bare literals",
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } => "patterns",
        _ => "other expressions",
    }
}

impl Condition {
    fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}

impl Operator {
    /// The operator with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
