//! The constraints of an ElementDefinition
//! (<https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint>).
//!
//! A snapshot repeats on an element what the element's type demands (`ele-1` some thousand times), and on a type what
//! the types demand that it specialises, though not always: R5 leaves `dom-2` out of Questionnaire. So a constraint is
//! kept where it is defined, and found there by way of the types.

use anyhow::{Context, Result, bail, ensure};
use fhir_definitions::{Constraint, Severity, TypeDefinition};

use super::canonical;
use super::node::Node;

/// The constraints that a type defines on itself; `element` is the first of its snapshot.
///
/// # Errors
/// Where a constraint says what is not understood here.
pub fn of_type(element: &Node, type_name: &str) -> Result<Vec<Constraint>> {
    let mut constraints = Vec::new();
    for published in element.all("constraint") {
        if source_of(published)?.is_none_or(|source| source == type_name) {
            constraints.push(constraint(published)?);
        }
    }
    Ok(constraints)
}

/// The constraints that a type defines on an element of it, beside those `on_itself`.
///
/// # Errors
/// Where a constraint says what is not understood here.
pub fn of_element(element: &Node, type_name: &str, on_itself: &[Constraint]) -> Result<Vec<Constraint>> {
    let mut constraints = of_type(element, type_name)?;
    // `Extension.extension` is an Extension: it has `ext-1` from its type, which is also the one that it is in.
    constraints.retain(|constraint| on_itself.iter().all(|known| known.key != constraint.key));
    Ok(constraints)
}

fn constraint(published: &Node) -> Result<Constraint> {
    let key = published.required("key")?;
    let severity = match published.required("severity")? {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        other => bail!("the constraint {key} has the unknown severity {other}"),
    };
    let text = |name| published.required(name).map(str::to_owned);
    Ok(Constraint { key: key.to_owned(), severity, expression: text("expression")?, human: text("human")? })
}

/// The name of the type that defines a constraint; `None` where it is not said, which is only so at home.
fn source_of(published: &Node) -> Result<Option<String>> {
    published.text("source").map(canonical::type_name).transpose()
}

/// Fails where a constraint that was left out, because another type defines it, is not there.
pub fn verify_left_out(structures: &[&Node], types: &[TypeDefinition]) -> Result<()> {
    for structure in structures {
        let name = structure.required("name")?;
        let elements = structure.child("snapshot").into_iter().flat_map(|snapshot| snapshot.all("element"));
        for published in elements.flat_map(|element| element.all("constraint")) {
            let Some(source) = source_of(published)?.filter(|source| source != name) else { continue };
            let key = published.required("key")?;
            let defined = types
                .iter()
                .find(|definition| definition.name == source)
                .with_context(|| format!("{name} has {key} from the unknown type {source}"))?;
            ensure!(
                defined.constraints.iter().any(|constraint| constraint.key == key),
                "{name} has {key} from {source}, which does not define it"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::xml;
    use super::*;

    fn read(resource: &str) -> Node {
        let mut found = Node::default();
        xml::read(resource.as_bytes(), &mut |node| {
            found = node;
            Ok(())
        })
        .unwrap();
        found
    }

    fn constraint(key: &str, severity: &str, source: &str) -> String {
        let source = match source {
            "" => String::new(),
            name => format!(r#"<source value="http://hl7.org/fhir/StructureDefinition/{name}"/>"#),
        };
        format!(
            r#"<constraint><key value="{key}"/><severity value="{severity}"/><human value="h"/>
               <expression value="a &gt; b"/>{source}</constraint>"#
        )
    }

    /// An element as the reader gives it, with these constraints.
    fn element(constraints: &str) -> Node {
        read(&format!("<Element>{constraints}</Element>"))
    }

    #[test]
    fn a_constraint_is_kept_where_it_is_defined() {
        let both = [
            constraint("a-1", "error", ""),
            constraint("a-2", "warning", "Thing"),
            constraint("ele-1", "error", "Element"),
        ];
        let found = of_type(&element(&both.concat()), "Thing").unwrap();
        let found: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.severity)).collect();
        assert_eq!(found, [("a-1", Severity::Error), ("a-2", Severity::Warning)]);
    }

    #[test]
    fn an_element_of_the_type_that_it_is_in_has_its_constraints_by_that_type() {
        let itself = of_type(&element(&constraint("ext-1", "error", "")), "Extension").unwrap();
        let both = constraint("ext-1", "error", "Extension") + &constraint("own-1", "error", "Extension");
        let found = of_element(&element(&both), "Extension", &itself).unwrap();
        assert_eq!(found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), ["own-1"]);
    }

    #[test]
    fn the_expression_is_as_published() {
        let found = of_type(&element(&constraint("a-1", "error", "")), "Thing").unwrap();
        assert_eq!(found[0].expression, "a > b");
    }

    #[test]
    fn an_unknown_severity_is_refused() {
        let error = of_type(&element(&constraint("a-1", "fatal", "")), "Thing").unwrap_err();
        assert_eq!(error.to_string(), "the constraint a-1 has the unknown severity fatal");
    }

    #[test]
    fn what_is_left_out_must_be_where_it_is_said_to_be() {
        let thing = read(&format!(
            r#"<StructureDefinition><name value="Thing"/><snapshot><element>{}</element></snapshot></StructureDefinition>"#,
            constraint("ele-1", "error", "Element")
        ));
        let mut types = vec![TypeDefinition {
            name: "Element".to_owned(),
            kind: fhir_definitions::TypeKind::DataType,
            is_abstract: true,
            base: None,
            elements: Vec::new(),
            regex: None,
            constraints: of_type(&element(&constraint("ele-1", "error", "")), "Element").unwrap(),
        }];
        assert!(verify_left_out(&[&thing], &types).is_ok());
        types[0].constraints.clear();
        let error = verify_left_out(&[&thing], &types).unwrap_err();
        assert_eq!(error.to_string(), "Thing has ele-1 from Element, which does not define it");
        let error = verify_left_out(&[&thing], &[]).unwrap_err();
        assert_eq!(error.to_string(), "Thing has ele-1 from the unknown type Element");
    }
}
