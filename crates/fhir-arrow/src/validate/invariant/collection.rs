//! What an expression gives: no value, one, or many in order.

use std::borrow::Cow;

use super::node::{Node, NodeKind};
use crate::json::Kind;

/// A value in an expression.
#[derive(Debug, Clone)]
pub(super) enum Item<'a> {
    Node(Node<'a>),
    Boolean(bool),
    /// A number of any type: two numbers that differ only beyond the precision of a double are taken for equal.
    Number(f64),
    Text(Cow<'a, str>),
    /// The boundary of a date, in microseconds since 1970 in UTC.
    Moment(i64),
}

impl<'a> Item<'a> {
    /// The value itself, if it is that of a primitive; `None` for objects, and for primitives without value.
    pub(super) fn scalar(&self) -> Option<Item<'a>> {
        let Item::Node(node) = self else { return Some(self.clone()) };
        let value = node.value.filter(|_| matches!(node.kind, NodeKind::Primitive(..)))?;
        match value.kind() {
            Kind::True => Some(Item::Boolean(true)),
            Kind::False => Some(Item::Boolean(false)),
            Kind::Number => value.raw().parse().ok().map(Item::Number),
            _ => value.string().map(Item::Text),
        }
    }

    /// The text of a string.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        match self.scalar()? {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Values in order. Most expressions give one at most, which takes no memory of its own.
#[derive(Debug, Clone)]
pub(super) enum Collection<'a> {
    One(Item<'a>),
    Many(Vec<Item<'a>>),
}

impl<'a> Collection<'a> {
    pub(super) const EMPTY: Self = Self::Many(Vec::new());

    pub(super) fn boolean(value: bool) -> Self {
        Self::One(Item::Boolean(value))
    }

    pub(super) fn of(item: Option<Item<'a>>) -> Self {
        item.map_or(Self::EMPTY, Self::One)
    }

    pub(super) fn push(&mut self, item: Item<'a>) {
        match self {
            Self::Many(items) if items.is_empty() && items.capacity() == 0 => *self = Self::One(item),
            Self::Many(items) => items.push(item),
            Self::One(_) => {
                if let Self::One(first) = std::mem::replace(self, Self::EMPTY) {
                    *self = Self::Many(vec![first, item]);
                }
            }
        }
    }

    pub(super) fn as_slice(&self) -> &[Item<'a>] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Item<'a>> {
        self.as_slice().iter()
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<'a> FromIterator<Item<'a>> for Collection<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut collection = Self::EMPTY;
        items.into_iter().for_each(|item| collection.push(item));
        collection
    }
}
