//! The bytes of a file, as they should be or as a fault shapes them.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::json;

use crate::fault::Fault;
use crate::job::JobFile;
use crate::line::Line;

/// Chunks of the body grow to at least this many bytes.
const CHUNK: usize = 64 * 1024;

/// Pieces whose concatenation is the body. They are read when they are sent.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pieces: Vec<Line>,
}

impl Content {
    /// The file: each line and its `\n`, unless a fault strikes.
    pub(super) fn of(file: &JobFile, strikes: &dyn Fn(Fault) -> bool) -> Content {
        let mut pieces = Vec::with_capacity(file.lines.len() * 2 + 2);
        if strikes(Fault::Bom) {
            pieces.push(fixed(b"\xEF\xBB\xBF"));
        }
        let end: &'static [u8] = match (strikes(Fault::Crlf), strikes(Fault::BlankLines)) {
            (true, _) => b"\r\n",
            (false, true) => b"\n \n\n",
            (false, false) => b"\n",
        };
        for line in lines(file, strikes) {
            pieces.extend([line, fixed(end)]);
        }
        if strikes(Fault::NoFinalNewline) {
            pieces.pop();
        }
        Content { pieces }
    }

    /// The content as the `data` of a Binary resource, which all of it is read for.
    pub(super) fn in_binary(&self, xml: bool) -> io::Result<Content> {
        let pieces = self.pieces.iter().map(Line::read).collect::<io::Result<Vec<_>>>()?;
        let data = STANDARD.encode(pieces.concat());
        let media_type = "application/fhir+ndjson";
        let binary = if xml {
            format!(
                "<Binary xmlns=\"http://hl7.org/fhir\"><contentType value=\"{media_type}\"/>\
                 <data value=\"{data}\"/></Binary>"
            )
        } else {
            json!({"resourceType": "Binary", "contentType": media_type, "data": data}).to_string()
        };
        Ok(Content { pieces: vec![Bytes::from(binary).into()] })
    }

    /// The length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// The chunks of the bytes from `from` on, `length` of them.
    pub(super) fn chunks(
        self,
        from: u64,
        length: u64,
    ) -> impl Iterator<Item = io::Result<Bytes>> + Send + use<> {
        let (mut skip, mut left) = (from, length);
        let mut pieces = self.pieces.into_iter();
        std::iter::from_fn(move || {
            let mut chunk = BytesMut::new();
            while chunk.len() < CHUNK && left > 0 {
                let Some(piece) = pieces.next() else { break };
                let start = piece.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
                skip -= start as u64;
                let end = piece.len().min(start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
                left -= (end - start) as u64;
                match piece.part(start, end).read() {
                    Ok(bytes) => chunk.extend_from_slice(&bytes),
                    Err(error) => return Some(Err(error)),
                }
            }
            (!chunk.is_empty()).then(|| Ok(chunk.freeze()))
        })
    }
}

fn fixed(bytes: &'static [u8]) -> Line {
    Bytes::from_static(bytes).into()
}

/// The lines of the file, with those that faults add, break or leave out.
fn lines(file: &JobFile, strikes: &dyn Fn(Fault) -> bool) -> Vec<Line> {
    let mut lines = file.lines.clone();
    if strikes(Fault::FileEndsEarly) {
        lines.truncate(lines.len() / 2);
    }
    if strikes(Fault::DuplicateLine) {
        lines.extend(lines.first().cloned());
    }
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}"#;
    if strikes(Fault::FileOutcomeLine) {
        lines.push(fixed(outcome.as_bytes()));
    }
    if strikes(Fault::FileWrongType) {
        let other = if file.resource_type == "Basic" { "Flag" } else { "Basic" };
        let line = json!({"resourceType": other, "id": "wrong-type", "code": {"text": "not of this file"}});
        lines.push(Bytes::from(line.to_string()).into());
    }
    let mut add = |language: &str| {
        let line =
            format!(r#"{{"resourceType":"{}","id":"odd","language":"{language}"}}"#, file.resource_type);
        lines.push(Bytes::from(line).into());
    };
    if strikes(Fault::LongLine) {
        add(&"x".repeat(2_000_000));
    }
    if strikes(Fault::LineSeparator) {
        add("a\u{2028}b");
    }
    if strikes(Fault::InvalidUtf8) {
        let start = format!(r#"{{"resourceType":"{}","id":"not-utf-8","language":""#, file.resource_type);
        lines.push(Bytes::from([start.as_bytes(), b"\xC3\x28\"}"].concat()).into());
    }
    if strikes(Fault::BrokenLastLine)
        && let Some(last) = lines.last_mut()
    {
        *last = last.part(0, last.len() * 2 / 3);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Section;

    fn content(lines: Vec<Bytes>) -> Content {
        let lines: Vec<Line> = lines.into_iter().map(Line::from).collect();
        let (resource_type, name, count) = (String::new(), String::new(), lines.len());
        let file =
            JobFile { section: Section::Output, resource_type, name, lines, count, continues_in: None };
        Content::of(&file, &|_| false)
    }

    #[test]
    fn chunks_are_bounded_and_lose_no_line() {
        let lines: Vec<Bytes> = (0..5_000).map(|n| Bytes::from(format!("{{\"id\":\"{n:040}\"}}"))).collect();
        let expected: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        let content = content(lines);
        assert_eq!(content.length(), expected.len() as u64);

        let chunks: Vec<Bytes> = content.clone().chunks(0, content.length()).map(Result::unwrap).collect();
        assert_eq!(chunks.len(), expected.len().div_ceil(CHUNK));
        assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK + 100));
        assert_eq!(chunks.concat(), expected);
    }

    #[test]
    fn any_range_is_the_bytes_of_it() {
        let content = content(["ab", "", "cdef"].map(Bytes::from).to_vec());
        let all = b"ab\n\ncdef\n";
        for from in 0..=all.len() {
            for to in from..=all.len() {
                let chunks: Vec<Bytes> =
                    content.clone().chunks(from as u64, (to - from) as u64).map(Result::unwrap).collect();
                assert_eq!(chunks.concat(), all[from..to]);
            }
        }
    }
}
