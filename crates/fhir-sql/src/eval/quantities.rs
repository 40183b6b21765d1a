//! FHIRPath's quantities, out of those of FHIR, and out of texts and numbers
//! (<http://hl7.org/fhir/R4/fhirpath.html#quantity>).
//!
//! The one invariant: a Quantity with a comparator is no point on a scale, and is no quantity here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::collection::{Collection, Values};
use super::{element, numbers};
use crate::decimal::Decimal;
use crate::needs::OF_QUANTITY;
use crate::quantity::{Quantity, Unit};
use crate::types::Kind;

/// The quantities of FHIR's. A unit that many rows have is looked up once.
pub(super) fn of_fhir<'a>(of: &Collection<'a>) -> Collection<'a> {
    let Values::Nodes(nodes) = &of.values else { return Collection::empty() };
    let each = Collection { owner: numbers(nodes.len()), values: of.values.clone() };
    let [values, comparators, texts, systems, codes] = OF_QUANTITY.map(|name| {
        let kind = if name == "value" { Kind::Decimal } else { Kind::String };
        element::texts(&each, name, kind)
    });
    let mut units: HashMap<[Option<&str>; 3], Arc<Unit>> = HashMap::new();
    let (mut owner, mut quantities) = (Vec::new(), Vec::new());
    for at in 0..nodes.len() {
        let value = values[at].as_deref().and_then(Decimal::parse).filter(|_| comparators[at].is_none());
        let Some(value) = value else { continue };
        let named = [&systems, &codes, &texts].map(|of| of[at].as_deref());
        let unit = units.entry(named).or_insert_with(|| {
            let [system, code, text] = named;
            Arc::new(Unit::of_fhir(system, code, text))
        });
        owner.push(of.owner[at]);
        quantities.push(Quantity { value, unit: Arc::clone(unit) });
    }
    Collection { owner, values: Values::Quantities(quantities) }
}

/// `toQuantity()`: a number without a unit, or what a text says.
pub(super) fn of_scalars<'a>(of: &Collection<'a>) -> Collection<'a> {
    let one = Arc::new(Unit::one());
    let whole = |value: i64| Some(Quantity { value: Decimal::whole(value), unit: Arc::clone(&one) });
    let found: Vec<Option<Quantity>> = match &of.values {
        Values::Booleans(values) => values.iter().map(|value| whole(i64::from(*value))).collect(),
        Values::Integers(values) => values.iter().map(|value| whole(*value)).collect(),
        Values::Texts(values) => values.iter().map(|text: &Cow<'a, str>| Quantity::parse(text)).collect(),
        _ => Vec::new(),
    };
    let kept = (0..found.len()).filter(|at| found[*at].is_some());
    let owner = kept.map(|at| of.owner[at]).collect();
    Collection { owner, values: Values::Quantities(found.into_iter().flatten().collect()) }
}
