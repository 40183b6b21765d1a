//! The files of a job, streamed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;

use crate::job::JobFile;
use crate::outcome::Outcome;
use crate::routes::segments::Segments;
use crate::state::ServerState;

/// Chunks of the body grow to at least this many bytes.
const CHUNK: usize = 64 * 1024;

/// `GET` of a file of the manifest: NDJSON, with its length.
pub(super) async fn get(
    State(state): State<Arc<ServerState>>,
    Segments((job, name)): Segments<(String, String)>,
) -> Result<Response, Outcome> {
    let job = state.job(&job);
    let file = job.as_ref().and_then(|job| job.file(&name)).cloned();
    let file =
        file.ok_or_else(|| Outcome::not_found("there is no such file; its job was deleted or has expired"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/fhir+ndjson".to_owned()),
        (header::CONTENT_LENGTH, file.byte_length().to_string()),
    ];
    let chunks = Chunks { file, next: 0 }.map(Ok::<Bytes, Infallible>);
    Ok((headers, Body::from_stream(stream::iter(chunks))).into_response())
}

/// The bytes of a file, some lines at a time.
struct Chunks {
    file: Arc<JobFile>,
    next: usize,
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = BytesMut::new();
        while let Some(line) = self.file.lines.get(self.next)
            && chunk.len() < CHUNK
        {
            chunk.extend_from_slice(line);
            chunk.extend_from_slice(b"\n");
            self.next += 1;
        }
        (!chunk.is_empty()).then(|| chunk.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Section;

    #[test]
    fn chunks_are_bounded_and_lose_no_line() {
        let lines: Vec<Bytes> = (0..5_000).map(|n| Bytes::from(format!("{{\"id\":\"{n:040}\"}}"))).collect();
        let expected: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        let (resource_type, name) = (String::new(), String::new());
        let file = JobFile { section: Section::Output, resource_type, name, lines };
        assert_eq!(file.byte_length(), expected.len());

        let chunks: Vec<Bytes> = Chunks { file: Arc::new(file), next: 0 }.collect();
        assert_eq!(chunks.len(), expected.len().div_ceil(CHUNK));
        assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK + 100));
        assert_eq!(chunks.concat(), expected);
    }
}
