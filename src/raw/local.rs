//! Files outside of the lake: which of a folder are read, and their bytes with the encoding of the transport taken off.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fhir_definitions::Definitions;
use tokio::sync::mpsc;

use super::layout::Section;
use crate::error::{Error, Result};

/// What a folder holds for `ingest`.
#[derive(Debug, Default)]
pub struct Found {
    /// Its manifest, where it has one.
    pub manifest: Option<PathBuf>,
    /// Its files, in the order in which they are read.
    pub files: Vec<LocalFile>,
}

/// A file for `ingest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub section: Section,
}

impl LocalFile {
    /// The part of the name that may be a resource type: `Patient` of `Patient.000.ndjson.gz`.
    pub fn hint(&self, definitions: &Definitions) -> Option<&str> {
        let stem = self.path.file_name()?.to_str()?.split('.').next()?;
        definitions.is_resource(stem).then_some(stem)
    }
}

/// Looks through a folder: `*.ndjson[.gz|.zst]`, `deleted/`, `error/`, `manifest.json`. All else is left alone.
pub fn find(folder: &Path) -> Result<Found> {
    let manifest = Some(folder.join("manifest.json")).filter(|path| path.is_file());
    let mut files = Vec::new();
    for (below, section) in [("", Section::Output), ("deleted", Section::Deleted), ("error", Section::Error)]
    {
        let folder = if below.is_empty() { folder.to_owned() } else { folder.join(below) };
        if below.is_empty() || folder.is_dir() {
            files.extend(ndjson_in(&folder)?.into_iter().map(|path| LocalFile { path, section }));
        }
    }
    Ok(Found { manifest, files })
}

fn ndjson_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if is_ndjson(&path) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a file's name says that it is NDJSON.
pub fn is_ndjson(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [".ndjson", ".ndjson.gz", ".ndjson.zst"].iter().any(|ending| name.ends_with(ending))
}

/// Chunks that wait between the thread that decodes a file and the task that writes it.
const AHEAD: usize = 4;
const CHUNK: usize = 1 << 20;

/// A local file's bytes, decoded on a thread of their own.
pub struct Chunks {
    path: PathBuf,
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
}

/// Opens a file and begins to decode it.
pub fn chunks(path: &Path) -> Result<Chunks> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let name = path.to_string_lossy();
    let mut decoded: Box<dyn Read + Send> = if name.ends_with(".gz") {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))
    } else if name.ends_with(".zst") {
        Box::new(zstd::Decoder::new(file).map_err(Error::io("decode", path))?)
    } else {
        Box::new(file)
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = decoded.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            let last = !matches!(read, Ok(1..));
            let sent = match read {
                Ok(0) => Ok(()),
                Ok(_) => sender.blocking_send(Ok(chunk.into())),
                Err(error) => sender.blocking_send(Err(error)),
            };
            if last || sent.is_err() {
                break;
            }
        }
    });
    Ok(Chunks { path: path.to_owned(), receiver })
}

impl Chunks {
    /// The next bytes, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.receiver.recv().await.transpose().map_err(Error::io("decode", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_file_is_decoded_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let content = b"{\"resourceType\":\"Patient\",\"id\":\"a\"}\n".repeat(100_000);
        let plain = folder.path().join("Patient.ndjson");
        std::fs::write(&plain, &content).unwrap();
        let gz = folder.path().join("Patient.ndjson.gz");
        let mut encoder =
            flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::fast());
        encoder.write_all(&content).unwrap();
        encoder.finish().unwrap();
        let zst = folder.path().join("Patient.ndjson.zst");
        std::fs::write(&zst, zstd::encode_all(&content[..], 1).unwrap()).unwrap();
        for path in [plain, gz, zst] {
            let mut chunks = chunks(&path).unwrap();
            let mut together = Vec::new();
            while let Some(chunk) = chunks.next().await.unwrap() {
                together.extend_from_slice(&chunk);
            }
            assert!(together == content, "{}", path.display());
        }
    }

    #[test]
    fn a_folder_gives_its_ndjson_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for below in ["deleted", "error", "other"] {
            std::fs::create_dir(folder.path().join(below)).unwrap();
            std::fs::write(folder.path().join(below).join("x.ndjson"), "").unwrap();
        }
        for name in ["b.ndjson.gz", "a.ndjson", "notes.txt", "manifest.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = find(folder.path()).unwrap();
        assert!(found.manifest.is_some());
        let files: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.path.strip_prefix(folder.path()).unwrap().to_str().unwrap(), file.section))
            .collect();
        assert_eq!(
            files,
            [
                ("a.ndjson", Section::Output),
                ("b.ndjson.gz", Section::Output),
                ("deleted/x.ndjson", Section::Deleted),
                ("error/x.ndjson", Section::Error)
            ]
        );
    }

    #[test]
    fn a_file_whose_name_is_no_resource_type_hints_at_none() {
        let file = |name: &str| LocalFile { path: name.into(), section: Section::Output };
        assert_eq!(file("Patient.000.ndjson.gz").hint(Definitions::r4()), Some("Patient"));
        assert_eq!(file("everything.ndjson").hint(Definitions::r4()), None);
    }
}
