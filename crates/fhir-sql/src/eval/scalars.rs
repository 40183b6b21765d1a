//! Functions of one text or number of each context.

use std::borrow::Cow;

use super::collection::{Collection, Values};
use super::operators::{each_decimal, numbers_of};
use super::{Focus, evaluate, integers, singles, texts};
use crate::decimal::Decimal;
use crate::error::Fault;
use crate::expression::{Expression, Function};
use crate::temporal::{date_boundary, date_time_boundary, time_boundary};
use crate::types::Kind;

/// A function of a text, with arguments.
pub(super) fn of_text<'a>(
    function: &'a Function,
    of: &Collection<'a>,
    arguments: &'a [Expression],
    focus: &Focus<'a>,
    whole: &Expression,
) -> Result<Collection<'a>, Fault> {
    let n = focus.len;
    let values = texts(of, n, whole.span)?;
    if matches!(function, Function::Substring) {
        return substring(&values, arguments, focus);
    }
    let mut given = Vec::new();
    for argument in arguments {
        let found = evaluate(argument, focus)?;
        let found = texts(&found, n, argument.span)?;
        given.push(found.into_iter().map(|text| text.map(|text| text.to_string())).collect::<Vec<_>>());
    }
    let argument = |position: usize, context: usize| given.get(position)?[context].as_deref();
    let contexts = || values.iter().enumerate();
    Ok(match function {
        Function::Matches(Some(pattern)) => Collection::booleans(
            values.iter().map(|text| Some(pattern.is_match(text.as_ref()?))).collect::<Vec<_>>(),
        ),
        Function::StartsWith | Function::EndsWith | Function::Contains => {
            let holds = |(at, text): (usize, &Option<&Cow<'a, str>>)| {
                let (text, part) = (text.as_ref()?, argument(0, at)?);
                Some(match function {
                    Function::StartsWith => text.starts_with(part),
                    Function::EndsWith => text.ends_with(part),
                    _ => text.contains(part),
                })
            };
            Collection::booleans(contexts().map(holds).collect::<Vec<_>>())
        }
        Function::IndexOf => {
            let found = |(at, text): (usize, &Option<&Cow<'a, str>>)| {
                let (text, part) = (text.as_ref()?, argument(0, at)?);
                let position = text.find(part).map(|at| text[..at].chars().count());
                Some(position.and_then(|position| i64::try_from(position).ok()).unwrap_or(-1))
            };
            Collection::integers(contexts().map(found).collect::<Vec<_>>())
        }
        Function::Replace => {
            let replaced = |(at, text): (usize, &Option<&Cow<'a, str>>)| {
                let text = text.as_ref()?.replace(argument(0, at)?, argument(1, at)?);
                Some(Cow::Owned(text))
            };
            Collection::texts(contexts().map(replaced).collect::<Vec<_>>())
        }
        _ => Collection::empty(),
    })
}

fn substring<'a>(
    values: &[Option<&Cow<'a, str>>],
    arguments: &'a [Expression],
    focus: &Focus<'a>,
) -> Result<Collection<'a>, Fault> {
    let mut given = Vec::new();
    for argument in arguments {
        given.push(integers(&evaluate(argument, focus)?, focus.len, argument.span)?);
    }
    let part = |(at, text): (usize, &Option<&Cow<'a, str>>)| {
        let text = text.as_ref()?;
        let start = usize::try_from(given.first()?[at]?).ok()?;
        let count = match given.get(1).and_then(|count| count[at]) {
            Some(count) => usize::try_from(count).unwrap_or(0),
            None => usize::MAX,
        };
        let part: String = text.chars().skip(start).take(count).collect();
        (start < text.chars().count()).then_some(Cow::Owned(part))
    };
    Ok(Collection::texts(values.iter().enumerate().map(part).collect::<Vec<_>>()))
}

/// A function of a value, without arguments.
pub(super) fn of_value<'a>(
    function: &Function,
    of: &Collection<'a>,
    n: usize,
    whole: &Expression,
) -> Result<Collection<'a>, Fault> {
    singles(of, n, whole.span)?;
    let made = match function {
        Function::Abs | Function::Round | Function::Ceiling | Function::Floor | Function::Truncate => {
            let values = each_decimal(&of.values).into_iter().map(|value| rounded(function, value?));
            numbers_of(values, whole)
        }
        Function::Boundary { high, kind } => boundary(*high, *kind, &of.values),
        Function::ToText => Collection::texts(as_texts(&of.values)),
        Function::ToInteger => {
            let whole = |text: Cow<'a, str>| match &*text {
                "true" => Some(1),
                "false" => Some(0),
                text => text.parse().ok(),
            };
            Collection::integers(as_texts(&of.values).into_iter().map(|text| text.and_then(whole)))
        }
        Function::ToDecimal => {
            let number = |text: Cow<'a, str>| match &*text {
                "true" => Some(Cow::Borrowed("1.0")),
                "false" => Some(Cow::Borrowed("0.0")),
                literal => Decimal::parse(literal).map(|_| text),
            };
            Collection::texts(as_texts(&of.values).into_iter().map(|text| text.and_then(number)))
        }
        Function::Length => {
            let length = |text: Cow<'a, str>| i64::try_from(text.chars().count()).ok();
            Collection::integers(as_texts(&of.values).into_iter().map(|text| text.and_then(length)))
        }
        _ => {
            let changed = |text: Cow<'a, str>| {
                Cow::Owned(match function {
                    Function::Upper => text.to_uppercase(),
                    Function::Lower => text.to_lowercase(),
                    _ => text.trim().to_owned(),
                })
            };
            Collection::texts(as_texts(&of.values).into_iter().map(|text| text.map(changed)))
        }
    };
    // What was made has the places of the values, or fewer of them.
    Ok(made.within(&of.owner))
}

fn rounded(function: &Function, value: Decimal) -> Option<Decimal> {
    let whole = |value: i128| Decimal::parse(&value.to_string());
    match function {
        Function::Abs if value.is_negative() => value.negate(),
        Function::Abs => Some(value),
        Function::Round => value.round(0),
        Function::Floor => whole(value.floor()),
        Function::Ceiling => whole(-value.negate()?.floor()),
        _ => whole(value.truncate()),
    }
}

fn boundary<'a>(high: bool, kind: Kind, values: &Values<'a>) -> Collection<'a> {
    if kind.is_number() {
        let bounds = each_decimal(values).into_iter();
        return Collection::texts(bounds.map(|value| Some(Cow::Owned(value?.boundary(high)?.to_string()))));
    }
    let Values::Texts(values) = values else { return Collection::empty() };
    let bound = |text: &str| match kind {
        Kind::Date => date_boundary(text, high),
        Kind::DateTime => date_time_boundary(text, high),
        _ => time_boundary(text, high),
    };
    Collection::texts(values.iter().map(|text| bound(text).map(Cow::Owned)))
}

fn as_texts<'a>(values: &Values<'a>) -> Vec<Option<Cow<'a, str>>> {
    match values {
        Values::Booleans(values) => values.iter().map(|value| Some(Cow::Owned(value.to_string()))).collect(),
        Values::Integers(values) => values.iter().map(|value| Some(Cow::Owned(value.to_string()))).collect(),
        Values::Texts(values) => values.iter().cloned().map(Some).collect(),
        _ => vec![None; values.len()],
    }
}
