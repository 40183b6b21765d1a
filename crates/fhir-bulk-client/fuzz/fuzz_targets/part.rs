//! What lies beside a file that was being received is believed only as far as the bytes bear it out.
#![no_main]

use std::sync::LazyLock;

use fhir_bulk_client::fuzzing::{own_part, part};

/// Where the part is. One that a run has left is overwritten by the next.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// A record as it stands there, or one of the client's own: how much was kept, what of it is damaged, its `ETag`.
type Record<'a> = Result<&'a [u8], (u16, Option<u16>, Option<&'a str>)>;

libfuzzer_sys::fuzz_target!(|input: (Record, &[u8])| match input {
    (Ok(record), there) => part(FOLDER.path(), record, there),
    (Err((kept, damaged, etag)), there) => {
        own_part(FOLDER.path(), kept.into(), damaged.map(usize::from), etag, there)
    }
});
