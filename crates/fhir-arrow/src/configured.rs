//! Columns by configuration: for what has none by the rules of [`schema`](crate::schema), and is wanted in one.
//!
//! One invariant: a configured column changes no other, and takes nothing but its own values out of
//! [`__rest`](crate::rest).
//!
//! | path | its column |
//! |---|---|
//! | `_birthDate`, `name._given` | the sibling of a primitive: a struct of `id` and `extension` |
//! | `address.extension`, `name.modifierExtension`, `modifierExtension` | extensions, as the resource's own have them |

use std::sync::Arc;

use crate::SchemaError;
use crate::primitive::Leaf;
use crate::shape::{Item, Member, Shape};

/// The shape with a column for the element at a path. `extension` is the member of the resource's own extensions.
pub(crate) fn with_column(shape: &Shape, path: &str, extension: &Member) -> Result<Shape, SchemaError> {
    let refused = |reason: &'static str| SchemaError::Unconfigurable { path: path.to_owned(), reason };
    let segments: Vec<&str> = path.split('.').collect();
    add(shape, &segments, extension).map_err(refused)
}

fn add(shape: &Shape, path: &[&str], extension: &Member) -> Result<Shape, &'static str> {
    let [name, inside @ ..] = path else { return Err("it is empty") };
    let mut members = shape.members.clone();
    let at = |name: &str| shape.members.iter().position(|member| member.name == name);
    if !inside.is_empty() {
        let position = at(name).ok_or("an element on the way has no column")?;
        let Item::Object(within) = &members[position].item else {
            return Err("an element on the way has no elements in it");
        };
        let within = add(within, inside, extension)?;
        members[position].item = Item::Object(Arc::new(within));
        return Ok(Shape::new(members));
    }
    if at(name).is_some() {
        return Err("the element has a column already");
    }
    match name.strip_prefix('_') {
        Some(primitive) => {
            let position = at(primitive).ok_or("there is no such primitive element")?;
            let sibling = sibling(name, &members[position], extension)?;
            members.insert(position + 1, sibling);
        }
        None if matches!(*name, "extension" | "modifierExtension") => {
            // Behind the elements that every resource or data type begins with.
            let first = members
                .iter()
                .take_while(|member| matches!(&*member.name, "resourceType" | "id" | "extension"));
            let position = first.count();
            members.insert(position, Member { name: (*name).to_owned(), ..extension.clone() });
        }
        None => {
            return Err(
                "only siblings of primitives (`_birthDate`) and extensions can have columns of their own",
            );
        }
    }
    Ok(Shape::new(members))
}

/// The member of a primitive's sibling: as many as there are values of the primitive.
fn sibling(name: &str, primitive: &Member, extension: &Member) -> Result<Member, &'static str> {
    match &primitive.item {
        Item::Leaf(Leaf::Open | Leaf::Resource) | Item::Object(_) => Err("it is no sibling of a primitive"),
        Item::Leaf(_) => {
            let members = vec![Member::one("id", Item::Leaf(Leaf::Text)), extension.clone()];
            let item = Item::Object(Arc::new(Shape::new(members)));
            Ok(Member { many: primitive.many, ..Member::one(name, item) })
        }
    }
}
