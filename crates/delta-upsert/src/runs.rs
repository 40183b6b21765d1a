//! Sorts the keys of a change: in memory up to a limit, in temporary files beyond it.
//!
//! One invariant: what comes out is what went in, in the order of the keys; all keys of one id come in one chunk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

use crate::{Error, Key, Result};

/// Keys that come in any order.
#[derive(Debug, Default)]
pub struct KeyRuns {
    waiting: Vec<Key>,
    runs: Vec<Run>,
}

/// Sorted keys.
#[derive(Debug)]
enum Run {
    Memory(Vec<Key>),
    /// A temporary file that has no name any more, and how many keys it holds.
    Spilled(File, u64),
}

/// All keys of a change, sorted; they can be read as often as needed.
#[derive(Debug, Default)]
pub struct SortedKeys {
    runs: Vec<Run>,
    count: u64,
}

impl KeyRuns {
    /// Takes keys, into memory.
    pub fn extend(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.waiting.extend(keys);
    }

    /// The memory that the keys take, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.waiting.capacity() * Key::SIZE
    }

    /// Puts the keys that are in memory into a temporary file.
    ///
    /// # Errors
    /// [`Error::Spill`] where that cannot be written.
    pub fn spill(&mut self) -> Result<()> {
        let mut keys = std::mem::take(&mut self.waiting);
        if !keys.is_empty() {
            keys.sort_unstable();
            self.runs.push(spill(&keys).map_err(spill_error)?);
        }
        Ok(())
    }

    /// All of them, sorted.
    #[must_use]
    pub fn finish(mut self) -> SortedKeys {
        self.waiting.sort_unstable();
        self.waiting.shrink_to_fit();
        let mut runs = self.runs;
        if !self.waiting.is_empty() {
            runs.push(Run::Memory(self.waiting));
        }
        let count = runs.iter().map(Run::len).sum();
        SortedKeys { runs, count }
    }
}

fn spill_error(source: std::io::Error) -> Error {
    Error::Spill { folder: std::env::temp_dir().display().to_string(), source }
}

fn spill(keys: &[Key]) -> std::io::Result<Run> {
    let mut to = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
    for key in keys {
        to.write_all(&key.to_bytes())?;
    }
    Ok(Run::Spilled(to.into_inner()?, keys.len() as u64))
}

impl Run {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(keys) => keys.len() as u64,
            Self::Spilled(_, count) => *count,
        }
    }

    fn read(&self) -> std::io::Result<Reader<'_>> {
        Ok(match self {
            Self::Memory(keys) => Reader::Memory(keys.iter()),
            Self::Spilled(file, count) => {
                let mut file = file;
                file.rewind()?;
                Reader::Spilled(Box::new(BufReader::with_capacity(1 << 16, file)), *count)
            }
        })
    }
}

enum Reader<'r> {
    Memory(std::slice::Iter<'r, Key>),
    Spilled(Box<BufReader<&'r File>>, u64),
}

impl Reader<'_> {
    fn next(&mut self) -> std::io::Result<Option<Key>> {
        match self {
            Self::Memory(keys) => Ok(keys.next().copied()),
            Self::Spilled(_, 0) => Ok(None),
            Self::Spilled(from, left) => {
                *left -= 1;
                let mut bytes = [0; Key::SIZE];
                from.read_exact(&mut bytes)?;
                Ok(Some(Key::from_bytes(&bytes)))
            }
        }
    }
}

impl SortedKeys {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The keys from the first to the last, about so many bytes at a time. One reading at a time: spilled runs have one
    /// position each.
    ///
    /// # Errors
    /// [`Error::Spill`] where a temporary file cannot be read.
    pub fn chunks(&mut self, memory: usize) -> Result<Chunks<'_>> {
        let mut readers = Vec::with_capacity(self.runs.len());
        let mut heads = BinaryHeap::new();
        for (n, run) in self.runs.iter().enumerate() {
            let mut reader = run.read().map_err(spill_error)?;
            heads.extend(reader.next().map_err(spill_error)?.map(|key| Reverse((key, n))));
            readers.push(reader);
        }
        Ok(Chunks { readers, heads, size: (memory / Key::SIZE).max(1024) })
    }
}

/// Sorted keys, chunk by chunk.
pub struct Chunks<'r> {
    readers: Vec<Reader<'r>>,
    /// The next key of each reader, with the reader's number.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    size: usize,
}

impl std::fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("runs", &self.readers.len()).finish_non_exhaustive()
    }
}

impl Chunks<'_> {
    fn read(&mut self) -> Result<Vec<Key>> {
        let mut chunk: Vec<Key> = Vec::new();
        while let Some(Reverse((key, n))) = self.heads.pop() {
            // An id that the chunk has begun is finished in it.
            let is_full = chunk.len() >= self.size && chunk.last().is_some_and(|last| last.id != key.id);
            if is_full {
                self.heads.push(Reverse((key, n)));
                break;
            }
            chunk.push(key);
            let next = self.readers.get_mut(n).map_or(Ok(None), Reader::next).map_err(spill_error)?;
            self.heads.extend(next.map(|key| Reverse((key, n))));
        }
        Ok(chunk)
    }
}

impl Iterator for Chunks<'_> {
    /// Keys, or [`Error::Spill`] where a temporary file cannot be read.
    type Item = Result<Vec<Key>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(chunk) if chunk.is_empty() => None,
            read => Some(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{IdHash, Version};

    fn key(id: u32, at: i64, row: u32) -> Key {
        Key {
            id: IdHash { high: i64::from(id) - 500, low: id },
            version: Version { at, beyond: 0, seen: 1 },
            place: row.into(),
            row_hash: 7,
            file: 0,
            row,
        }
    }

    fn read(sorted: &mut SortedKeys) -> Vec<Vec<Key>> {
        sorted.chunks(0).unwrap().collect::<Result<_>>().unwrap()
    }

    proptest! {
        #[test]
        fn keys_come_out_sorted_and_complete_whatever_the_limits(
            ids in prop::collection::vec((0_u32..1000, 0_i64..5), 0..6000),
            spilled in 0_u32..4,
        ) {
            let mut expected: Vec<Key> = ids.iter().zip(0..).map(|(&(id, at), row)| key(id, at, row)).collect();
            let mut runs = KeyRuns::default();
            for (some, n) in expected.chunks(999).zip(0..) {
                runs.extend(some.iter().copied());
                if n % 3 == spilled {
                    runs.spill().unwrap();
                }
            }
            let mut sorted = runs.finish();
            prop_assert_eq!(sorted.len(), expected.len() as u64);
            expected.sort();
            let chunks = read(&mut sorted);
            for pair in chunks.windows(2) {
                prop_assert!(pair[0].last().map(|key| key.id) < pair[1].first().map(|key| key.id), "an id is split");
            }
            prop_assert_eq!(chunks.concat(), expected);
            prop_assert_eq!(read(&mut sorted).concat().len(), ids.len(), "they can be read again");
        }
    }

    #[test]
    fn no_keys_are_no_chunk() {
        let mut sorted = KeyRuns::default().finish();
        assert!(sorted.is_empty() && read(&mut sorted).is_empty());
    }
}
