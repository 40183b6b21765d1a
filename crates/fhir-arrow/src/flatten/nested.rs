//! The columns of objects and arrays.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, FieldRef};

use super::Walk;
use super::leaf::{LeafColumn, OpenColumn};
use super::nulls::Nulls;
use crate::json::{Kind, Value};
use crate::rest::Place;
use crate::shape::{Item, Member, Shape};

/// The values of an element.
#[derive(Debug)]
enum Column {
    Leaf(Box<LeafColumn>),
    Object(ObjectColumn),
    List(Box<ListColumn>),
}

/// Objects of one shape.
#[derive(Debug)]
pub(super) struct ObjectColumn {
    validity: Validity,
    /// A column for each member of the shape, as soon as it has had a value.
    columns: Vec<Option<Column>>,
}

/// Arrays, with their values in one column behind each other.
#[derive(Debug)]
struct ListColumn {
    validity: Validity,
    /// The end of each array.
    ends: Vec<i32>,
    /// The number of values of all arrays.
    length: usize,
    values: Column,
}

/// Which positions have a value.
#[derive(Debug)]
struct Validity(NullBufferBuilder);

impl Validity {
    fn new() -> Self {
        Self(NullBufferBuilder::new(0))
    }

    #[inline]
    fn fill(&mut self, length: usize) {
        if self.0.len() < length {
            self.0.append_n_nulls(length - self.0.len());
        }
    }

    #[inline]
    fn put(&mut self, at: usize) {
        self.fill(at);
        self.0.append_non_null();
    }
}

impl Column {
    fn new(member: &Member) -> Self {
        let values = match &member.item {
            Item::Leaf(leaf) => Self::Leaf(Box::new(LeafColumn::new(*leaf))),
            Item::Object(shape) => Self::Object(ObjectColumn::new(shape)),
        };
        if member.many { Self::List(Box::new(ListColumn::new(values))) } else { values }
    }

    fn open_choice(&mut self) -> Option<&mut OpenColumn> {
        match self {
            Self::Leaf(leaf) => match &mut **leaf {
                LeafColumn::Open(open) => Some(open),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.is_empty(),
            Self::Object(object) => object.validity.0.is_empty(),
            Self::List(list) => list.ends.is_empty(),
        }
    }

    /// Puts the value at a position, which is behind all others. False if the value as a whole has to be kept in
    /// `__rest`: what of its inside has no column is there already.
    fn put(&mut self, item: &Item, at: usize, value: Value<'_>, place: Place, walk: &mut Walk<'_>) -> bool {
        match (self, item) {
            (Self::Leaf(leaf), _) => leaf.put(at, value, walk),
            (Self::Object(object), Item::Object(shape)) => object.put(shape, at, value, place, walk),
            (Self::List(list), _) => list.put(item, at, value, place, walk),
            (Self::Object(_), Item::Leaf(_)) => false,
        }
    }

    /// The arrays of the element's columns, with so many values. `fields` are the columns'.
    fn finish(
        &mut self,
        item: &Item,
        fields: &[FieldRef],
        length: usize,
        nulls: &mut Nulls,
    ) -> Vec<ArrayRef> {
        match (self, item) {
            (Self::Leaf(leaf), _) => leaf.finish(length),
            (Self::Object(object), Item::Object(shape)) => vec![object.finish(shape, length, nulls)],
            (Self::List(list), _) => list.finish(item, fields, length, nulls),
            (Self::Object(_), Item::Leaf(_)) => Vec::new(),
        }
    }
}

impl ObjectColumn {
    pub(super) fn new(shape: &Shape) -> Self {
        let columns = shape.members.iter().map(|_| None).collect();
        Self { validity: Validity::new(), columns }
    }

    /// Puts an object at a position, which is behind all others. False if it is no object.
    pub(super) fn put(
        &mut self,
        shape: &Shape,
        at: usize,
        value: Value<'_>,
        place: Place,
        walk: &mut Walk<'_>,
    ) -> bool {
        if value.kind() != Kind::Object {
            return false;
        }
        self.validity.put(at);
        walk.rest.enter_object(place);
        for (key, value) in value.members() {
            let place = Place::of(key);
            let Some(position) = shape.names.find(key.hash(), &key.name()) else {
                walk.rest.keep(place, value);
                continue;
            };
            let member = &shape.members[usize::from(position)];
            if member.unwanted {
                continue;
            }
            let column = self.columns[usize::from(position)].get_or_insert_with(|| Column::new(member));
            if let Some(open) = column.open_choice() {
                open.put(at, key, value, walk);
            } else if !column.put(&member.item, at, value, place, walk) {
                walk.rest.keep(place, value);
            }
        }
        walk.rest.leave();
        true
    }

    /// The arrays of all members' columns, with so many values.
    pub(super) fn finish_members(
        &mut self,
        shape: &Shape,
        length: usize,
        nulls: &mut Nulls,
    ) -> Vec<ArrayRef> {
        self.validity.0.finish();
        let mut arrays = Vec::with_capacity(shape.fields.len());
        for (member, column) in shape.members.iter().zip(&mut self.columns) {
            let fields = &shape.fields[arrays.len()..arrays.len() + member.width()];
            match column.as_mut().filter(|column| !column.is_empty()) {
                Some(column) => arrays.extend(column.finish(&member.item, fields, length, nulls)),
                None => arrays.extend(fields.iter().map(|field| nulls.column(field.data_type(), length))),
            }
        }
        arrays
    }

    fn finish(&mut self, shape: &Shape, length: usize, nulls: &mut Nulls) -> ArrayRef {
        self.validity.fill(length);
        let validity = self.validity.0.finish();
        let arrays = self.finish_members(shape, length, nulls);
        Arc::new(StructArray::new(shape.fields.clone(), arrays, validity))
    }
}

impl ListColumn {
    fn new(values: Column) -> Self {
        Self { validity: Validity::new(), ends: Vec::new(), length: 0, values }
    }

    fn fill(&mut self, length: usize) {
        self.validity.fill(length);
        if self.ends.len() < length {
            self.ends.resize(length, self.ends.last().copied().unwrap_or(0));
        }
    }

    /// Puts an array at a position, which is behind all others. False if it is no array.
    fn put(&mut self, item: &Item, at: usize, value: Value<'_>, place: Place, walk: &mut Walk<'_>) -> bool {
        if value.kind() != Kind::Array {
            return false;
        }
        self.fill(at);
        self.validity.put(at);
        walk.rest.enter_array(place);
        for (value, position) in value.elements().zip(0..) {
            let place = Place::Position(position);
            let held = self.values.put(item, self.length, value, place, walk);
            if !held && value.kind() != Kind::Null {
                walk.rest.keep(place, value);
            }
            self.length += 1;
        }
        walk.rest.leave();
        walk.bytes += 4;
        self.ends.push(i32::try_from(self.length).unwrap_or(i32::MAX));
        true
    }

    /// The lists of the element and of its annotations: each has the same values in the same places.
    fn finish(
        &mut self,
        item: &Item,
        fields: &[FieldRef],
        length: usize,
        nulls: &mut Nulls,
    ) -> Vec<ArrayRef> {
        self.fill(length);
        let validity = self.validity.0.finish();
        let ends = std::mem::take(&mut self.ends);
        let offsets = OffsetBuffer::new(std::iter::once(0).chain(ends).collect());
        let total = std::mem::take(&mut self.length);
        let elements: Vec<FieldRef> = fields.iter().filter_map(element).collect();
        let values = if self.values.is_empty() {
            elements.iter().map(|element| nulls.column(element.data_type(), total)).collect()
        } else {
            self.values.finish(item, &elements, total, nulls)
        };
        let lists = elements.into_iter().zip(values);
        lists
            .map(|(element, values)| {
                Arc::new(ListArray::new(element, offsets.clone(), values, validity.clone())) as ArrayRef
            })
            .collect()
    }
}

fn element(list: &FieldRef) -> Option<FieldRef> {
    match list.data_type() {
        DataType::List(element) => Some(Arc::clone(element)),
        _ => None,
    }
}
