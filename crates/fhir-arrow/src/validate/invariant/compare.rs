//! Whether values are equal, and which is the smaller one (<http://hl7.org/fhirpath/N1/#equality>).

use std::borrow::Cow;
use std::cmp::Ordering;

use super::Undetermined;
use super::collection::{Collection, Item};
use super::node::{Node, NodeKind};
use crate::json::{Kind, Value};
use crate::parse_range;

use super::super::format::Primitive;

/// Whether two values are equal.
pub(super) fn equal(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left.scalar(), right.scalar()) {
        (Some(Item::Boolean(left)), Some(Item::Boolean(right))) => left == right,
        (Some(Item::Number(left)), Some(Item::Number(right))) => left == right,
        (Some(Item::Text(left)), Some(Item::Text(right))) => left == right,
        (Some(Item::Moment(left)), Some(Item::Moment(right))) => left == right,
        (None, None) => match (left, right) {
            (Item::Node(Node { value: Some(left), .. }), Item::Node(Node { value: Some(right), .. })) => {
                equal_json(*left, *right)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether two JSON values are the same but for the order of members and the spelling of strings.
fn equal_json(left: Value<'_>, right: Value<'_>) -> bool {
    if left.raw() == right.raw() {
        return true;
    }
    match (left.kind(), right.kind()) {
        (Kind::Object, Kind::Object) => {
            left.members().count() == right.members().count()
                && left.members().all(|(key, value)| {
                    right.member(&key.name()).is_some_and(|other| equal_json(value, other))
                })
        }
        (Kind::Array, Kind::Array) => {
            left.elements().count() == right.elements().count()
                && left.elements().zip(right.elements()).all(|(left, right)| equal_json(left, right))
        }
        (Kind::String, Kind::String) => left.string().is_some() && left.string() == right.string(),
        _ => false,
    }
}

/// Whether the collections are equal; `None` if one of them is empty.
pub(super) fn equal_collections(left: &Collection<'_>, right: &Collection<'_>) -> Option<bool> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    Some(left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| equal(left, right)))
}

/// Whether all values are different.
pub(super) fn is_distinct(items: &[Item<'_>]) -> bool {
    // What may be many are texts: the ids of a questionnaire, the addresses of a Bundle.
    let texts: Option<Vec<Cow<'_, str>>> = items.iter().map(Item::text).collect();
    match texts {
        Some(mut texts) => {
            texts.sort_unstable();
            texts.array_windows::<2>().all(|[first, second]| first != second)
        }
        None => (1..items.len()).all(|at| !contains(&items[..at], &items[at])),
    }
}

pub(super) fn contains(items: &[Item<'_>], item: &Item<'_>) -> bool {
    items.iter().any(|other| equal(other, item))
}

/// How two values are ordered; `None` if that cannot be said, as of 2024 and 2024-05.
pub(super) fn order(left: &Item<'_>, right: &Item<'_>) -> Result<Option<Ordering>, Undetermined> {
    if let (Some(left), Some(right)) = (span(left), span(right)) {
        return Ok(order_spans(left, right));
    }
    match (left.scalar(), right.scalar()) {
        (Some(Item::Number(left)), Some(Item::Number(right))) => Ok(left.partial_cmp(&right)),
        (Some(Item::Text(left)), Some(Item::Text(right))) => Ok(Some(left.cmp(&right))),
        (None, None) => order_quantities(left, right),
        // Values of different types, or a primitive without value.
        _ => Err(Undetermined),
    }
}

/// The first and the last microsecond of a date, and how precise its text is.
fn span(item: &Item<'_>) -> Option<(i64, i64, usize)> {
    match item {
        Item::Moment(moment) => Some((*moment, *moment, SECONDS)),
        Item::Node(Node { kind: NodeKind::Primitive(primitive, _), .. }) => {
            if !matches!(primitive, Primitive::Date | Primitive::DateTime | Primitive::Instant) {
                return None;
            }
            let text = item.text()?;
            let (first, last) = parse_range(&text)?;
            Some((first, last, text.len().min(SECONDS)))
        }
        _ => None,
    }
}

/// The precision of all texts with seconds: fractions of them do not count.
const SECONDS: usize = "2024-05-01T12:00:00".len();

fn order_spans(left: (i64, i64, usize), right: (i64, i64, usize)) -> Option<Ordering> {
    let ((left_first, left_last, left_precision), (right_first, right_last, right_precision)) = (left, right);
    if left_precision == right_precision {
        return Some(left_first.cmp(&right_first));
    }
    if left_last < right_first {
        return Some(Ordering::Less);
    }
    (right_last < left_first).then_some(Ordering::Greater)
}

/// Quantities of one unit are ordered by their values. Units are not converted.
fn order_quantities(left: &Item<'_>, right: &Item<'_>) -> Result<Option<Ordering>, Undetermined> {
    let quantity = |item: &Item<'_>| match item {
        Item::Node(Node { value: Some(value), kind: NodeKind::Object(rules), .. })
            if rules.element_names.get("comparator").is_some() =>
        {
            let number = value.member("value").and_then(|value| value.raw().parse::<f64>().ok())?;
            let text = |name: &str| value.member(name).and_then(Value::string).map(Cow::into_owned);
            let unit = text("code")
                .map(|code| (text("system"), code))
                .or_else(|| text("unit").map(|unit| (None, unit)));
            Some((number, unit))
        }
        _ => None,
    };
    match (quantity(left), quantity(right)) {
        (Some((left, left_unit)), Some((right, right_unit))) if left_unit == right_unit => {
            Ok(left.partial_cmp(&right))
        }
        _ => Err(Undetermined),
    }
}
