//! What a server did with what it was asked, found in the first lines of each file.

use std::collections::BTreeMap;

use fhir_bulk_client::{AppliedCheck, Contradiction, ExportRequest};

/// Lines that are looked at, of each file.
const LINES: u32 = 500;
/// The longest line that is looked at, in bytes.
const LONGEST: usize = 1 << 20;

/// Looks at the first lines of a file as it passes by.
pub struct Sample {
    check: Option<AppliedCheck>,
    open: Vec<u8>,
    left: u32,
}

impl Sample {
    /// For a file of an export that asked for this.
    pub fn new(request: &ExportRequest) -> Self {
        let check = Some(AppliedCheck::new(request)).filter(AppliedCheck::has_anything_to_judge);
        Self { check, open: Vec::new(), left: LINES }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let Some(check) = &mut self.check else { return };
        while self.left > 0 {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                if self.open.len() + bytes.len() > LONGEST {
                    self.left = 0;
                    self.open = Vec::new();
                } else {
                    self.open.extend_from_slice(bytes);
                }
                return;
            };
            self.open.extend_from_slice(&bytes[..end]);
            check.line(&self.open);
            self.open.clear();
            bytes = &bytes[end + 1..];
            self.left -= 1;
        }
    }

    /// What contradicts the request; also with no line, where lines could be judged.
    pub fn finish(self) -> Vec<Contradiction> {
        self.check.map(AppliedCheck::finish).unwrap_or_default()
    }
}

/// What contradicts the request in all files together, told. `_type` and `_since` are counted over all lines elsewhere.
pub fn told<'c>(all: impl Iterator<Item = &'c Contradiction>) -> Vec<String> {
    let mut by_parameter: BTreeMap<&str, Contradiction> = BTreeMap::new();
    for one in all.filter(|one| !matches!(one.parameter.as_str(), "_type" | "_since")) {
        let sum = by_parameter.entry(&one.parameter).or_insert_with(|| Contradiction {
            lines: 0,
            of: 0,
            ..one.clone()
        });
        sum.lines += one.lines;
        sum.of += one.of;
    }
    by_parameter.values().filter(|sum| sum.lines > 0).map(Contradiction::text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_the_bytes_are_cut_the_same_lines_are_looked_at() {
        let request = ExportRequest { elements: vec!["id".into()], ..ExportRequest::default() };
        let file = b"{\"resourceType\":\"Patient\",\"id\":\"a\",\"gender\":\"male\"}\n".repeat(40);
        for size in [1, 7, 64, file.len()] {
            let mut sample = Sample::new(&request);
            file.chunks(size).for_each(|chunk| sample.update(chunk));
            let found = sample.finish();
            assert_eq!(found.iter().map(|one| (one.lines, one.of)).max(), Some((40, 40)), "{size}");
        }
    }
}
