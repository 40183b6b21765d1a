//! From values to their elements: the step that reads columns, and JSON where there is some.
//!
//! The one invariant: columns and JSON are merged as `__rest` is: an object has the members of both, an array the positions of
//! both, and where both have a scalar it is the column's.

use std::borrow::Cow;
use std::ops::Range;

use super::collection::{Collection, Node, Nodes, Values};
use super::columns::{Column, Leaf, Text};
use super::{NONE, json, number, numbers};
use crate::types::{Choice, Kind, Type};

/// The element of each value, as one of its types or as any of several.
pub(super) fn element<'a>(of: &Collection<'a>, choices: &[Choice]) -> Collection<'a> {
    let Values::Nodes(nodes) = &of.values else { return Collection::empty() };
    if let [choice] = choices {
        return one(&of.owner, nodes, choice);
    }
    // A parent has values of one choice, where the data are as they should be; either way they are put in its place.
    let parents = numbers(nodes.len());
    let found: Vec<_> = choices.iter().map(|choice| one(&parents, nodes, choice)).collect();
    let mut order: Vec<(u32, u16, u32)> = Vec::new();
    for (choice, collection) in (0_u16..).zip(&found) {
        order.extend((0_u32..).zip(&collection.owner).map(|(position, parent)| (*parent, choice, position)));
    }
    order.sort_unstable();
    Collection {
        owner: order.iter().map(|(parent, ..)| of.owner[*parent as usize]).collect(),
        values: Values::Choices {
            order: order.into_iter().map(|(_, choice, position)| (choice, position)).collect(),
            of: found.into_iter().map(|collection| collection.values).collect(),
        },
    }
}

/// The text of an element of each value: a string, or the literal of a number. `of` has one value in each context.
pub(super) fn texts<'a>(of: &Collection<'a>, name: &str, kind: Kind) -> Vec<Option<Cow<'a, str>>> {
    let code = kind.system().to_owned();
    let choice = Choice { json: name.to_owned(), open: None, code, of: Type::system(kind) };
    let found = element(of, &[choice]);
    let mut values = vec![None; of.owner.len()];
    if let Values::Texts(texts) = found.values {
        for (text, owner) in texts.into_iter().zip(found.owner) {
            values[owner as usize] = Some(text);
        }
    }
    values
}

/// One type of an element. `owner` says to whom the values of each parent belong.
fn one<'a>(owner: &[u32], nodes: &Nodes<'a>, choice: &Choice) -> Collection<'a> {
    let walk = Walk { owner, nodes, choice, columns: Sources::of(nodes, choice) };
    match &choice.of {
        Type::Primitive(_, Kind::Boolean) => {
            let mut sink = Sink { owner: Vec::new(), values: Vec::new(), read: read_boolean };
            walk.run(&mut sink);
            Collection { owner: sink.owner, values: Values::Booleans(sink.values) }
        }
        Type::Primitive(_, Kind::Integer) => {
            let mut sink = Sink { owner: Vec::new(), values: Vec::new(), read: read_integer };
            walk.run(&mut sink);
            Collection { owner: sink.owner, values: Values::Integers(sink.values) }
        }
        Type::Primitive(..) => {
            let mut sink = Sink { owner: Vec::new(), values: Vec::new(), read: read_text };
            walk.run(&mut sink);
            Collection { owner: sink.owner, values: Values::Texts(sink.values) }
        }
        _ => {
            let mut sink = NodeSink { owner: Vec::new(), nodes: Nodes::default() };
            sink.nodes.sources = walk.columns.structs();
            walk.run(&mut sink);
            Collection { owner: sink.owner, values: Values::Nodes(sink.nodes) }
        }
    }
}

/// The columns that an element has in each of the structs.
struct Sources<'a>(Vec<Source<'a>>);

enum Source<'a> {
    None,
    Column(Column<'a>, u32),
    /// A column of JSON objects, each with the member that was chosen.
    Open(Column<'a>),
}

impl<'a> Sources<'a> {
    fn of(nodes: &Nodes<'a>, choice: &Choice) -> Self {
        let mut structs = 0;
        let source = |within| {
            if let Some(column) = Column::of(within, &choice.json) {
                let at = structs;
                structs += u32::from(matches!(column.values, Leaf::Struct(_)));
                return Source::Column(column, at);
            }
            let open = choice.open.as_ref().and_then(|name| Column::of(within, name));
            open.map_or(Source::None, Source::Open)
        };
        Self(nodes.sources.iter().copied().map(source).collect())
    }

    fn structs(&self) -> Vec<&'a arrow_array::StructArray> {
        let of = |source: &Source<'a>| match source {
            Source::Column(Column { values: Leaf::Struct(array), .. }, _) => Some(*array),
            _ => None,
        };
        self.0.iter().filter_map(of).collect()
    }
}

/// What takes the values of an element.
trait Take<'a> {
    /// A value of a column.
    fn column(&mut self, owner: u32, column: &Column<'a>, source: u32, place: usize);
    /// A value that JSON alone has.
    fn json(&mut self, owner: u32, json: &'a str);
    /// A value that both have.
    fn both(&mut self, owner: u32, column: &Column<'a>, source: u32, place: usize, _json: &'a str) {
        self.column(owner, column, source, place);
    }
}

struct Walk<'w, 'a> {
    owner: &'w [u32],
    nodes: &'w Nodes<'a>,
    choice: &'w Choice,
    columns: Sources<'a>,
}

impl<'a> Walk<'_, 'a> {
    fn run(&self, sink: &mut impl Take<'a>) {
        for (position, (source, place)) in self.nodes.at.iter().enumerate() {
            let owner = self.owner[position];
            let text = self.nodes.json(position);
            let text = if text.is_empty() { "" } else { json::member(text, &self.choice.json) };
            let source = if *source == NONE { &Source::None } else { &self.columns.0[*source as usize] };
            match source {
                Source::None => from_json(owner, text, sink),
                Source::Open(column) => {
                    if let Leaf::Text(texts) = &column.values {
                        for place in column.places(*place as usize).filter(|place| column.is_valid(*place)) {
                            from_json(owner, json::member(texts.borrowed(place), &self.choice.json), sink);
                        }
                    }
                }
                Source::Column(column, source) => {
                    let places = column.places(*place as usize);
                    if text.is_empty() {
                        for place in places.filter(|place| column.is_valid(*place)) {
                            sink.column(owner, column, *source, place);
                        }
                    } else {
                        merged(owner, column, *source, places, text, sink);
                    }
                }
            }
        }
    }
}

fn from_json<'a>(owner: u32, text: &'a str, sink: &mut impl Take<'a>) {
    match json::elements(text) {
        Some(elements) => {
            elements.into_iter().filter(|text| !text.is_empty()).for_each(|text| sink.json(owner, text));
        }
        None if text.is_empty() => {}
        None => sink.json(owner, text),
    }
}

fn merged<'a>(
    owner: u32,
    column: &Column<'a>,
    source: u32,
    places: Range<usize>,
    text: &'a str,
    sink: &mut impl Take<'a>,
) {
    let elements = if column.is_list() { json::elements(text) } else { Some(vec![text]) };
    // An object where an array belongs stands for all.
    let Some(elements) = elements else { return sink.json(owner, text) };
    let more = elements.iter().skip(places.len()).copied().filter(|text| !text.is_empty());
    for (position, place) in places.clone().enumerate() {
        match (column.is_valid(place), elements.get(position).copied().unwrap_or_default()) {
            (true, "") => sink.column(owner, column, source, place),
            (true, text) => sink.both(owner, column, source, place, text),
            (false, "") => {}
            (false, text) => sink.json(owner, text),
        }
    }
    more.for_each(|text| sink.json(owner, text));
}

struct Sink<'a, T> {
    owner: Vec<u32>,
    values: Vec<T>,
    read: fn(Read<'_, 'a>) -> Option<T>,
}

enum Read<'c, 'a> {
    Column(&'c Column<'a>, usize),
    Json(&'a str),
}

impl<'a, T> Sink<'a, T> {
    #[inline]
    fn push(&mut self, owner: u32, read: Read<'_, 'a>) {
        if let Some(value) = (self.read)(read) {
            self.owner.push(owner);
            self.values.push(value);
        }
    }
}

impl<'a, T> Take<'a> for Sink<'a, T> {
    #[inline]
    fn column(&mut self, owner: u32, column: &Column<'a>, _source: u32, place: usize) {
        self.push(owner, Read::Column(column, place));
    }

    fn json(&mut self, owner: u32, json: &'a str) {
        self.push(owner, Read::Json(json));
    }
}

#[inline]
fn read_text<'a>(read: Read<'_, 'a>) -> Option<Cow<'a, str>> {
    match read {
        Read::Column(Column { values: Leaf::Text(texts), .. }, place) => Some(texts.value(place)),
        Read::Column(..) => None,
        Read::Json(text) => json::scalar(text),
    }
}

fn read_boolean(read: Read<'_, '_>) -> Option<bool> {
    match read {
        Read::Column(Column { values: Leaf::Boolean(values), .. }, place) => Some(values.value(place)),
        Read::Column(..) => None,
        Read::Json(text) => text.parse().ok(),
    }
}

fn read_integer(read: Read<'_, '_>) -> Option<i64> {
    match read {
        Read::Column(Column { values: Leaf::Int32(values), .. }, place) => Some(values.value(place).into()),
        Read::Column(Column { values: Leaf::Int64(values), .. }, place) => Some(values.value(place)),
        Read::Column(..) => None,
        // 1.0 and 1e2 are whole numbers too, and have no column.
        Read::Json(text) => {
            let number = crate::decimal::Decimal::parse(&json::scalar(text)?)?;
            i64::try_from(number.truncate()).ok()
        }
    }
}

struct NodeSink<'a> {
    owner: Vec<u32>,
    nodes: Nodes<'a>,
}

impl<'a> Take<'a> for NodeSink<'a> {
    #[inline]
    fn column(&mut self, owner: u32, column: &Column<'a>, source: u32, place: usize) {
        self.both(owner, column, source, place, "");
    }

    fn json(&mut self, owner: u32, json: &'a str) {
        if json.starts_with('{') {
            self.owner.push(owner);
            self.nodes.push(Node { at: (NONE, 0), json });
        }
    }

    #[inline]
    fn both(&mut self, owner: u32, column: &Column<'a>, source: u32, place: usize, json: &'a str) {
        match &column.values {
            Leaf::Struct(_) => {
                self.owner.push(owner);
                self.nodes.push(Node { at: (source, number(place)), json });
            }
            // A resource within the resource.
            Leaf::Text(texts @ (Text::Utf8(_) | Text::Large(_) | Text::View(_))) => {
                self.json(owner, texts.borrowed(place));
            }
            _ => {}
        }
    }
}
