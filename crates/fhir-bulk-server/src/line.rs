//! A line of the data. Those of the dataset are on disk, in a copy of their own, so that the memory of a server
//! does not grow with its data, and changes of the folder do not reach it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// A line without its end.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    /// One that was made by the server.
    Memory(Bytes),
    /// One of the data.
    Disk(Span),
}

/// A part of a spool.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    spool: Arc<File>,
    offset: u64,
    length: usize,
}

impl Line {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Line::Memory(bytes) => bytes.len(),
            Line::Disk(span) => span.length,
        }
    }

    /// Its bytes.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        match self {
            Line::Memory(bytes) => Ok(bytes.clone()),
            Line::Disk(span) => {
                let mut bytes = vec![0; span.length];
                span.spool.read_exact_at(&mut bytes, span.offset)?;
                Ok(Bytes::from(bytes))
            }
        }
    }

    /// The part of it from `start` to `end`, both not beyond its length.
    pub(crate) fn part(&self, start: usize, end: usize) -> Line {
        match self {
            Line::Memory(bytes) => Line::Memory(bytes.slice(start..end)),
            Line::Disk(span) => Line::Disk(Span {
                spool: span.spool.clone(),
                offset: span.offset + start as u64,
                length: end - start,
            }),
        }
    }

    /// Whether two lines have the same bytes.
    pub(crate) fn same(&self, other: &Line) -> io::Result<bool> {
        Ok(self.len() == other.len() && self.read()? == other.read()?)
    }
}

impl From<Bytes> for Line {
    fn from(bytes: Bytes) -> Line {
        Line::Memory(bytes)
    }
}

/// A file without a name, which is gone with the last of its lines.
pub(crate) struct Spool {
    file: Arc<File>,
    writer: BufWriter<File>,
    end: u64,
}

impl Spool {
    /// An empty one, in the folder of temporary files.
    pub(crate) fn new() -> io::Result<Spool> {
        let file = tempfile::tempfile()?;
        let writer = BufWriter::new(file.try_clone()?);
        Ok(Spool { file: Arc::new(file), writer, end: 0 })
    }

    /// Adds a line, which can be read once the spool is finished.
    pub(crate) fn push(&mut self, line: &[u8]) -> io::Result<Line> {
        self.writer.write_all(line)?;
        let span = Span { spool: self.file.clone(), offset: self.end, length: line.len() };
        self.end += line.len() as u64;
        Ok(Line::Disk(span))
    }

    /// Makes all lines readable.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let mut spool = Spool::new().unwrap();
        let lines = [&b"first"[..], b"", b"third"].map(|line| spool.push(line).unwrap());
        spool.finish().unwrap();
        assert_eq!(lines[2].read().unwrap(), "third");
        assert_eq!(lines[1].len(), 0);
        assert_eq!(lines[2].part(1, 3).read().unwrap(), "hi");
        assert!(lines[0].same(&Line::from(Bytes::from("first"))).unwrap());
        assert!(!lines[0].same(&lines[2]).unwrap());
    }
}
