//! The path of what stands at an offset, as FHIRPath.
//!
//! The walk keeps no path, as almost nothing needs one: it is looked up from the resource again, through the members
//! and positions that the offset lies in.

use super::Validator;
use super::rules::{Member, Object, Rule};
use super::walk::resource_rules;
use crate::json::{Key, Kind, Value};

/// The path of the value, or of the member, that starts at an offset.
pub(super) fn path(validator: &Validator, root: Value<'_>, offset: usize) -> String {
    let mut rules = resource_rules(validator, root).ok();
    let mut path = rules.map_or("Resource", |rules| rules.type_name).to_owned();
    let mut value = root;
    while value.start() != offset {
        let Some((key, inside)) =
            value.members().find(|(key, inside)| key.start() == offset || holds(*inside, offset))
        else {
            break;
        };
        let known = rules.and_then(|rules| Some((rules, rules.find(key)?)));
        push_name(&mut path, known, key);
        if key.start() == offset {
            break;
        }
        value = inside;
        if value.kind() == Kind::Array && value.start() != offset {
            let Some((position, inside)) =
                value.elements().enumerate().find(|(_, inside)| holds(*inside, offset))
            else {
                break;
            };
            path.push_str(&format!("[{position}]"));
            value = inside;
        }
        rules = known.and_then(|(rules, position)| rules_of(validator, rules.members[position], value));
    }
    path
}

fn holds(value: Value<'_>, offset: usize) -> bool {
    (value.start()..value.start() + value.raw().len()).contains(&offset)
}

/// The rules of what is in a value of the member.
fn rules_of<'v>(validator: &'v Validator, member: Member, value: Value<'_>) -> Option<&'v Object> {
    match member.rule {
        Rule::Object(id) | Rule::Sibling(id) => Some(validator.object(id)),
        Rule::Resource => resource_rules(validator, value).ok(),
        Rule::Primitive(_) | Rule::ResourceType | Rule::Anything => None,
    }
}

/// Appends the name of an element; of a choice with its type. What is no element is written out only if FHIR could
/// have it: nobody knows what is in a damaged line.
fn push_name(path: &mut String, known: Option<(&Object, usize)>, key: Key<'_>) {
    path.push('.');
    let Some((rules, position)) = known else {
        let name = key.name();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let plain = matches!(name.len(), 1..=64) && name.bytes().all(is_plain);
        path.push_str(if plain { &name } else { "?" });
        return;
    };
    let member = rules.members[position];
    if let Rule::ResourceType = member.rule {
        path.push_str("resourceType");
        return;
    }
    let element = rules.element_of(member);
    path.push_str(element.name);
    if element.choice {
        path.push_str(&format!(".ofType({})", rules.type_names[position]));
    }
}
