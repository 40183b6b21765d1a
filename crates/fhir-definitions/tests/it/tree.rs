//! A type's elements as text, for the snapshots.

use fhir_definitions::{Element, Max, TypeDefinition, TypeRef};

/// A line per element: indentation, name, cardinality, types or content reference, binding, `?!` for a modifier.
pub fn of(definition: &TypeDefinition) -> String {
    let mut text = format!("{}\n", definition.name);
    write(&mut text, &definition.elements, 1);
    text
}

fn write(text: &mut String, elements: &[Element], depth: usize) {
    for element in elements {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&line(element));
        text.push('\n');
        write(text, &element.children, depth + 1);
    }
}

fn line(element: &Element) -> String {
    let choice = if element.choice { "[x]" } else { "" };
    let max = match element.max {
        Max::One => "1",
        Max::Many => "*",
    };
    let mut line = format!("{}{choice} {}..{max}", element.name, element.min);
    if let Some(path) = &element.content_reference {
        line.push_str(&format!(" as {path}"));
    }
    let types: Vec<String> = element.types.iter().map(type_text).collect();
    if !types.is_empty() {
        line.push_str(&format!(" {}", types.join(" | ")));
    }
    if let Some(binding) = &element.binding {
        let value_set = binding.value_set.as_deref().unwrap_or("no value set");
        line.push_str(&format!(" ({}: {value_set})", binding.strength));
    }
    if element.is_modifier {
        line.push_str(" ?!");
    }
    line
}

fn type_text(type_ref: &TypeRef) -> String {
    if type_ref.targets.is_empty() {
        return type_ref.code.clone();
    }
    format!("{}({})", type_ref.code, type_ref.targets.join(", "))
}
