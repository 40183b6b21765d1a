//! The order in which the lines of a block become rows.

use memchr::{memchr2, memmem};

use crate::raw::Line;

/// The lines with those of a patient together, otherwise as they came.
///
/// The patient is the first that a line names. That is its subject nearly always, and where it is not, only the order
/// of rows is another.
pub fn by_patient(mut lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let finder = memmem::Finder::new(b"Patient/");
    let is_sorted = lines.is_sorted_by_key(|line| patient(&finder, line.bytes));
    if !is_sorted {
        lines.sort_by_cached_key(|line| patient(&finder, line.bytes));
    }
    lines
}

fn patient<'a>(finder: &memmem::Finder<'_>, line: &'a [u8]) -> &'a [u8] {
    let Some(at) = finder.find(line) else { return b"" };
    let id = &line[at + finder.needle().len()..];
    &id[..memchr2(b'"', b'/', id).unwrap_or(id.len()).min(64)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_patient_lie_together_in_their_order() {
        let texts = [
            r#"{"id":"1","subject":{"reference":"Patient/b"}}"#,
            r#"{"id":"2","subject":{"reference":"https://h/Patient/a/_history/2"},"x":{"reference":"Patient/c"}}"#,
            r#"{"id":"3"}"#,
            r#"{"id":"4","subject":{"reference":"Patient/b"}}"#,
            r#"{"id":"5","subject":{"reference":"Patient/a"}}"#,
        ];
        let lines =
            texts.iter().zip(1..).map(|(text, number)| Line { offset: 0, number, bytes: text.as_bytes() });
        let order: Vec<u64> = by_patient(lines.collect()).iter().map(|line| line.number).collect();
        assert_eq!(order, [3, 2, 5, 1, 4]);
    }
}
