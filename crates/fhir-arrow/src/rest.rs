//! `__rest`: what of a resource has no column, as JSON text.
//!
//! # What it holds
//! A JSON object in the shape of the resource itself, in which everything is left out that the columns hold. It is
//! NULL where they hold all. The values in it are the source's own bytes. What ends up there:
//!
//! * members without a column: unknown ones, `_birthDate`, extensions and ids of data types, recursion beyond the
//!   second level (see [`TableSchema`]);
//! * values that are not of their column's JSON type: a number where a string belongs, an object where an array
//!   belongs, `null` as the value of a member; their column is null;
//! * values that their column cannot hold exactly: whole numbers that are outside of 32 bits or written `1.0` or
//!   `1e2`, strings with half a surrogate pair; their column is null too. Base64 that would be written differently
//!   (with line breaks, say) is in both: the bytes in the column, the literal here.
//!
//! An object or array that is empty in the source is empty in its column, not null, and needs nothing here.
//!
//! # How the two are merged
//! * An object is the union of its members. A member that both have is merged in the same way.
//! * An array keeps its positions. It has as many values as the column's list; `null` at a position says that there
//!   is nothing to add (the value is the column's, or `null` where that is null too), and positions at the end that
//!   have nothing to add are left out.
//! * For everything else, and wherever the column is null, the value is the one in `__rest`, as it is.
//!
//! ```text
//! {"resourceType":"Patient","name":[{"family":"A"},{"family":"B","period":{"id":"p","start":"2020"}}],"x":1}
//!
//! name     [{family: A}, {family: B, period: {start: 2020}}]
//! __rest   {"name":[null,{"period":{"id":"p"}}],"x":1}
//! ```

use crate::json::{Key, Kind, Tape, Value};
use crate::shape::{Item, Shape};
use crate::{LineError, TableSchema};

/// The name of the column.
pub const COLUMN: &str = "__rest";

/// Where a value stands in what is around it: small enough for a register, as it is passed on with every value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// It is the resource.
    Root,
    /// The value of a member, with the token of its key.
    Member(u32),
    /// The value at this position of an array, from 0.
    Position(u32),
}

impl Place {
    pub(crate) fn of(key: Key<'_>) -> Self {
        Self::Member(key.token_number())
    }
}

/// Collects what has no column, while a resource is walked over.
///
/// The objects and arrays on the way to a value are written when the first value in them is: for most resources
/// that is never.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    text: String,
    /// The objects and arrays that the walk is in.
    levels: Vec<Level>,
    /// How many of them, from the outside, have been written.
    written: usize,
}

#[derive(Debug)]
struct Level {
    place: Place,
    is_object: bool,
    /// How many members or positions have been written.
    entries: u32,
}

impl Rest {
    /// Begins with a resource.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.levels.clear();
        self.written = 0;
    }

    /// Goes into an object.
    #[inline]
    pub(crate) fn enter_object(&mut self, place: Place) {
        self.levels.push(Level { place, is_object: true, entries: 0 });
    }

    /// Goes into an array.
    #[inline]
    pub(crate) fn enter_array(&mut self, place: Place) {
        self.levels.push(Level { place, is_object: false, entries: 0 });
    }

    /// Goes out of the innermost object or array.
    #[inline]
    pub(crate) fn leave(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if self.written > self.levels.len() {
            self.text.push(if level.is_object { '}' } else { ']' });
            self.written = self.levels.len();
        }
    }

    /// Keeps a value of the innermost object or array.
    #[cold]
    pub(crate) fn keep(&mut self, place: Place, value: Value<'_>) {
        for depth in self.written..self.levels.len() {
            let Level { place, is_object, .. } = self.levels[depth];
            if let Some(around) = depth.checked_sub(1) {
                self.begin(around, place, value);
            }
            self.text.push(if is_object { '{' } else { '[' });
        }
        self.written = self.levels.len();
        if let Some(around) = self.written.checked_sub(1) {
            self.begin(around, place, value);
        }
        self.text.push_str(value.raw());
    }

    /// Writes what stands before a value at this place of the level. `kept` is a value of the same document.
    fn begin(&mut self, depth: usize, place: Place, kept: Value<'_>) {
        let level = &mut self.levels[depth];
        if level.entries > 0 {
            self.text.push(',');
        }
        match place {
            Place::Root => {}
            Place::Member(key) => {
                self.text.push_str(kept.key(key).raw());
                self.text.push(':');
                level.entries += 1;
            }
            Place::Position(position) => {
                for _ in level.entries..position {
                    self.text.push_str("null,");
                }
                level.entries = position + 1;
            }
        }
    }

    /// The text, where there is any.
    pub(crate) fn text(&self) -> Option<&str> {
        (!self.text.is_empty()).then_some(self.text.as_str())
    }
}

/// Tells of each value that a row's `__rest` holds: the path of its element, without positions (`address.extension`).
///
/// # Errors
/// The text is no JSON object.
pub fn for_each_path(schema: &TableSchema, rest: &str, mut of: impl FnMut(&str)) -> Result<(), LineError> {
    let mut tape = Tape::default();
    let document = tape.parse(rest.as_bytes())?;
    walk(&schema.shape, document.root(), &mut String::new(), &mut of);
    Ok(())
}

fn walk(shape: &Shape, object: Value<'_>, path: &mut String, of: &mut impl FnMut(&str)) {
    for (key, value) in object.members() {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        let name = key.name();
        // Nobody knows what a name is that FHIR could not have: it may be data.
        let plain = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        path.push_str(if plain { &name } else { "?" });
        let member = shape.names.find(key.hash(), &name).and_then(|at| shape.members.get(usize::from(at)));
        match member.map(|member| &member.item) {
            Some(Item::Object(within)) if value.kind() == Kind::Object => walk(within, value, path, of),
            Some(Item::Object(within)) if value.kind() == Kind::Array => {
                for value in value.elements() {
                    match value.kind() {
                        Kind::Object => walk(within, value, path, of),
                        Kind::Null => {}
                        _ => of(path),
                    }
                }
            }
            _ => of(path),
        }
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use fhir_definitions::Definitions;

    use super::*;

    #[test]
    fn the_paths_of_what_has_no_column_have_no_positions_and_no_data() {
        let schema = TableSchema::new(Definitions::r4(), "Patient").unwrap();
        let rest = r#"{"_birthDate":{"id":"b"},"address":[null,{"extension":[1,2]},{"extension":[3]},7],"John Doe":1,
            "name":[{"period":{"id":"p"}}],"gender":5}"#;
        let mut paths = Vec::new();
        for_each_path(&schema, rest, |path| paths.push(path.to_owned())).unwrap();
        let expected = [
            "_birthDate",
            "address.extension",
            "address.extension",
            "address",
            "?",
            "name.period.id",
            "gender",
        ];
        assert_eq!(paths, expected);
        assert!(for_each_path(&schema, "nonsense", |_| {}).is_err());
    }

    #[test]
    fn what_is_around_a_value_is_written_with_its_positions() {
        let mut tape = Tape::default();
        let document = tape.parse(br#"{"a":[ 1, [2] ,3],"\u0062":{"c":{"d":"e"}}}"#).unwrap();
        let members: Vec<_> = document.root().members().collect();
        let [(a, list), (b, object)] = members[..] else { panic!("{members:?}") };
        let values: Vec<_> = list.elements().collect();

        let mut rest = Rest::default();
        rest.enter_object(Place::Root);
        assert_eq!(rest.text(), None);
        rest.enter_array(Place::of(a));
        rest.keep(Place::Position(2), values[1]);
        rest.keep(Place::Position(3), values[2]);
        rest.enter_object(Place::Position(4));
        rest.leave();
        rest.leave();
        rest.enter_object(Place::of(b));
        for (key, value) in object.members() {
            rest.keep(Place::of(key), value);
        }
        rest.leave();
        rest.leave();
        assert_eq!(rest.text(), Some(r#"{"a":[null,null,[2],3],"\u0062":{"c":{"d":"e"}}}"#));
    }
}
