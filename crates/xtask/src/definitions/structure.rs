//! A StructureDefinition's snapshot as a tree of elements
//! (<https://hl7.org/fhir/R4/structuredefinition.html>, <https://hl7.org/fhir/R4/elementdefinition.html>).

use std::iter::Peekable;
use std::vec::IntoIter;

use anyhow::{Context, Result, bail};
use fhir_definitions::{Binding, Constraint, Element, FhirVersion, Max, TypeDefinition, TypeKind, TypeRef};

use super::node::Node;
use super::{canonical, constraint};

const SYSTEM_TYPE: &str = "http://hl7.org/fhirpath/System.";
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const REGEX: &str = "http://hl7.org/fhir/StructureDefinition/regex";

/// The type that a StructureDefinition defines; `None` for a profile and for a logical model.
///
/// # Errors
/// Where it is of another FHIR version, or says what is not understood here.
pub fn type_definition(resource: &Node, version: FhirVersion) -> Result<Option<TypeDefinition>> {
    let name = resource.required("name")?;
    read_type(resource, name, version).with_context(|| format!("StructureDefinition {name}"))
}

fn read_type(resource: &Node, name: &str, version: FhirVersion) -> Result<Option<TypeDefinition>> {
    let kind = match resource.required("kind")? {
        "primitive-type" => TypeKind::Primitive,
        "complex-type" => TypeKind::DataType,
        "resource" => TypeKind::Resource,
        "logical" => return Ok(None),
        other => bail!("unknown kind {other}"),
    };
    if resource.text("derivation") == Some("constraint") {
        return Ok(None);
    }
    let fhir_version = resource.required("fhirVersion")?;
    if fhir_version != version.number() {
        bail!("is of FHIR {fhir_version}, not {}", version.number());
    }
    let snapshot = resource.child("snapshot").context("no snapshot")?;
    let published: Vec<&Node> = snapshot.all("element").collect();
    let regex = published
        .iter()
        .filter(|_| kind == TypeKind::Primitive)
        .filter(|element| element.text("path").is_some_and(|path| path.ends_with(".value")))
        .find_map(|element| element.all("type").find_map(|type_ref| type_ref.extension(REGEX)));
    let itself = published.first().context("the snapshot has no element")?;
    let constraints = constraint::of_type(itself, name)?;
    Ok(Some(TypeDefinition {
        name: name.to_owned(),
        kind,
        is_abstract: resource.text("abstract") == Some("true"),
        base: resource.text("baseDefinition").map(canonical::type_name).transpose()?,
        elements: tree(name, &published, &constraints)?,
        regex: regex.map(str::to_owned),
        constraints,
    }))
}

type Flat = Peekable<IntoIter<(String, Element)>>;

/// The flat list of a snapshot, whose first is the type itself, as a tree.
fn tree(type_name: &str, published: &[&Node], on_itself: &[Constraint]) -> Result<Vec<Element>> {
    let mut flat = Vec::new();
    for element in published.iter().skip(1) {
        let path = element.required("path")?;
        let Some(mut read) = read_element(element, path).with_context(|| path.to_owned())? else { continue };
        read.constraints = constraint::of_element(element, type_name, on_itself)
            .with_context(|| format!("the constraints of {path}"))?;
        flat.push((path.to_owned(), read));
    }
    let mut flat = flat.into_iter().peekable();
    let elements = children_of(&mut flat, type_name);
    match flat.next() {
        None => Ok(elements),
        Some((path, _)) => bail!("{path} comes before the element that it is in"),
    }
}

fn children_of(flat: &mut Flat, parent: &str) -> Vec<Element> {
    let mut children = Vec::new();
    while let Some((path, mut element)) = flat.next_if(|(path, _)| is_child(path, parent)) {
        element.children = children_of(flat, &path);
        children.push(element);
    }
    children
}

fn is_child(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.')).is_some_and(|name| !name.contains('.'))
}

/// One element without its children and constraints; `None` where it may not occur.
fn read_element(element: &Node, path: &str) -> Result<Option<Element>> {
    if element.text("sliceName").is_some() {
        bail!("is a slice, which no base definition has");
    }
    let Some(max) = max_of(element)? else { return Ok(None) };
    let last = path.rsplit('.').next().unwrap_or(path);
    let name = last.strip_suffix("[x]").unwrap_or(last);
    let content_reference = element.text("contentReference").map(content_reference).transpose()?;
    let types = types_of(element)?;
    let choice = last.ends_with("[x]");
    if types.is_empty() != content_reference.is_some() {
        bail!("has not either types or a content reference");
    }
    if types.len() > 1 && !choice {
        bail!("has several types and is no choice");
    }
    let element = Element {
        name: name.to_owned(),
        min: element.required("min")?.parse().context("min is no number")?,
        max,
        types,
        choice,
        content_reference,
        children: Vec::new(),
        binding: element.child("binding").map(binding_of).transpose()?,
        is_modifier: element.text("isModifier") == Some("true"),
        constraints: Vec::new(),
    };
    Ok(Some(element))
}

/// How many values there are at most; `None` where the element may not occur.
///
/// JSON has an array where the element's first definition allows several, even if a type derived from it allows
/// one only: hence the base's maximum counts (<https://hl7.org/fhir/R4/json.html#repeating>).
fn max_of(element: &Node) -> Result<Option<Max>> {
    let own = element.required("max")?;
    if own == "0" {
        return Ok(None);
    }
    match element.child("base").and_then(|base| base.text("max")).unwrap_or(own) {
        "1" => Ok(Some(Max::One)),
        "*" => Ok(Some(Max::Many)),
        number => match number.parse::<u32>() {
            Ok(2..) => Ok(Some(Max::Many)),
            _ => bail!("unknown maximum {number}"),
        },
    }
}

/// `#Questionnaire.item`, with or without the definition's URL before it, as `Questionnaire.item`.
fn content_reference(reference: &str) -> Result<String> {
    let (_, path) = reference.split_once('#').context("the content reference has no #")?;
    Ok(path.to_owned())
}

fn types_of(element: &Node) -> Result<Vec<TypeRef>> {
    let mut types: Vec<TypeRef> = Vec::new();
    for published in element.all("type") {
        let code = type_code(published)?;
        let targets =
            published.texts("targetProfile").map(canonical::type_name).collect::<Result<Vec<_>>>()?;
        match types.iter_mut().find(|known| known.code == code) {
            Some(known) => known.targets.extend(targets),
            None => types.push(TypeRef { code, targets }),
        }
    }
    Ok(types)
}

/// The FHIR type: where a type of FHIRPath is given (<http://hl7.org/fhirpath/System.String>), the one that the
/// extension beside it names, else the primitive of the same name.
fn type_code(published: &Node) -> Result<String> {
    let code = published.required("code")?;
    let Some(system) = code.strip_prefix(SYSTEM_TYPE) else { return Ok(code.to_owned()) };
    if let Some(fhir_type) = published.extension(FHIR_TYPE) {
        return Ok(fhir_type.to_owned());
    }
    let mut letters = system.chars();
    let first = letters.next().context("a system type without a name")?;
    Ok(format!("{}{}", first.to_ascii_lowercase(), letters.as_str()))
}

fn binding_of(binding: &Node) -> Result<Binding> {
    Ok(Binding {
        strength: binding.required("strength")?.to_owned(),
        value_set: binding.text("valueSet").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A StructureDefinition with these elements in its snapshot, the type itself before them.
    fn definition(head: &str, elements: &[&str]) -> Result<Option<TypeDefinition>> {
        let xml = format!(
            r#"<StructureDefinition><name value="Thing"/><fhirVersion value="4.0.1"/>{head}<snapshot>
               <element><path value="Thing"/><min value="0"/><max value="*"/></element>{}</snapshot></StructureDefinition>"#,
            elements.concat()
        );
        let mut resource = Node::default();
        super::super::xml::read(xml.as_bytes(), &mut |node| {
            resource = node;
            Ok(())
        })?;
        type_definition(&resource, FhirVersion::R4)
    }

    fn element(path: &str, max: &str, more: &str) -> String {
        format!(r#"<element><path value="{path}"/><min value="0"/><max value="{max}"/>{more}</element>"#)
    }

    const RESOURCE: &str = r#"<kind value="resource"/><abstract value="false"/>"#;
    const BACKBONE: &str = r#"<type><code value="BackboneElement"/></type>"#;
    const STRING: &str = r#"<type><code value="string"/></type>"#;

    fn message(result: Result<Option<TypeDefinition>>) -> String {
        format!("{:#}", result.unwrap_err())
    }

    #[test]
    fn a_flat_snapshot_becomes_a_tree() {
        let thing = definition(
            RESOURCE,
            &[
                &element("Thing.part", "*", BACKBONE),
                &element("Thing.part.inner", "1", BACKBONE),
                &element("Thing.part.inner.name", "1", STRING),
                &element("Thing.part.last", "1", STRING),
                &element("Thing.partner", "1", STRING),
            ],
        )
        .unwrap()
        .unwrap();
        let part = thing.element("part").unwrap();
        assert_eq!(part.max, Max::Many);
        assert!(part.child("inner").unwrap().child("name").is_some());
        assert!(part.child("last").is_some());
        assert_eq!(thing.element("partner").unwrap().max, Max::One);
        assert_eq!(thing.elements.len(), 2);
    }

    #[test]
    fn an_element_without_its_parent_is_refused() {
        let orphan = definition(RESOURCE, &[&element("Thing.part.inner", "1", STRING)]);
        assert!(message(orphan).contains("Thing.part.inner comes before"));
    }

    #[test]
    fn profiles_and_logical_models_are_no_types() {
        let profile = r#"<kind value="complex-type"/><derivation value="constraint"/>"#;
        assert!(definition(profile, &[]).unwrap().is_none());
        assert!(definition(r#"<kind value="logical"/>"#, &[]).unwrap().is_none());
    }

    #[test]
    fn another_fhir_version_is_refused() {
        let xml = r#"<StructureDefinition><name value="Thing"/><fhirVersion value="4.3.0"/><kind value="resource"/>
            <snapshot/></StructureDefinition>"#;
        super::super::xml::read(xml.as_bytes(), &mut |resource| {
            let error = message(type_definition(&resource, FhirVersion::R4));
            assert_eq!(error, "StructureDefinition Thing: is of FHIR 4.3.0, not 4.0.1");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn an_element_that_may_not_occur_is_left_out() {
        let thing = definition(RESOURCE, &[&element("Thing.none", "0", STRING)]).unwrap().unwrap();
        assert!(thing.elements.is_empty());
    }

    #[test]
    fn the_base_decides_whether_json_has_an_array() {
        let base = format!(r#"<base><path value="Base.a"/><max value="*"/></base>{STRING}"#);
        let thing =
            definition(RESOURCE, &[&element("Thing.a", "1", &base), &element("Thing.b", "3", STRING)]);
        let thing = thing.unwrap().unwrap();
        assert_eq!(thing.element("a").unwrap().max, Max::Many);
        assert_eq!(thing.element("b").unwrap().max, Max::Many);
    }

    #[test]
    fn types_of_fhirpath_become_primitives_of_fhir() {
        let plain = r#"<type><code value="http://hl7.org/fhirpath/System.DateTime"/></type>"#;
        let named = format!(
            r#"<type><extension url="{FHIR_TYPE}"><valueUrl value="uri"/></extension>
               <code value="http://hl7.org/fhirpath/System.String"/></type>"#
        );
        let thing =
            definition(RESOURCE, &[&element("Thing.a", "1", plain), &element("Thing.b", "1", &named)]);
        let thing = thing.unwrap().unwrap();
        assert_eq!(thing.element("a").unwrap().types[0].code, "dateTime");
        assert_eq!(thing.element("b").unwrap().types[0].code, "uri");
    }

    #[test]
    fn content_references_are_paths_with_or_without_the_definition_before_them() {
        assert_eq!(content_reference("#Thing.part").unwrap(), "Thing.part");
        let absolute = "http://hl7.org/fhir/StructureDefinition/Thing#Thing.part";
        assert_eq!(content_reference(absolute).unwrap(), "Thing.part");
        assert!(content_reference("Thing.part").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_path() {
        for (more, reason) in [
            ("", "has not either"),
            (r#"<sliceName value="s"/><type><code value="string"/></type>"#, "is a slice"),
            (r#"<type><code value="string"/></type><type><code value="date"/></type>"#, "several types"),
            (
                r#"<type><code value="Reference"/><targetProfile value="http://elsewhere/P"/></type>"#,
                "no type of",
            ),
        ] {
            let error = message(definition(RESOURCE, &[&element("Thing.a", "1", more)]));
            assert!(error.contains("Thing.a") && error.contains(reason), "{error}");
        }
        assert!(
            message(definition(RESOURCE, &[&element("Thing.a", "many", STRING)])).contains("unknown maximum")
        );
    }
}
