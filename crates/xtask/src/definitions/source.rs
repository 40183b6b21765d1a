//! The published files, out of a folder or a `.tar.gz`.
//!
//! They are asked for by name. A name with a `*` is a pattern for all files that are so called: FHIR R5 publishes
//! every definition as a file of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fhir_definitions::document::Source;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// A published file, whole.
pub struct SourceFile {
    /// Its name, without a folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl SourceFile {
    fn sha256(&self) -> String {
        hexadecimal(&Sha256::digest(&self.bytes))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the generated document says about the files of these names, sorted by name.
///
/// A pattern has one hash for all of its files, so that thousands of files do not take more room than what is
/// generated from them: that of what `sha256sum` prints of them, in the order of their names.
pub fn as_sources(names: &[&str], files: &[SourceFile]) -> Vec<Source> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.into_iter().map(|name| as_source(name, files)).collect()
}

fn as_source(name: &str, files: &[SourceFile]) -> Source {
    let mut own = files.iter().filter(|file| matches(name, &file.name));
    let sha256 = if name.contains('*') {
        let lines: String = own.map(|file| format!("{}  {}\n", file.sha256(), file.name)).collect();
        hexadecimal(&Sha256::digest(lines))
    } else {
        own.next().map(SourceFile::sha256).unwrap_or_default()
    };
    Source { file: name.to_owned(), sha256 }
}

fn matches(name: &str, file: &str) -> bool {
    match name.split_once('*') {
        Some((start, end)) => file.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => file == name,
    }
}

/// Reads the files of these names, whatever folder of the source they are in; sorted by name.
///
/// # Errors
/// Where there is none of a name, or two files have one name.
pub fn read(source: &Path, names: &[&str]) -> Result<Vec<SourceFile>> {
    let files = if source.is_dir() {
        from_folder(source, names)
    } else {
        File::open(source).map_err(Into::into).and_then(|file| from_archive(file, names))
    };
    files.with_context(|| format!("reading {}", source.display()))
}

fn from_folder(folder: &Path, names: &[&str]) -> Result<Vec<SourceFile>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = wanted(&path, names) else { continue };
        files.insert(name.to_owned(), std::fs::read(&path).with_context(|| name.to_owned())?);
    }
    complete(files, names)
}

fn from_archive(archive: impl Read, names: &[&str]) -> Result<Vec<SourceFile>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = wanted(&path, names) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if files.insert(name.to_owned(), bytes).is_some() {
            bail!("the archive has two files {name}");
        }
    }
    complete(files, names)
}

/// The name of a file that is asked for.
fn wanted<'p>(path: &'p Path, names: &[&str]) -> Option<&'p str> {
    let file = path.file_name()?.to_str()?;
    names.iter().any(|name| matches(name, file)).then_some(file)
}

fn complete(files: BTreeMap<String, Vec<u8>>, names: &[&str]) -> Result<Vec<SourceFile>> {
    if let Some(missing) = names.iter().find(|name| !files.keys().any(|file| matches(name, file))) {
        bail!("the source has no file {missing}");
    }
    Ok(files.into_iter().map(|(name, bytes)| SourceFile { name, bytes }).collect())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn the_named_files_of_an_archive_come_sorted_whatever_their_folder() {
        let bytes = archive(&[("r4/b.xml", "two"), ("r4/other.xml", ""), ("a.json", "one")]);
        let files = from_archive(&bytes[..], &["b.xml", "a.json"]).unwrap();
        let found: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect();
        assert_eq!(found, [("a.json", &b"one"[..]), ("b.xml", b"two")]);
        assert_eq!(
            as_source("b.xml", &files).sha256,
            "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
        );
    }

    #[test]
    fn a_pattern_is_all_files_of_such_names_and_has_the_hash_of_what_sha256sum_prints() {
        let bytes = archive(&[("r5/Type-b.json", "two"), ("r5/Type-a.json", "one"), ("r5/Set-a.json", "")]);
        let names = ["Type-*.json"];
        let files = from_archive(&bytes[..], &names).unwrap();
        let found: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(found, ["Type-a.json", "Type-b.json"]);
        let sources = as_sources(&names, &files);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].file, "Type-*.json");
        // printf one > Type-a.json; printf two > Type-b.json; sha256sum Type-*.json | sha256sum
        assert_eq!(sources[0].sha256, "f31e328a0a5851f007571f2e3efb3e7fc125d16b18c881c18697e1fdfb5fe7d2");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = from_archive(&archive(&[("a.xml", "")])[..], &["a.xml", "b.xml"]).err().unwrap();
        assert_eq!(error.to_string(), "the source has no file b.xml");
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let bytes = archive(&[("r4/a.xml", "1"), ("r5/a.xml", "2")]);
        let error = from_archive(&bytes[..], &["a.xml"]).err().unwrap();
        assert_eq!(error.to_string(), "the archive has two files a.xml");
    }

    #[test]
    fn an_archive_that_ends_early_is_refused() {
        let bytes = archive(&[("a.xml", "one"), ("b.xml", "two")]);
        assert!(from_archive(&bytes[..bytes.len() / 2], &["a.xml", "b.xml"]).is_err());
    }
}
