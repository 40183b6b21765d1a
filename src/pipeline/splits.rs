//! The frozen input, cut into pieces of work.
//!
//! One invariant: every line of every file is in one split.

use std::collections::BTreeMap;

use super::input::InputFile;
use crate::raw::Checkpoint;
use crate::raw::layout::Section;

/// A part of a raw file: from a checkpoint to the next, or to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file's number in the run's input.
    pub file: u32,
    /// Where it begins.
    pub from: Checkpoint,
    /// Where it ends.
    pub end: u64,
}

/// Pieces that one worker stages, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// The pieces, in the order of the input.
    pub pieces: Vec<Piece>,
    /// Their bytes.
    pub bytes: u64,
}

/// Less is not worth a worker and a file of its own.
const LEAST: u64 = 64 << 20;
/// More would make files that are too large.
const MOST: u64 = 1 << 30;

/// Cuts the input for so many workers: the files of one type lie in as few splits as keep all of them at work. The largest
/// come first.
pub fn splits(files: &[InputFile], workers: usize) -> Vec<Split> {
    let mut by_name: BTreeMap<&str, Vec<(u32, &InputFile)>> = BTreeMap::new();
    for (index, file) in (0..).zip(files) {
        if file.section == Section::Output && !file.loaded_before {
            by_name.entry(&file.name).or_default().push((index, file));
        }
    }
    let mut splits = Vec::new();
    for files in by_name.into_values() {
        let bytes: u64 = files.iter().map(|(_, file)| file.byte_count).sum();
        let count = (bytes / LEAST).min(workers as u64).max(bytes.div_ceil(MOST)).max(1);
        let size = bytes.div_ceil(count);
        let mut open = Split::default();
        for piece in files.into_iter().flat_map(|(index, file)| pieces(index, file)) {
            open.bytes += piece.end - piece.from.offset;
            open.pieces.push(piece);
            if open.bytes >= size {
                splits.push(std::mem::take(&mut open));
            }
        }
        splits.extend((!open.pieces.is_empty()).then_some(open));
    }
    splits.iter_mut().for_each(join);
    splits.sort_by_key(|split| std::cmp::Reverse(split.bytes));
    splits
}

fn pieces(file: u32, of: &InputFile) -> Vec<Piece> {
    let starts = [Checkpoint::START].into_iter().chain(of.checkpoints.iter().copied());
    let ends = of.checkpoints.iter().map(|checkpoint| checkpoint.offset).chain([of.byte_count]);
    starts
        .zip(ends)
        .map(|(from, end)| Piece { file, from, end })
        .filter(|piece| piece.from.offset < piece.end)
        .collect()
}

/// Pieces of one file that follow each other are one.
fn join(split: &mut Split) {
    split.pieces.dedup_by(|next, before| {
        let follows = next.file == before.file && next.from.offset == before.end;
        if follows {
            before.end = next.end;
        }
        follows
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, megabytes: u64) -> InputFile {
        let bytes = megabytes << 20;
        let checkpoints =
            (1..megabytes.div_ceil(16)).map(|n| Checkpoint { offset: n * (16 << 20), line: n * 100 });
        InputFile {
            name: name.to_owned(),
            byte_count: bytes,
            checkpoints: checkpoints.collect(),
            ..InputFile::of(Section::Output, "raw/x")
        }
    }

    #[test]
    fn every_byte_is_in_one_split() {
        let files = [file("Observation", 700), file("Patient", 3), file("Patient", 2), file("Claim", 65)];
        for workers in [1, 2, 7] {
            let splits = splits(&files, workers);
            let mut covered: Vec<(u32, u64, u64)> =
                splits.iter().flat_map(|s| &s.pieces).map(|p| (p.file, p.from.offset, p.end)).collect();
            covered.sort_unstable();
            for (index, file) in (0..).zip(&files) {
                let pieces: Vec<_> = covered.iter().filter(|(of, ..)| *of == index).collect();
                assert_eq!(pieces.first().map(|piece| piece.1), Some(0));
                assert!(pieces.windows(2).all(|pair| pair[0].2 == pair[1].1));
                assert_eq!(pieces.last().map(|piece| piece.2), Some(file.byte_count));
            }
        }
    }

    #[test]
    fn small_files_of_a_type_are_staged_together_and_large_ones_apart() {
        let many: Vec<InputFile> = (0..1000).map(|_| file("Patient", 1)).collect();
        let sizes: Vec<u64> = splits(&many, 2).iter().map(|split| split.bytes >> 20).collect();
        assert_eq!(sizes, [500, 500]);
        let sizes: Vec<u64> = splits(&[file("Observation", 6000)], 2).iter().map(|s| s.bytes >> 20).collect();
        assert!(sizes.len() == 6 && sizes.iter().all(|size| (920..=1040).contains(size)), "{sizes:?}");
        assert!(splits(&[file("Patient", 0)], 2).is_empty());
    }
}
