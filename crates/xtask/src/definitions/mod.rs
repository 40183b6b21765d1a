//! `cargo xtask definitions`: published StructureDefinitions, value sets, SearchParameters and CompartmentDefinitions
//! in, one compact file per FHIR version out.
//!
//! source (files) → node (XML or JSON, as one tree) → structure, constraint, code_set, compartment (what is kept)
//! → published (is it what was published?), links (is it whole?) → the file. Nothing is written unless all of it
//! succeeded.

mod canonical;
mod code_set;
mod compartment;
mod constraint;
mod json;
mod links;
mod node;
mod published;
mod source;
mod structure;
mod xml;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fhir_definitions::FhirVersion;
use fhir_definitions::document::Document;

use self::code_set::Terminology;
use self::node::Node;
use self::published::Published;
use self::source::SourceFile;

/// The highest level that needs no more memory to decompress; the file is written rarely and read often.
const ZSTD_LEVEL: i32 = 19;

/// The arguments of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The FHIR version to generate: r4, r4b, r5
    #[arg(long, value_parser = version_of_label)]
    version: FhirVersion,
    /// The published definitions: a .tar.gz, or a folder
    #[arg(long)]
    source: PathBuf,
    /// Write nothing; fail where the committed file is not what would be generated
    #[arg(long)]
    check: bool,
}

fn version_of_label(label: &str) -> Result<FhirVersion, String> {
    let known = || FhirVersion::ALL.iter().map(|version| version.label()).collect::<Vec<_>>().join(", ");
    FhirVersion::ALL
        .iter()
        .copied()
        .find(|version| version.label().eq_ignore_ascii_case(label))
        .ok_or_else(|| format!("the versions are: {}", known()))
}

/// Runs the task.
///
/// # Errors
/// Where the source lacks a file, cannot be understood, or is not what was published; with `--check`, where the
/// committed file differs.
pub fn run(arguments: &Arguments) -> Result<()> {
    let published = Published::of(arguments.version)?;
    let files = source::read(&arguments.source, published.files)?;
    let document = generate(published, &files)
        .with_context(|| format!("generating from {}", arguments.source.display()))?;
    let json = serde_json::to_vec(&document).context("writing the document as JSON")?;
    let target = target_of(arguments.version);
    if arguments.check { check(&target, &json) } else { write(&target, &json, &document) }
}

fn generate(published: &Published, files: &[SourceFile]) -> Result<Document> {
    let resources = Resources::read(files)?;
    let mut types = Vec::new();
    let mut structures = Vec::new();
    for resource in resources.of_type("StructureDefinition") {
        if let Some(definition) = structure::type_definition(resource, published.version)? {
            types.push(definition);
            structures.push(resource);
        }
    }
    constraint::verify_left_out(&structures, &types)?;
    types.sort_by(|a, b| a.name.cmp(&b.name));
    let terminology = Terminology::new(resources.of_type("ValueSet"), resources.of_type("CodeSystem"))?;
    let compartments = resources.of_type("CompartmentDefinition");
    let document = Document {
        fhir_version: published.version.number().to_owned(),
        sources: source::as_sources(published.files, files),
        code_sets: code_set::of_required_bindings(&types, &terminology),
        compartments: vec![compartment::patient(compartments, resources.of_type("SearchParameter"))?],
        types,
    };
    published.verify(document.clone())?;
    Ok(document)
}

/// What the files hold, by resource type, in the order of the files.
#[derive(Default)]
struct Resources(HashMap<String, Vec<Node>>);

impl Resources {
    fn read(files: &[SourceFile]) -> Result<Self> {
        let mut resources = Self::default();
        for file in files {
            read_resources(file, &mut |resource: Node| {
                if !is_example(&resource) {
                    resources.0.entry(resource.name.clone()).or_default().push(resource);
                }
                Ok(())
            })
            .with_context(|| format!("reading {}", file.name))?;
        }
        Ok(resources)
    }

    fn of_type(&self, name: &str) -> &[Node] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Whether the resource only shows how such resources look like: some are published between the definitions, and
/// what they say does not hold.
fn is_example(resource: &Node) -> bool {
    resource.text("id").is_some_and(|id| id == "example" || id.starts_with("example-"))
}

fn read_resources(file: &SourceFile, visit: &mut dyn FnMut(Node) -> Result<()>) -> Result<()> {
    match Path::new(&file.name).extension().and_then(|extension| extension.to_str()) {
        Some("xml") => xml::read(&file.bytes, visit),
        Some("json") => json::read(&file.bytes, visit),
        _ => bail!("neither .xml nor .json"),
    }
}

fn target_of(version: FhirVersion) -> PathBuf {
    let name = format!("{}.json.zst", version.label().to_ascii_lowercase());
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fhir-definitions/data").join(name)
}

fn write(target: &Path, json: &[u8], document: &Document) -> Result<()> {
    let compressed = zstd::bulk::compress(json, ZSTD_LEVEL).context("compressing")?;
    std::fs::write(target, &compressed).with_context(|| format!("writing {}", target.display()))?;
    println!(
        "{}: FHIR {}, {} types, {} bytes ({} uncompressed)",
        target.display(),
        document.fhir_version,
        document.types.len(),
        compressed.len(),
        json.len()
    );
    Ok(())
}

/// Compares the documents, not their compressed bytes: another release of zstd may compress them differently.
fn check(target: &Path, json: &[u8]) -> Result<()> {
    let committed = std::fs::read(target).with_context(|| format!("reading {}", target.display()))?;
    let committed =
        zstd::decode_all(&committed[..]).with_context(|| format!("decompressing {}", target.display()))?;
    if committed != json {
        bail!("{} is not what would be generated; run the task without --check", target.display());
    }
    println!("{} is what would be generated", target.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_given_by_its_label() {
        assert_eq!(version_of_label("r4"), Ok(FhirVersion::R4));
        assert_eq!(version_of_label("R4B"), Ok(FhirVersion::R4B));
        assert_eq!(version_of_label("dstu2"), Err("the versions are: R4, R4B, R5".to_owned()));
    }

    #[test]
    fn what_is_committed_is_exactly_what_its_document_gives() {
        for version in FhirVersion::ALL {
            let compressed = std::fs::read(target_of(*version)).unwrap();
            let document = Document::from_zstd(&compressed).unwrap();
            let json = serde_json::to_vec(&document).unwrap();
            assert!(zstd::decode_all(&compressed[..]).unwrap() == json, "{version}");
        }
    }

    #[test]
    fn examples_are_told_by_their_id() {
        let resource = |id: &str| Node {
            name: "SearchParameter".to_owned(),
            value: None,
            children: vec![Node { name: "id".to_owned(), value: Some(id.to_owned()), children: vec![] }],
        };
        assert!(is_example(&resource("example")) && is_example(&resource("example-section-library")));
        assert!(!is_example(&resource("examplescenario-actor-type")) && !is_example(&resource("Patient")));
    }
}
