//! The ValueSets that a session knows the codes of, from files (<https://hl7.org/fhir/R4/valueset.html>).
//!
//! One invariant: a value set is known with all of its codes, or not at all. One whose codes are elsewhere, in a code system or on
//! a terminology server, is refused with what to do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Of so many value sets an error says the names.
const NAMED: usize = 20;

/// The value sets of a session.
#[derive(Debug, Default)]
pub struct ValueSets {
    sets: Vec<ValueSet>,
}

/// A value set that was in a file.
#[derive(Debug)]
struct ValueSet {
    file: PathBuf,
    url: Option<String>,
    version: Option<String>,
    name: Option<String>,
    id: Option<String>,
    /// Its codes, or why they are not known.
    codes: std::result::Result<Codes, String>,
}

/// Codes, by their system.
#[derive(Debug, Default)]
pub(super) struct Codes(HashMap<String, HashSet<String>>);

impl ValueSet {
    /// All that makes an answer of `in_value_set`, in one order.
    fn as_text(&self) -> String {
        let codes = self.codes.as_ref().map(|codes| {
            let of_system = |(system, codes): (&String, &HashSet<String>)| {
                (system.clone(), codes.iter().cloned().collect::<BTreeSet<_>>())
            };
            codes.0.iter().map(of_system).collect::<BTreeMap<_, _>>()
        });
        format!("{:?} {:?} {:?} {:?} {codes:?}", self.url, self.version, self.name, self.id)
    }
}

impl Codes {
    /// Whether the code of this system is one of them.
    pub(super) fn has(&self, system: Option<&str>, code: &str) -> bool {
        self.0.get(system.unwrap_or_default()).is_some_and(|codes| codes.contains(code))
    }

    /// Whether the code is one of them in any system.
    pub(super) fn has_in_any_system(&self, code: &str) -> bool {
        self.0.values().any(|codes| codes.contains(code))
    }

    fn add(&mut self, system: &str, code: String) {
        match self.0.get_mut(system) {
            Some(codes) => drop(codes.insert(code)),
            None => drop(self.0.insert(system.to_owned(), HashSet::from([code]))),
        }
    }

    fn remove(&mut self, system: &str, code: &str) {
        if let Some(codes) = self.0.get_mut(system) {
            codes.remove(code);
        }
    }
}

impl ValueSets {
    /// Reads files, each a ValueSet as JSON, and folders of them; other resources in a folder are passed over.
    ///
    /// # Errors
    /// [`Error::Refused`] for what cannot be read, for a file that is no ValueSet, and for one whose codes are not in it. In a
    /// folder such a value set is refused when it is asked for.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut sets: Vec<ValueSet> = Vec::new();
        // A file that is named beside its folder is no second value set.
        let mut seen = HashSet::new();
        let mut is_new = |path: &Path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        for path in paths {
            if path.is_dir() {
                for file in files(path)?.into_iter().filter(|file| is_new(file)) {
                    sets.extend(read(&file)?);
                }
                continue;
            }
            if !is_new(path) {
                continue;
            }
            let set = read(path)?.ok_or_else(|| refused(path, "it is no ValueSet"))?;
            if let Err(reason) = &set.codes {
                return Err(refused(path, reason));
            }
            sets.push(set);
        }
        Ok(Self { sets })
    }

    /// What tells these value sets from others: a hash of what each is called, and of its codes.
    pub fn fingerprint(&self) -> String {
        let mut all: Vec<String> = self.sets.iter().map(ValueSet::as_text).collect();
        all.sort_unstable();
        let hash = Sha256::digest(all.join("\n"));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The codes of the value set with this URL (also `url|version`), name or id.
    ///
    /// # Errors
    /// Why there is none: it is not loaded, its codes are not known, or several are called so.
    pub(super) fn find(&self, name: &str) -> std::result::Result<&Codes, String> {
        let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
        let by_url = |set: &&ValueSet| {
            set.url.as_deref() == Some(url) && (version.is_none() || set.version.as_deref() == version)
        };
        let by_name = |set: &&ValueSet| set.name.as_deref() == Some(name) || set.id.as_deref() == Some(name);
        let mut found: Vec<&ValueSet> = self.sets.iter().filter(by_url).collect();
        if found.is_empty() {
            found = self.sets.iter().filter(by_name).collect();
        }
        match found.as_slice() {
            [] => Err(self.missing(name)),
            [set] => set
                .codes
                .as_ref()
                .map_err(|reason| format!("the value set {name} ({}): {reason}", set.file.display())),
            [one, other, ..] => Err(format!(
                "{name} is in both {} and {}: say which by url|version, or load one of them",
                one.file.display(),
                other.file.display()
            )),
        }
    }

    fn missing(&self, name: &str) -> String {
        let mut known: Vec<&str> = self
            .sets
            .iter()
            .filter_map(|set| set.url.as_deref().or(set.name.as_deref()).or(set.id.as_deref()))
            .collect();
        known.sort_unstable();
        known.dedup();
        if known.is_empty() {
            return format!(
                "the value set {name} is not loaded, and no other is: --value-set FILE_OR_FOLDER loads them"
            );
        }
        let others = known.len().saturating_sub(NAMED);
        known.truncate(NAMED);
        let others = if others > 0 { format!(" and {others} more") } else { String::new() };
        format!("the value set {name} is not loaded; those that are: {}{others}", known.join(", "))
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused(format!("the value set {}: {reason}", path.display()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| refused(folder, &error.to_string());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A ValueSet as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    id: Option<String>,
    url: Option<String>,
    version: Option<String>,
    name: Option<String>,
    compose: Option<Compose>,
    expansion: Option<Expansion>,
}

#[derive(Debug, Deserialize)]
struct Compose {
    #[serde(default)]
    include: Vec<Part>,
    #[serde(default)]
    exclude: Vec<Part>,
}

/// What is included, or excluded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    system: Option<String>,
    #[serde(default)]
    concept: Vec<Concept>,
    #[serde(default)]
    filter: Vec<IgnoredAny>,
    #[serde(default)]
    value_set: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Concept {
    code: String,
}

#[derive(Debug, Deserialize)]
struct Expansion {
    total: Option<i64>,
    offset: Option<i64>,
    /// The page after this one (R5).
    next: Option<IgnoredAny>,
    #[serde(default)]
    contains: Vec<Contained>,
    #[serde(default)]
    parameter: Vec<Flag>,
    #[serde(default)]
    extension: Vec<Flag>,
}

/// A parameter or an extension that may say that an expansion is not whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flag {
    #[serde(alias = "url")]
    name: Option<String>,
    value_boolean: Option<bool>,
    value_integer: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Contained {
    system: Option<String>,
    code: Option<String>,
    #[serde(default, rename = "abstract")]
    is_abstract: bool,
    #[serde(default)]
    contains: Vec<Contained>,
}

/// The value set of a file; `None` where it has another resource.
fn read(path: &Path) -> Result<Option<ValueSet>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        resource_type: Option<String>,
    }
    let content = std::fs::read(path).map_err(|error| refused(path, &error.to_string()))?;
    let damaged = |error: serde_json::Error| refused(path, &format!("it is no ValueSet as JSON: {error}"));
    // Windows' editors put a byte order mark before it.
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&content);
    if content.trim_ascii_start().first() == Some(&b'[') {
        return Ok(None);
    }
    let kind: Kind = serde_json::from_slice(content).map_err(damaged)?;
    if kind.resource_type.as_deref() != Some("ValueSet") {
        return Ok(None);
    }
    let written: Written = serde_json::from_slice(content).map_err(damaged)?;
    let codes = match (&written.expansion, &written.compose) {
        (Some(expansion), Some(compose)) if !expansion.has_codes() => composed(compose),
        (Some(expansion), _) => expanded(expansion),
        (None, Some(compose)) => composed(compose),
        (None, None) => Err("it has neither an expansion nor a definition of its codes".to_owned()),
    };
    let Written { id, url, version, name, .. } = written;
    Ok(Some(ValueSet { file: path.to_owned(), url, version, name, id, codes }))
}

/// What to do where the codes are elsewhere.
const EXPAND: &str = "let a terminology server expand it ($expand), and load the ValueSet that it answers";

/// How many of each an expansion has.
#[derive(Default)]
struct Counted {
    /// Of all nodes, those that group others among them.
    nodes: i64,
    codes: i64,
}

fn expanded(expansion: &Expansion) -> std::result::Result<Codes, String> {
    fn add(contains: &[Contained], codes: &mut Codes, counted: &mut Counted) {
        for one in contains {
            counted.nodes += 1;
            // What is abstract is there to group others, and no code of data.
            if let Some(code) = one.code.clone().filter(|_| !one.is_abstract) {
                counted.codes += 1;
                codes.add(one.system.as_deref().unwrap_or_default(), code);
            }
            add(&one.contains, codes, counted);
        }
    }
    let (mut codes, mut counted) = (Codes::default(), Counted::default());
    add(&expansion.contains, &mut codes, &mut counted);
    if expansion.is_part(&counted) {
        return Err(format!(
            "its expansion says that it is not whole: {EXPAND}, without a filter and without a limit"
        ));
    }
    if !expansion.has_codes() {
        return Err(format!("its expansion has no codes, and does not say that there are none: {EXPAND}"));
    }
    Ok(codes)
}

impl Expansion {
    /// Whether it says codes, or that there are none.
    fn has_codes(&self) -> bool {
        !self.contains.is_empty() || self.total == Some(0)
    }

    /// Whether it says that there are codes beside those that it has.
    fn is_part(&self, counted: &Counted) -> bool {
        let says_part = |flag: &Flag| {
            let name = flag.name.as_deref().unwrap_or_default();
            match (name, flag.value_integer) {
                // A page of as many codes as were asked for may have others after it, unless their number is said.
                ("count", Some(count)) => match self.total {
                    None => count <= counted.nodes,
                    Some(total) => count <= counted.codes && total > counted.codes,
                },
                ("offset", Some(offset)) => offset > 0,
                // It was made of the codes whose names have a text.
                ("filter", _) => true,
                _ => {
                    let is_about = ["valueset-unclosed", "valueset-toocostly", "limitedExpansion"];
                    flag.value_boolean == Some(true) && is_about.iter().any(|part| name.ends_with(part))
                }
            }
        };
        self.next.is_some()
            || self.offset.is_some_and(|offset| offset > 0)
            || self.total.is_some_and(|total| total > counted.nodes)
            || self.parameter.iter().chain(&self.extension).any(says_part)
    }
}

fn composed(compose: &Compose) -> std::result::Result<Codes, String> {
    let mut codes = Codes::default();
    if compose.include.is_empty() {
        return Err(format!("its definition includes nothing: {EXPAND}"));
    }
    for part in &compose.include {
        let system = listed(part)?;
        part.concept.iter().for_each(|concept| codes.add(system, concept.code.clone()));
    }
    for part in &compose.exclude {
        let system = listed(part)?;
        part.concept.iter().for_each(|concept| codes.remove(system, &concept.code));
    }
    Ok(codes)
}

/// The system of a part that lists its codes.
fn listed(part: &Part) -> std::result::Result<&str, String> {
    let elsewhere = match part.system.as_deref() {
        _ if !part.filter.is_empty() => "it filters the codes of a code system",
        _ if !part.value_set.is_empty() => "it is made of other value sets",
        _ if part.concept.is_empty() => "it has all codes of a code system",
        Some(system) => return Ok(system),
        None => return Err("its codes are of no system".to_owned()),
    };
    Err(format!("{elsewhere}, and they are not in the file: {EXPAND}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<ValueSets>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let sets = ValueSets::read(&[folder.path().to_owned()]);
        (folder, sets)
    }

    fn of(body: &str) -> std::result::Result<Vec<String>, String> {
        let set = format!(r#"{{"resourceType":"ValueSet","id":"v",{body}}}"#);
        let (_folder, sets) = load(&[("v.json", &set)]);
        let sets = sets.unwrap();
        let codes = sets.find("v")?;
        let mut all: Vec<String> = codes
            .0
            .iter()
            .flat_map(|(system, codes)| codes.iter().map(move |code| format!("{system}|{code}")))
            .collect();
        all.sort();
        Ok(all)
    }

    #[test]
    fn codes_are_those_that_are_listed_without_those_that_are_excluded() {
        let compose = r#""compose":{"include":[{"system":"s","concept":[{"code":"1"},{"code":"2"}]},{"system":"t","concept":[{"code":"1"}]}],
            "exclude":[{"system":"s","concept":[{"code":"2"}]}]}"#;
        assert_eq!(of(compose).unwrap(), ["s|1", "t|1"]);
    }

    #[test]
    fn an_expansion_counts_before_the_definition_and_at_every_depth() {
        let both = r#""compose":{"include":[{"system":"s"}]},"expansion":{"total":3,"contains":[
            {"system":"s","code":"group","abstract":true,"contains":[{"system":"s","code":"1","contains":[{"system":"s","code":"2"}]}]}]}"#;
        assert_eq!(of(both).unwrap(), ["s|1", "s|2"]);
    }

    #[test]
    fn codes_that_are_elsewhere_are_refused_with_what_to_do() {
        for (body, reason) in [
            (r#""compose":{"include":[{"system":"s"}]}"#, "all codes of a code system"),
            (
                r#""compose":{"include":[{"system":"s","filter":[{"property":"p","op":"=","value":"v"}]}]}"#,
                "filters",
            ),
            (r#""compose":{"include":[{"valueSet":["urn:other"]}]}"#, "other value sets"),
            (
                r#""compose":{"include":[{"system":"s","concept":[{"code":"1"}]}],"exclude":[{"system":"s"}]}"#,
                "all codes",
            ),
            (r#""expansion":{"total":2,"contains":[{"system":"s","code":"1"}]}"#, "not whole"),
            (r#""expansion":{"offset":1000,"contains":[{"system":"s","code":"1"}]}"#, "not whole"),
            (
                r#""expansion":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-unclosed","valueBoolean":true}]}"#,
                "not whole",
            ),
            (r#""expansion":{"parameter":[{"name":"limitedExpansion","valueBoolean":true}]}"#, "not whole"),
            (
                r#""expansion":{"parameter":[{"name":"count","valueInteger":1}],"contains":[{"system":"s","code":"1"}]}"#,
                "not whole",
            ),
            (r#""expansion":{"next":"urn:page2","contains":[{"system":"s","code":"1"}]}"#, "not whole"),
            (
                r#""expansion":{"total":1,"parameter":[{"name":"filter","valueString":"x"}],"contains":[{"system":"s","code":"1"}]}"#,
                "not whole",
            ),
            // One that groups two others, and no third.
            (
                r#""expansion":{"total":3,"parameter":[{"name":"count","valueInteger":2}],"contains":[
                {"abstract":true,"contains":[{"system":"s","code":"1"},{"system":"s","code":"2"}]}]}"#,
                "not whole",
            ),
            (
                r#""expansion":{"parameter":[{"name":"count","valueInteger":3}],"contains":[
                {"abstract":true,"contains":[{"system":"s","code":"1"},{"system":"s","code":"2"}]}]}"#,
                "not whole",
            ),
            (r#""expansion":{"parameter":[{"name":"x","valueInteger":-1}]}"#, "has no codes"),
            (r#""compose":{"exclude":[{"system":"s","concept":[{"code":"1"}]}]}"#, "includes nothing"),
        ] {
            let error = of(body).unwrap_err();
            assert!(error.contains(reason) && error.contains("$expand"), "{body}: {error}");
        }
        assert!(of(r#""status":"draft""#).unwrap_err().contains("neither"));
        assert!(of(r#""expansion":{"total":0}"#).unwrap().is_empty());
        let grouped = r#""expansion":{"total":2,"contains":[{"abstract":true,"contains":[{"system":"s","code":"1"}]}]}"#;
        assert_eq!(of(grouped).unwrap(), ["s|1"]);
        let whole = r#""expansion":{},"compose":{"include":[{"system":"s","concept":[{"code":"1"}]}]}"#;
        assert_eq!(of(whole).unwrap(), ["s|1"]);
    }

    const ONE: &str = r#"{"resourceType":"ValueSet","id":"a","url":"urn:a","version":"1","name":"A","compose":{"include":[{"system":"s","concept":[{"code":"1"}]}]}}"#;

    #[test]
    fn a_version_says_which_of_two_is_meant() {
        let two =
            ONE.replace(r#""version":"1""#, r#""version":"2""#).replace(r#""code":"1""#, r#""code":"2""#);
        let (_folder, sets) = load(&[("a1.json", ONE), ("a2.json", &two)]);
        let sets = sets.unwrap();
        assert!(sets.find("urn:a|2").unwrap().has(Some("s"), "2"));
        assert!(sets.find("urn:a").unwrap_err().contains("url|version"));
        assert!(sets.find("urn:a|3").unwrap_err().contains("not loaded"));
    }

    #[test]
    fn what_is_no_value_set_is_passed_over_in_a_folder_and_refused_by_itself() {
        let (folder, sets) = load(&[
            ("a.json", &format!("\u{feff}{ONE}")),
            ("package.json", "{}"),
            ("list.json", "[1]"),
            ("notes.txt", "x"),
        ]);
        assert!(sets.unwrap().find("A").is_ok());
        let alone = ValueSets::read(&[folder.path().join("package.json")]).unwrap_err().to_string();
        assert!(alone.contains("no ValueSet"), "{alone}");
        let (_folder, damaged) = load(&[("a.json", "{")]);
        assert!(damaged.unwrap_err().to_string().contains("a.json"));
        let missing = ValueSets::read(&[folder.path().join("none.json")]).unwrap_err().to_string();
        assert!(missing.contains("none.json"), "{missing}");
    }
}
