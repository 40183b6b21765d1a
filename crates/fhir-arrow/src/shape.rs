//! What a schema is made of: objects with members.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};

use crate::json::Names;
use crate::primitive::{Leaf, list};

/// The members of an object that have columns, in the order of the columns. Equal objects share one shape.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) members: Vec<Member>,
    /// From a JSON name to the position in `members`.
    pub(crate) names: Names,
    /// The columns of all members: those of a member lie side by side.
    pub(crate) fields: Fields,
}

/// An element that has columns.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its name in JSON, and that of its column.
    pub(crate) name: String,
    pub(crate) item: Item,
    /// Whether JSON has an array of items.
    pub(crate) many: bool,
    /// The names that its values have in JSON, where there are several: those of an open choice.
    pub(crate) choices: Vec<String>,
    /// Whether it has no columns although the type has: its values are passed over.
    pub(crate) unwanted: bool,
}

/// What one value of an element is.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Leaf(Leaf),
    Object(Arc<Shape>),
}

impl Shape {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        let mut names = Vec::new();
        for (member, position) in members.iter().zip(0..) {
            if member.choices.is_empty() {
                names.push((member.name.as_str(), position));
            }
            names.extend(member.choices.iter().map(|choice| (choice.as_str(), position)));
        }
        let names = Names::new(names);
        let fields = members.iter().flat_map(Member::fields).collect();
        Self { members, names, fields }
    }
}

impl Shape {
    /// The same with columns for the members alone that one of these columns is of.
    pub(crate) fn only(&self, columns: &std::collections::BTreeSet<&str>) -> Self {
        let members = self.members.iter().cloned().map(|member| {
            let unwanted = !member.fields().iter().any(|field| columns.contains(field.name().as_str()));
            Member { unwanted, ..member }
        });
        Self::new(members.collect())
    }
}

impl Member {
    pub(crate) fn one(name: impl Into<String>, item: Item) -> Self {
        Self { name: name.into(), item, many: false, choices: Vec::new(), unwanted: false }
    }

    /// The element's columns.
    fn fields(&self) -> Vec<Field> {
        if self.unwanted {
            return Vec::new();
        }
        let columns = match &self.item {
            Item::Leaf(leaf) => leaf.columns(&self.name),
            Item::Object(shape) => vec![(self.name.clone(), DataType::Struct(shape.fields.clone()))],
        };
        let wrap = |data_type| if self.many { list(data_type) } else { data_type };
        columns.into_iter().map(|(name, data_type)| Field::new(name, wrap(data_type), true)).collect()
    }

    /// How many columns the element has.
    pub(crate) fn width(&self) -> usize {
        match &self.item {
            _ if self.unwanted => 0,
            Item::Leaf(Leaf::Decimal) => 2,
            Item::Leaf(Leaf::Moment | Leaf::ReferenceUrl) => 3,
            Item::Leaf(_) | Item::Object(_) => 1,
        }
    }
}
