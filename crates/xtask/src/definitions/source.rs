//! The published files, out of a folder or a `.tar.gz`.

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
    /// What the generated document says about the file.
    pub fn as_source(&self) -> Source {
        Source { file: self.name.clone(), sha256: hexadecimal(&Sha256::digest(&self.bytes)) }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the files of these names, whatever folder of the source they are in; sorted by name.
///
/// # Errors
/// Where one of them is missing, or is there twice.
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
    for name in names {
        let bytes = std::fs::read(folder.join(name)).with_context(|| (*name).to_owned())?;
        files.insert((*name).to_owned(), bytes);
    }
    Ok(sorted(files))
}

fn from_archive(archive: impl Read, names: &[&str]) -> Result<Vec<SourceFile>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !names.contains(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if files.insert(name.to_owned(), bytes).is_some() {
            bail!("the archive has two files {name}");
        }
    }
    match names.iter().find(|name| !files.contains_key(**name)) {
        Some(missing) => bail!("the archive has no file {missing}"),
        None => Ok(sorted(files)),
    }
}

fn sorted(files: BTreeMap<String, Vec<u8>>) -> Vec<SourceFile> {
    files.into_iter().map(|(name, bytes)| SourceFile { name, bytes }).collect()
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
            files[1].as_source().sha256,
            "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = from_archive(&archive(&[("a.xml", "")])[..], &["a.xml", "b.xml"]).err().unwrap();
        assert_eq!(error.to_string(), "the archive has no file b.xml");
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
