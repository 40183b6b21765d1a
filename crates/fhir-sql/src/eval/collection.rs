//! The values of an expression, array by array.

use std::borrow::Cow;

use arrow_array::StructArray;

use super::{NONE, number, positions};
use crate::quantity::Quantity;

/// Values, and the context that each belongs to. Contexts only rise.
#[derive(Debug, Clone)]
pub(crate) struct Collection<'a> {
    pub(crate) owner: Vec<u32>,
    pub(crate) values: Values<'a>,
}

/// Values of one form.
#[derive(Debug, Clone)]
pub(crate) enum Values<'a> {
    /// With elements.
    Nodes(Nodes<'a>),
    Booleans(Vec<bool>),
    Integers(Vec<i64>),
    /// Strings, and what is held as its literal: decimals, dates, times.
    Texts(Vec<Cow<'a, str>>),
    Quantities(Vec<Quantity>),
    /// Of several forms: of each its choice, and its position among the values of that choice.
    Choices {
        order: Vec<(u16, u32)>,
        of: Vec<Values<'a>>,
    },
}

/// Values with elements: each lies in a struct, has JSON that belongs to it, or both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes<'a> {
    pub(crate) sources: Vec<&'a StructArray>,
    /// The struct of each, by its position in `sources`, and the place in it.
    pub(crate) at: Vec<(u32, u32)>,
    /// The JSON of each, empty where there is none. Without elements where no value has any.
    pub(crate) json: Vec<&'a str>,
}

/// One of [`Nodes`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) at: (u32, u32),
    pub(crate) json: &'a str,
}

impl<'a> Nodes<'a> {
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    pub(crate) fn json(&self, position: usize) -> &'a str {
        self.json.get(position).copied().unwrap_or_default()
    }

    pub(crate) fn push(&mut self, node: Node<'a>) {
        if !node.json.is_empty() && self.json.len() < self.at.len() {
            self.json.resize(self.at.len(), "");
        }
        if !node.json.is_empty() || !self.json.is_empty() {
            self.json.push(node.json);
        }
        self.at.push(node.at);
    }

    fn take(&self, positions: &[u32]) -> Self {
        let at = positions.iter().map(|position| self.at[*position as usize]).collect();
        let json = if self.json.is_empty() {
            Vec::new()
        } else {
            positions.iter().map(|position| self.json[*position as usize]).collect()
        };
        Self { sources: self.sources.clone(), at, json }
    }

    /// Adds values whose sources are others.
    fn extend(&mut self, other: Self) {
        let shift = number(self.sources.len());
        self.sources.extend_from_slice(&other.sources);
        for position in 0..other.len() {
            let (source, place) = other.at[position];
            let source = if source == NONE { NONE } else { source + shift };
            self.push(Node { at: (source, place), json: other.json(position) });
        }
    }
}

impl<'a> Values<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Nodes(nodes) => nodes.len(),
            Self::Booleans(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Quantities(values) => values.len(),
            Self::Choices { order, .. } => order.len(),
        }
    }

    /// The values at these positions.
    pub(crate) fn take(&self, positions: &[u32]) -> Self {
        fn of<T: Clone>(values: &[T], positions: &[u32]) -> Vec<T> {
            positions.iter().map(|position| values[*position as usize].clone()).collect()
        }
        match self {
            Self::Nodes(nodes) => Self::Nodes(nodes.take(positions)),
            Self::Booleans(values) => Self::Booleans(of(values, positions)),
            Self::Integers(values) => Self::Integers(of(values, positions)),
            Self::Texts(values) => Self::Texts(of(values, positions)),
            Self::Quantities(values) => Self::Quantities(of(values, positions)),
            Self::Choices { order, of: values } => {
                Self::Choices { order: of(order, positions), of: values.clone() }
            }
        }
    }

    /// These and then those. Both are of one form, or one of them has no values.
    pub(crate) fn then(self, other: Self) -> Self {
        match (self, other) {
            (first, second) if second.len() == 0 => first,
            (first, second) if first.len() == 0 => second,
            (Self::Nodes(mut first), Self::Nodes(second)) => {
                first.extend(second);
                Self::Nodes(first)
            }
            (Self::Booleans(mut first), Self::Booleans(second)) => {
                first.extend(second);
                Self::Booleans(first)
            }
            (Self::Integers(mut first), Self::Integers(second)) => {
                first.extend(second);
                Self::Integers(first)
            }
            (Self::Texts(mut first), Self::Texts(second)) => {
                first.extend(second);
                Self::Texts(first)
            }
            (Self::Quantities(mut first), Self::Quantities(second)) => {
                first.extend(second);
                Self::Quantities(first)
            }
            (first, second) => {
                let (left, right) = (number(first.len()), number(second.len()));
                let order = (0..left).map(|at| (0, at)).chain((0..right).map(|at| (1, at))).collect();
                Self::Choices { order, of: vec![first, second] }
            }
        }
    }
}

impl<'a> Collection<'a> {
    pub(crate) fn empty() -> Self {
        Self { owner: Vec::new(), values: Values::Texts(Vec::new()) }
    }

    /// One value for each context that has one.
    pub(crate) fn booleans(of: impl IntoIterator<Item = Option<bool>>) -> Self {
        let (owner, values) = present(of);
        Self { owner, values: Values::Booleans(values) }
    }

    /// One value for each context that has one.
    pub(crate) fn integers(of: impl IntoIterator<Item = Option<i64>>) -> Self {
        let (owner, values) = present(of);
        Self { owner, values: Values::Integers(values) }
    }

    /// One value for each context that has one.
    pub(crate) fn texts(of: impl IntoIterator<Item = Option<Cow<'a, str>>>) -> Self {
        let (owner, values) = present(of);
        Self { owner, values: Values::Texts(values) }
    }

    /// The values at these rising positions.
    pub(crate) fn take(&self, positions: &[u32]) -> Self {
        Self {
            owner: positions.iter().map(|position| self.owner[*position as usize]).collect(),
            values: self.values.take(positions),
        }
    }

    /// The values that are kept, with their position among those of their context.
    pub(crate) fn retain(&self, mut keep: impl FnMut(usize, i64) -> bool) -> Self {
        let places = positions(&self.owner);
        let kept: Vec<u32> = (0..self.owner.len()).filter(|at| keep(*at, places[*at])).map(number).collect();
        self.take(&kept)
    }

    /// How many values each context has.
    pub(crate) fn counts(&self, contexts: usize) -> Vec<u32> {
        let mut counts = vec![0; contexts];
        for context in &self.owner {
            counts[*context as usize] += 1;
        }
        counts
    }

    /// The values of both: for each context those of the first, then those of the second.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut owner = self.owner;
        owner.extend(&other.owner);
        let values = self.values.then(other.values);
        let mut order: Vec<u32> = (0..number(owner.len())).collect();
        order.sort_by_key(|position| owner[*position as usize]);
        Self {
            owner: order.iter().map(|position| owner[*position as usize]).collect(),
            values: values.take(&order),
        }
    }

    /// What is in an expression's contexts, said of the contexts that those belong to.
    pub(crate) fn within(self, outer: &[u32]) -> Self {
        Self { owner: self.owner.iter().map(|context| outer[*context as usize]).collect(), ..self }
    }
}

fn present<T>(of: impl IntoIterator<Item = Option<T>>) -> (Vec<u32>, Vec<T>) {
    let present = of.into_iter().enumerate().filter_map(|(context, value)| Some((number(context), value?)));
    present.unzip()
}
