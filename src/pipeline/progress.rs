//! What a run tells whoever watches it. The pipeline itself prints nothing.

/// A step of a run that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The server prepares the export.
    Export,
    /// Files are downloaded: bytes.
    Download,
    /// Files are copied into the raw store: bytes as they lie on disk.
    Copy,
    /// Raw files are compared with the tables line by line: bytes.
    Check,
    /// Raw files become rows: bytes.
    Stage,
    /// Tables are written: tables.
    Load,
    /// Views are computed and written: views.
    Materialize,
}

impl Step {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Download => "download",
            Self::Copy => "copy",
            Self::Check => "check",
            Self::Stage => "stage",
            Self::Load => "load",
            Self::Materialize => "materialize",
        }
    }
}

/// Watches a run.
pub trait Observer: Send + Sync {
    /// A step begins; `total` in its unit, where it is known.
    fn begin(&self, step: Step, total: Option<u64>);

    /// A step got on, in its unit.
    fn advance(&self, step: Step, by: u64);

    /// What a step is at.
    fn message(&self, step: Step, text: &str);

    /// A step is done.
    fn end(&self, step: Step);

    /// Something to tell that is no part of a step.
    fn note(&self, text: &str);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn begin(&self, _: Step, _: Option<u64>) {}
    fn advance(&self, _: Step, _: u64) {}
    fn message(&self, _: Step, _: &str) {}
    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}
