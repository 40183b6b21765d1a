//! Operators between two expressions.
//!
//! The one invariant: nothing on either side gives nothing, but where FHIRPath says otherwise (`and`, `or`, `implies`, `&`, `|`).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use fhirpath::Operator;

use super::collection::{Collection, Values};
use super::{Focus, NONE, booleans, evaluate, singles, texts};
use crate::decimal::Decimal;
use crate::error::Fault;
use crate::expression::Expression;
use crate::temporal::Moment;
use crate::types::Kind;

/// An operator's values.
pub(super) fn binary<'a>(
    operator: Operator,
    left: &'a Expression,
    right: &'a Expression,
    focus: &Focus<'a>,
    whole: &Expression,
) -> Result<Collection<'a>, Fault> {
    let (a, b) = (evaluate(left, focus)?, evaluate(right, focus)?);
    let n = focus.len;
    match operator {
        Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
            let pairs = booleans(&a, n, left.span)?.into_iter().zip(booleans(&b, n, right.span)?);
            Ok(Collection::booleans(pairs.map(|(a, b)| logic(operator, a, b))))
        }
        Operator::Equal | Operator::NotEqual | Operator::Equivalent | Operator::NotEquivalent => {
            let kind = kind_of(left, right);
            let negated = matches!(operator, Operator::NotEqual | Operator::NotEquivalent);
            let equivalent = matches!(operator, Operator::Equivalent | Operator::NotEquivalent);
            let answers = equal(&a, &b, n, kind, equivalent);
            Ok(Collection::booleans(answers.into_iter().map(|answer| answer.map(|is| is != negated))))
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let kind = kind_of(left, right);
            let (single_a, single_b) = (singles(&a, n, left.span)?, singles(&b, n, right.span)?);
            let pairs = single_a.into_iter().zip(single_b);
            Ok(Collection::booleans(pairs.map(|(x, y)| {
                if x == NONE || y == NONE {
                    return None;
                }
                let order = compare(&a.values, x as usize, &b.values, y as usize, kind)?;
                Some(match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            })))
        }
        Operator::In => Ok(membership(&a, &b, n, kind_of(left, right), left)?),
        Operator::Contains => Ok(membership(&b, &a, n, kind_of(right, left), right)?),
        Operator::Union => Ok(distinct(&a.and(b))),
        Operator::Concatenate => {
            let pairs = texts(&a, n, left.span)?.into_iter().zip(texts(&b, n, right.span)?);
            let text = |side: Option<&Cow<'a, str>>| side.map_or("", |text| text.as_ref()).to_owned();
            let values: Vec<_> = pairs.map(|(a, b)| Some(Cow::Owned(text(a) + &text(b)))).collect();
            Ok(Collection::texts(values))
        }
        _ => arithmetic(operator, &a, &b, focus, (left, right), whole),
    }
}

fn logic(operator: Operator, a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match operator {
        Operator::And if a == Some(false) || b == Some(false) => Some(false),
        Operator::Or if a == Some(true) || b == Some(true) => Some(true),
        Operator::Implies if a == Some(false) || b == Some(true) => Some(true),
        Operator::And => Some(a? && b?),
        Operator::Or => Some(a? || b?),
        Operator::Xor => Some(a? != b?),
        _ => Some(!a? || b?),
    }
}

/// The kind that two sides are compared as: what compares at all is held alike, numbers aside.
fn kind_of(left: &Expression, right: &Expression) -> Kind {
    left.of.kind().or(right.of.kind()).unwrap_or(Kind::String)
}

/// How two values compare; `None` where their precision does not say, or one is not what it should be.
fn compare(a: &Values<'_>, x: usize, b: &Values<'_>, y: usize, kind: Kind) -> Option<Ordering> {
    match (a, b) {
        (Values::Booleans(a), Values::Booleans(b)) => Some(a[x].cmp(&b[y])),
        (Values::Integers(a), Values::Integers(b)) => Some(a[x].cmp(&b[y])),
        (Values::Texts(a), Values::Texts(b)) => match kind {
            Kind::Date | Kind::DateTime => Moment::parse(&a[x])?.compare(Moment::parse(&b[y])?),
            Kind::Time => Moment::parse_time(&a[x])?.compare(Moment::parse_time(&b[y])?),
            Kind::Decimal | Kind::Integer => Decimal::parse(&a[x])?.compare(Decimal::parse(&b[y])?),
            _ => Some(a[x].cmp(&b[y])),
        },
        (Values::Quantities(a), Values::Quantities(b)) => a[x].compare(&b[y]),
        (Values::Integers(a), Values::Texts(b)) => Decimal::whole(a[x]).compare(Decimal::parse(&b[y])?),
        (Values::Texts(a), Values::Integers(b)) => Decimal::parse(&a[x])?.compare(Decimal::whole(b[y])),
        _ => None,
    }
}

/// Whether the values of both are equal, context by context, in their order.
fn equal(
    a: &Collection<'_>,
    b: &Collection<'_>,
    n: usize,
    kind: Kind,
    equivalent: bool,
) -> Vec<Option<bool>> {
    let (mut x, mut y) = (0, 0);
    let of = |counts: &Vec<u32>, context: usize| counts[context] as usize;
    let (counts_a, counts_b) = (a.counts(n), b.counts(n));
    (0..n)
        .map(|context| {
            let (from_a, from_b) = (x, y);
            let (count_a, count_b) = (of(&counts_a, context), of(&counts_b, context));
            (x, y) = (x + count_a, y + count_b);
            if count_a == 0 || count_b == 0 {
                return equivalent.then_some(count_a == count_b);
            }
            if count_a != count_b {
                return Some(false);
            }
            let mut answer = Some(true);
            for at in 0..count_a {
                let (x, y) = (from_a + at, from_b + at);
                let same = if equivalent {
                    Some(is_equivalent(&a.values, x, &b.values, y, kind))
                } else {
                    compare(&a.values, x, &b.values, y, kind).map(Ordering::is_eq)
                };
                match same {
                    Some(false) => return Some(false),
                    None => answer = None,
                    Some(true) => {}
                }
            }
            answer
        })
        .collect()
}

fn is_equivalent(a: &Values<'_>, x: usize, b: &Values<'_>, y: usize, kind: Kind) -> bool {
    match (a, b, kind) {
        (Values::Texts(a), Values::Texts(b), Kind::String) => {
            let words = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
            words(&a[x]) == words(&b[y])
        }
        (Values::Quantities(a), Values::Quantities(b), _) => a[x].is_equivalent(&b[y]),
        _ => compare(a, x, b, y, kind) == Some(Ordering::Equal),
    }
}

/// Whether the one value is among the others.
fn membership<'a>(
    one: &Collection<'a>,
    among: &Collection<'a>,
    n: usize,
    kind: Kind,
    place: &Expression,
) -> Result<Collection<'a>, Fault> {
    let one_of = singles(one, n, place.span)?;
    let mut found: Vec<Option<bool>> = one_of.iter().map(|at| (*at != NONE).then_some(false)).collect();
    for (position, context) in among.owner.iter().enumerate() {
        let at = one_of[*context as usize];
        if at != NONE
            && compare(&one.values, at as usize, &among.values, position, kind) == Some(Ordering::Equal)
        {
            found[*context as usize] = Some(true);
        }
    }
    Ok(Collection::booleans(found))
}

/// Each value once in each context. Values with elements have no equality here, and are all kept.
pub(super) fn distinct<'a>(of: &Collection<'a>) -> Collection<'a> {
    let mut seen = HashSet::new();
    let mut context = None;
    let mut is_new = |owner: u32, key: String| {
        if context != Some(owner) {
            context = Some(owner);
            seen.clear();
        }
        seen.insert(key)
    };
    match &of.values {
        Values::Booleans(values) => of.retain(|at, _| is_new(of.owner[at], values[at].to_string())),
        Values::Integers(values) => of.retain(|at, _| is_new(of.owner[at], values[at].to_string())),
        Values::Texts(values) => of.retain(|at, _| is_new(of.owner[at], values[at].to_string())),
        Values::Nodes(_) | Values::Quantities(_) | Values::Choices { .. } => of.clone(),
    }
}

/// A number, of either form.
fn decimals(of: &Collection<'_>, n: usize, place: &Expression) -> Result<Vec<Option<Decimal>>, Fault> {
    let single = singles(of, n, place.span)?;
    let value = |at: u32| {
        if at == NONE {
            return None;
        }
        match &of.values {
            Values::Integers(values) => Some(Decimal::whole(values[at as usize])),
            Values::Texts(values) => Decimal::parse(&values[at as usize]),
            _ => None,
        }
    };
    Ok(single.into_iter().map(value).collect())
}

fn arithmetic<'a>(
    operator: Operator,
    a: &Collection<'a>,
    b: &Collection<'a>,
    focus: &Focus<'a>,
    (left, right): (&Expression, &Expression),
    whole: &Expression,
) -> Result<Collection<'a>, Fault> {
    let n = focus.len;
    if operator == Operator::Add && whole.of.kind() == Some(Kind::String) {
        let pairs = texts(a, n, left.span)?.into_iter().zip(texts(b, n, right.span)?);
        let values: Vec<_> = pairs.map(|(a, b)| Some(Cow::Owned(format!("{}{}", a?, b?)))).collect();
        return Ok(Collection::texts(values));
    }
    let pairs = decimals(a, n, left)?.into_iter().zip(decimals(b, n, right)?);
    let results = pairs.map(|(a, b)| {
        let (a, b) = (a?, b?);
        match operator {
            Operator::Add => a.add(b),
            Operator::Subtract => a.add(b.negate()?),
            Operator::Multiply => a.multiply(b),
            Operator::Divide => a.divide(b),
            Operator::Div => Decimal::parse(&a.divide_whole(b)?.to_string()),
            _ => a.remainder(b),
        }
    });
    Ok(numbers_of(results, whole))
}

/// Numbers in the form of an expression's type.
pub(super) fn numbers_of<'a>(
    results: impl Iterator<Item = Option<Decimal>>,
    whole: &Expression,
) -> Collection<'a> {
    if whole.of.kind() == Some(Kind::Integer) {
        let values: Vec<_> = results.map(|result| i64::try_from(result?.truncate()).ok()).collect();
        return Collection::integers(values);
    }
    let values: Vec<_> = results.map(|result| Some(Cow::Owned(result?.to_string()))).collect();
    Collection::texts(values)
}

/// The numbers of a collection, value by value.
pub(super) fn each_decimal(values: &Values<'_>) -> Vec<Option<Decimal>> {
    (0..values.len())
        .map(|at| match values {
            Values::Integers(values) => Some(Decimal::whole(values[at])),
            Values::Texts(values) => Decimal::parse(&values[at]),
            _ => None,
        })
        .collect()
}
