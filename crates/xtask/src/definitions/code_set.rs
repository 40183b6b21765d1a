//! The codes of value sets: ValueSet.compose over the published CodeSystems
//! (<https://hl7.org/fhir/R4/valueset.html#compositions>).
//!
//! A value set is enumerated wholly or not at all: of one that reaches for a code system that is not published with
//! FHIR (UCUM, MIME types, languages), or selects by a filter, nothing is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, bail};
use fhir_definitions::{CodeSet, Element, TypeDefinition};

use super::canonical;
use super::node::Node;

/// Codes, each behind its system.
type Codes = BTreeSet<(String, String)>;

/// The code sets of all value sets that `required` bindings name, as far as they can be enumerated; sorted by URL.
pub fn of_required_bindings(types: &[TypeDefinition], terminology: &Terminology<'_>) -> Vec<CodeSet> {
    let mut required = BTreeSet::new();
    for definition in types {
        add_required(&definition.elements, &mut required);
    }
    let mut sets = BTreeMap::new();
    for value_set in required {
        if let Some(codes) = terminology.codes_of(value_set, &[]) {
            sets.insert(canonical::url(value_set).to_owned(), codes);
        }
    }
    sets.into_iter().map(|(value_set, codes)| CodeSet { value_set, systems: by_system(codes) }).collect()
}

/// Adds the value sets of the `required` bindings of these elements and of those inside of them.
pub fn add_required<'a>(elements: &'a [Element], required: &mut BTreeSet<&'a str>) {
    for element in elements {
        let binding = element.binding.as_ref().filter(|binding| binding.strength == "required");
        required.extend(binding.and_then(|binding| binding.value_set.as_deref()));
        add_required(&element.children, required);
    }
}

fn by_system(codes: Codes) -> BTreeMap<String, Vec<String>> {
    let mut systems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (system, code) in codes {
        systems.entry(system).or_default().push(code);
    }
    systems
}

/// The published value sets and code systems, by URL.
pub struct Terminology<'a> {
    value_sets: HashMap<&'a str, &'a Node>,
    code_systems: HashMap<&'a str, &'a Node>,
}

impl<'a> Terminology<'a> {
    /// Takes the resources of both types.
    ///
    /// # Errors
    /// Where two of a type have one URL.
    pub fn new(value_sets: &'a [Node], code_systems: &'a [Node]) -> Result<Self> {
        Ok(Self { value_sets: by_url(value_sets)?, code_systems: by_url(code_systems)? })
    }

    /// All codes of a value set; `None` where what is published does not enumerate them. `open` are the URLs of the
    /// value sets that include this one.
    fn codes_of(&self, value_set: &str, open: &[&str]) -> Option<Codes> {
        let url = canonical::url(value_set);
        if open.contains(&url) {
            return None;
        }
        let open = [open, &[url]].concat();
        let compose = find(&self.value_sets, value_set)?.child("compose")?;
        let mut codes = Codes::new();
        for include in compose.all("include") {
            codes.extend(self.selected(include, &open)?);
        }
        for exclude in compose.all("exclude") {
            let excluded = self.selected(exclude, &open)?;
            codes.retain(|code| !excluded.contains(code));
        }
        Some(codes)
    }

    /// The codes that an `include` or `exclude` selects: those that its system and each of its value sets have.
    fn selected(&self, part: &Node, open: &[&str]) -> Option<Codes> {
        let mut all = Vec::new();
        if let Some(system) = part.text("system") {
            all.push(self.of_system(system, part)?);
        }
        for value_set in part.texts("valueSet") {
            all.push(self.codes_of(value_set, open)?);
        }
        all.into_iter().reduce(|codes, others| codes.intersection(&others).cloned().collect())
    }

    /// The codes of a system that are listed; all where none is.
    fn of_system(&self, system: &str, part: &Node) -> Option<Codes> {
        if part.child("filter").is_some() {
            return None;
        }
        let mut codes = Codes::new();
        if part.child("concept").is_some() {
            add_concepts(part, system, &mut codes);
            return Some(codes);
        }
        let version = part.text("version").map(|version| format!("{system}|{version}"));
        let published = find(&self.code_systems, version.as_deref().unwrap_or(system))?;
        // Code sets compare bytes, which is wrong for a system where case does not matter.
        let is_known =
            published.text("content") == Some("complete") && published.text("caseSensitive") == Some("true");
        is_known.then(|| {
            add_concepts(published, system, &mut codes);
            codes
        })
    }
}

/// Adds the concepts in a node and, in a hierarchy, those below them.
fn add_concepts(node: &Node, system: &str, codes: &mut Codes) {
    for concept in node.all("concept") {
        codes.extend(concept.text("code").map(|code| (system.to_owned(), code.to_owned())));
        add_concepts(concept, system, codes);
    }
}

fn by_url(resources: &[Node]) -> Result<HashMap<&str, &Node>> {
    let mut found = HashMap::new();
    for resource in resources {
        let url = resource.required("url")?;
        if found.insert(url, resource).is_some() {
            bail!("there are two {}s {url}", resource.name);
        }
    }
    Ok(found)
}

/// The resource of this URL, in the version that is asked for where one is.
fn find<'a>(resources: &HashMap<&'a str, &'a Node>, canonical: &str) -> Option<&'a Node> {
    let found = resources.get(canonical::url(canonical))?;
    let version = canonical.split_once('|').map(|(_, version)| version);
    (version.is_none() || version == found.text("version")).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    fn read(resources: &[&str]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for resource in resources {
            json::read(resource.as_bytes(), &mut |node| {
                nodes.push(node);
                Ok(())
            })
            .unwrap();
        }
        nodes
    }

    const COLOURS: &str = r#"{"resourceType":"CodeSystem","url":"http://s/colours","version":"2","content":"complete",
        "caseSensitive":true,"concept":[{"code":"red","concept":[{"code":"crimson"}]},{"code":"blue"}]}"#;
    const LOOSE: &str = r#"{"resourceType":"CodeSystem","url":"http://s/loose","content":"complete",
        "caseSensitive":false,"concept":[{"code":"a"}]}"#;
    const PART: &str = r#"{"resourceType":"CodeSystem","url":"http://s/part","content":"fragment",
        "caseSensitive":true,"concept":[{"code":"a"}]}"#;
    const REDS: &str = r#"{"resourceType":"ValueSet","url":"http://v/reds","version":"1","compose":{"include":[
        {"system":"http://s/colours","concept":[{"code":"red"},{"code":"crimson"}]}]}}"#;

    /// The codes of a value set with this `compose`, joined by spaces, or `nothing`.
    fn codes(compose: &str) -> String {
        let value_set = format!(r#"{{"resourceType":"ValueSet","url":"http://v/own","compose":{compose}}}"#);
        let value_sets = read(&[&value_set, REDS]);
        let code_systems = read(&[COLOURS, LOOSE, PART]);
        let terminology = Terminology::new(&value_sets, &code_systems).unwrap();
        let codes = terminology.codes_of("http://v/own", &[]);
        codes.map_or("nothing".to_owned(), |codes| {
            codes.iter().map(|(_, code)| code.as_str()).collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn all_concepts_of_a_hierarchy_are_codes() {
        assert_eq!(codes(r#"{"include":[{"system":"http://s/colours"}]}"#), "blue crimson red");
    }

    #[test]
    fn listed_concepts_need_no_published_system() {
        let listed = r#"{"include":[{"system":"http://s/other","concept":[{"code":"b"},{"code":"a"}]}]}"#;
        assert_eq!(codes(listed), "a b");
    }

    #[test]
    fn value_sets_are_included_narrowed_and_excluded() {
        assert_eq!(codes(r#"{"include":[{"valueSet":["http://v/reds"]}]}"#), "crimson red");
        let narrowed = r#"{"include":[{"system":"http://s/colours","concept":[{"code":"red"},{"code":"blue"}],
            "valueSet":["http://v/reds|1"]}]}"#;
        assert_eq!(codes(narrowed), "red");
        let excluded =
            r#"{"include":[{"system":"http://s/colours"}],"exclude":[{"valueSet":["http://v/reds"]}]}"#;
        assert_eq!(codes(excluded), "blue");
    }

    #[test]
    fn what_is_not_enumerated_wholly_has_no_codes() {
        for compose in [
            r#"{"include":[{"system":"http://s/other"}]}"#,
            r#"{"include":[{"system":"http://s/part"}]}"#,
            r#"{"include":[{"system":"http://s/loose"}]}"#,
            r#"{"include":[{"system":"http://s/colours","version":"1"}]}"#,
            r#"{"include":[{"system":"http://s/colours","filter":[{"property":"concept","op":"is-a","value":"red"}]}]}"#,
            r#"{"include":[{"valueSet":["http://v/reds|2"]}]}"#,
            r#"{"include":[{"valueSet":["http://v/own"]}]}"#,
            r#"{"include":[{"system":"http://s/colours"},{"system":"http://s/other"}]}"#,
            r#"{"include":[{"system":"http://s/colours"}],"exclude":[{"system":"http://s/other"}]}"#,
        ] {
            assert_eq!(codes(compose), "nothing", "{compose}");
        }
    }

    #[test]
    fn two_value_sets_of_one_url_are_refused() {
        let error = Terminology::new(&read(&[REDS, REDS]), &[]).err().unwrap();
        assert_eq!(error.to_string(), "there are two ValueSets http://v/reds");
    }
}
