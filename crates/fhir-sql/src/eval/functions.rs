//! Functions of a collection.
//!
//! The one invariant: a function of one value of a context (a text, a number) refuses several, and of none gives none.

use std::borrow::Cow;

use super::collection::{Collection, Values};
use super::{
    Focus, booleans, element, evaluate, integers, json, operators, quantities, scalars, singles, texts,
};
use crate::error::Fault;
use crate::expression::{Expression, Function};
use crate::types::Kind;

/// A function's values.
pub(super) fn call<'a>(
    function: &'a Function,
    of: Collection<'a>,
    arguments: &'a [Expression],
    focus: &Focus<'a>,
    whole: &Expression,
) -> Result<Collection<'a>, Fault> {
    let n = focus.len;
    match function {
        Function::Exists => Ok(from_counts(&of, n, |count| count > 0)),
        Function::Empty => Ok(from_counts(&of, n, |count| count == 0)),
        Function::Not => {
            let values = booleans(&of, n, whole.span)?;
            Ok(Collection::booleans(values.into_iter().map(|value| Some(!value?))))
        }
        Function::Count => Ok(Collection::integers(of.counts(n).into_iter().map(|n| Some(i64::from(n))))),
        Function::First => Ok(of.retain(|_, position| position == 0)),
        Function::Tail => Ok(of.retain(|_, position| position > 0)),
        Function::Last => {
            let counts = of.counts(n);
            Ok(of.retain(|at, position| position + 1 == i64::from(counts[of.owner[at] as usize])))
        }
        Function::Single => {
            singles(&of, n, whole.span)?;
            Ok(of)
        }
        Function::Skip | Function::Take | Function::At => by_position(function, &of, arguments, focus),
        Function::Distinct => Ok(operators::distinct(&of)),
        Function::IsDistinct => {
            let counts = operators::distinct(&of).counts(n);
            Ok(Collection::booleans(counts.into_iter().zip(of.counts(n)).map(|(a, b)| Some(a == b))))
        }
        Function::AllTrue => Ok(every(&of, n, true, true)),
        Function::AllFalse => Ok(every(&of, n, false, true)),
        Function::AnyTrue => Ok(every(&of, n, false, false)),
        Function::AnyFalse => Ok(every(&of, n, true, false)),
        Function::Negate => {
            singles(&of, n, whole.span)?;
            let negated = operators::each_decimal(&of.values).into_iter().map(|value| value?.negate());
            Ok(operators::numbers_of(negated, whole).within(&of.owner))
        }
        Function::Join => join(&of, arguments, focus),
        Function::OfQuantity => Ok(quantities::of_fhir(&of)),
        Function::ToQuantity => {
            singles(&of, n, whole.span)?;
            Ok(quantities::of_scalars(&of))
        }
        Function::ReferenceKey(of_type) => Ok(reference_key(&of, of_type.as_deref())),
        Function::ResourceOfType(name) => Ok(match &of.values {
            Values::Nodes(nodes) => of.retain(|at, _| {
                let found = json::member(nodes.json(at), "resourceType");
                json::scalar(found).is_some_and(|found| found == *name)
            }),
            _ => Collection::empty(),
        }),
        Function::Matches(_)
        | Function::StartsWith
        | Function::EndsWith
        | Function::Contains
        | Function::IndexOf
        | Function::Substring
        | Function::Replace => scalars::of_text(function, &of, arguments, focus, whole),
        _ => scalars::of_value(function, &of, n, whole),
    }
}

fn from_counts<'a>(of: &Collection<'_>, n: usize, is: impl Fn(u32) -> bool) -> Collection<'a> {
    Collection::booleans(of.counts(n).into_iter().map(|count| Some(is(count))))
}

/// `all`: whether no value of a context is other than `wanted`; else whether some value is other than `wanted`.
fn every<'a>(of: &Collection<'_>, n: usize, wanted: bool, all: bool) -> Collection<'a> {
    let mut answers = vec![all; n];
    if let Values::Booleans(values) = &of.values {
        for (value, context) in values.iter().zip(&of.owner) {
            if *value != wanted {
                answers[*context as usize] = !all;
            }
        }
    }
    Collection::booleans(answers.into_iter().map(Some))
}

fn by_position<'a>(
    function: &Function,
    of: &Collection<'a>,
    arguments: &'a [Expression],
    focus: &Focus<'a>,
) -> Result<Collection<'a>, Fault> {
    let [argument] = arguments else { return Ok(Collection::empty()) };
    let wanted = integers(&evaluate(argument, focus)?, focus.len, argument.span)?;
    Ok(of.retain(|at, position| match (function, wanted[of.owner[at] as usize]) {
        (Function::Skip, Some(count)) => position >= count,
        (Function::Take, Some(count)) => position < count,
        (_, Some(wanted)) => position == wanted,
        (_, None) => false,
    }))
}

fn join<'a>(
    of: &Collection<'a>,
    arguments: &'a [Expression],
    focus: &Focus<'a>,
) -> Result<Collection<'a>, Fault> {
    let none = Vec::new();
    let values = if let Values::Texts(values) = &of.values { values } else { &none };
    let separators = match arguments {
        [argument] => {
            let separators = evaluate(argument, focus)?;
            let of = texts(&separators, focus.len, argument.span)?;
            of.into_iter().map(|text| text.map(|text| text.to_string())).collect()
        }
        _ => vec![None; focus.len],
    };
    let mut joined: Vec<Option<Cow<'a, str>>> = vec![None; focus.len];
    for (value, context) in values.iter().zip(&of.owner) {
        let context = *context as usize;
        match &mut joined[context] {
            Some(text) => {
                let text = text.to_mut();
                text.push_str(separators[context].as_deref().unwrap_or_default());
                text.push_str(value);
            }
            none => *none = Some(value.clone()),
        }
    }
    // The suite has it so: nothing joined is an empty text.
    Ok(Collection::texts(joined.into_iter().map(|text| Some(text.unwrap_or_default()))))
}

/// The ids that References refer to: as the table has resolved them, or else as they say it themselves.
fn reference_key<'a>(of: &Collection<'a>, of_type: Option<&str>) -> Collection<'a> {
    let Values::Nodes(nodes) = &of.values else { return Collection::empty() };
    let parents = Collection { owner: super::numbers(nodes.len()), values: of.values.clone() };
    let text = |name: &str| element::texts(&parents, name, Kind::String);
    let (ids, types) = (text("__reference_id"), text("__reference_type"));
    let written = if nodes.json.is_empty() { vec![None; nodes.len()] } else { text("reference") };
    let resolved = ids.into_iter().zip(types).zip(written);
    let keys = resolved.map(|((id, resource_type), written)| {
        let (id, resource_type) = match (id, written) {
            (Some(id), _) => (id, resource_type),
            (None, Some(written)) => relative(&written)?,
            (None, None) => return None,
        };
        (of_type.is_none() || of_type == resource_type.as_deref()).then_some(id)
    });
    Collection::texts(keys.collect::<Vec<_>>()).within(&of.owner)
}

/// The id and type of a relative reference: `Patient/p1`, `Patient/p1/_history/2`.
fn relative<'a>(reference: &str) -> Option<(Cow<'a, str>, Option<Cow<'a, str>>)> {
    let mut parts = reference.split('/');
    let (resource_type, id) = (parts.next()?, parts.next()?);
    let named = resource_type.starts_with(|first: char| first.is_ascii_uppercase())
        && resource_type.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let versioned = match parts.next() {
        None => true,
        Some(history) => history == "_history" && parts.next().is_some() && parts.next().is_none(),
    };
    (named && versioned && !id.is_empty() && !id.contains(['?', '#', '|']))
        .then(|| (Cow::Owned(id.to_owned()), Some(Cow::Owned(resource_type.to_owned()))))
}
