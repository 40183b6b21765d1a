//! What a plan needs of a value: all of it, or some fields.
//!
//! One invariant: a need only grows. What is not understood needs all.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use crate::types::retyped;

/// What is needed of a value. Lists are looked through: what is needed of an element is needed of its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// All of it.
    All,
    /// These fields, each as far as it says. Without any, whether there is a value, and how long a list is.
    Fields(BTreeMap<String, Need>),
}

impl Need {
    /// Whether there is a value, and how long a list is.
    pub(crate) fn shape() -> Self {
        Self::Fields(BTreeMap::new())
    }

    /// This of the field at the end of a path.
    pub(crate) fn under<'p>(self, path: impl DoubleEndedIterator<Item = &'p str>) -> Self {
        path.rev().fold(self, |need, name| Self::Fields(BTreeMap::from([(name.to_owned(), need)])))
    }

    /// Grows by another need.
    pub(crate) fn grow(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Fields(fields), Self::Fields(more)) => {
                for (name, need) in more {
                    match fields.get_mut(&name) {
                        Some(field) => field.grow(need),
                        None => drop(fields.insert(name, need)),
                    }
                }
            }
        }
    }

    /// The field with no more in it than is needed.
    pub(crate) fn narrow(&self, field: &FieldRef) -> FieldRef {
        let Self::Fields(needed) = self else { return Arc::clone(field) };
        match field.data_type() {
            DataType::Struct(fields) => {
                let narrow: Vec<FieldRef> = fields
                    .iter()
                    .filter_map(|field| needed.get(field.name()).map(|need| need.narrow(field)))
                    .collect();
                let fields = if narrow.is_empty() { shape_of(fields) } else { Fields::from(narrow) };
                retyped(field, DataType::Struct(fields))
            }
            DataType::List(item) => retyped(field, DataType::List(self.narrow(item))),
            DataType::LargeList(item) => retyped(field, DataType::LargeList(self.narrow(item))),
            _ => Arc::clone(field),
        }
    }
}

/// The field that says at the lowest price whether there is a struct.
fn shape_of(fields: &Fields) -> Fields {
    let price = |field: &Field| match field.data_type() {
        DataType::Boolean => 0,
        data_type if data_type.is_primitive() => 1,
        data_type if !data_type.is_nested() => 2,
        _ => 3,
    };
    let cheapest = fields.iter().min_by_key(|field| price(field));
    cheapest.map(|field| Need::shape().narrow(field)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> Field {
        Field::new(name, DataType::Utf8View, true)
    }

    fn list(name: &str, fields: Vec<Field>) -> Field {
        Field::new_list(name, Field::new_struct("element", fields, true), true)
    }

    #[test]
    fn a_field_keeps_what_is_needed_through_lists() {
        let coding = list("coding", vec![text("system"), text("code")]);
        let concept: FieldRef = Arc::new(list("category", vec![coding, text("text")]));
        let narrow = Need::All.under(["coding", "code"].into_iter()).narrow(&concept);
        assert_eq!(narrow.as_ref(), &list("category", vec![list("coding", vec![text("code")])]));
    }

    #[test]
    fn a_shape_is_read_from_the_cheapest_field() {
        let flags = vec![text("system"), Field::new("userSelected", DataType::Boolean, true)];
        let coding: FieldRef = Arc::new(list("coding", flags.clone()));
        assert_eq!(Need::shape().narrow(&coding).as_ref(), &list("coding", vec![flags[1].clone()]));
    }

    #[test]
    fn needs_grow_together() {
        let mut need = Need::All.under(["a", "b"].into_iter());
        need.grow(Need::All.under(["a", "c"].into_iter()));
        let Need::Fields(fields) = &need else { unreachable!("it needs fields") };
        assert_eq!(fields["a"], {
            let mut both = Need::All.under(["b"].into_iter());
            both.grow(Need::All.under(["c"].into_iter()));
            both
        });
        need.grow(Need::All);
        assert_eq!(need, Need::All);
    }
}
