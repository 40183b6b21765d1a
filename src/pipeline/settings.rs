//! How a run works: what is the same for every server and every kind of run.

use std::time::Duration;

use super::removals::MaxRemovals;
use crate::lake::stage::{Judging, Limits};
use crate::raw::Encoding;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much memory the run may take, in bytes: about so much, and a line that is longer aside.
    pub memory: u64,
    /// How much is done at a time, as far as the memory suffices.
    pub workers: usize,
    /// How raw files are kept.
    pub raw: Encoding,
    /// How resources are judged.
    pub judging: Judging,
    /// How many rows of a table a complete export may remove that it did not bring.
    pub max_removals: MaxRemovals,
    /// How long lines stay in quarantine; for ever, where nothing is said.
    pub quarantine_retention: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            raw: Encoding::default(),
            judging: Judging::default(),
            max_removals: MaxRemovals::default(),
            quarantine_retention: None,
        }
    }
}

/// The least that a run can work with.
pub const LEAST_MEMORY: u64 = 256 << 20;

/// What the program takes whatever it does.
const OF_THE_PROGRAM: u64 = 64 << 20;

/// What a worker needs to make files whose parts are not too small.
const OF_A_WORKER: u64 = 128 << 20;

/// The size of a data file. Readers take a file, or a row group of it, as a unit of work.
const FILE_SIZE: usize = 128 << 20;

impl Settings {
    /// The memory that is to be shared.
    fn shared(&self) -> u64 {
        self.memory.max(LEAST_MEMORY) - OF_THE_PROGRAM
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        let room = usize::try_from(self.shared() / OF_A_WORKER).unwrap_or(usize::MAX);
        self.workers.min(room).max(1)
    }

    /// The memory of one of the workers; as much again is for all keys.
    fn of_worker(&self) -> u64 {
        self.shared() / (self.workers() as u64 + 1)
    }

    /// Raw bytes that a worker takes at a time. Rows are put in order among these.
    pub fn block(&self) -> u64 {
        (self.of_worker() / 12).clamp(1 << 20, 16 << 20)
    }

    /// The limits of a stager.
    pub fn stage_limits(&self) -> Limits {
        let of_worker = self.of_worker();
        Limits {
            batch_bytes: (of_worker / 12).clamp(1 << 20, 12 << 20),
            encoding: usize::try_from(of_worker / 3).unwrap_or(usize::MAX),
            file_size: FILE_SIZE,
        }
    }

    /// Bytes of keys that are kept in memory, of all tables together.
    pub fn keys(&self) -> usize {
        usize::try_from(self.of_worker() / 2).unwrap_or(usize::MAX)
    }

    /// Bytes of keys that are merged at a time.
    pub fn key_chunk(&self) -> usize {
        usize::try_from(self.of_worker() / 6).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parts_of_a_run_take_is_no_more_than_the_run_may() {
        for (memory, workers) in [(512_u64 << 20, 2), (512 << 20, 16), (64 << 20, 1), (0, 2), (8 << 30, 4)] {
            let settings = Settings { memory, workers, ..Settings::default() };
            let limits = settings.stage_limits();
            // A block, the same bytes in columns, and what is being encoded.
            let worker = settings.block() + 3 * limits.batch_bytes + limits.encoding as u64;
            let keys = settings.keys() as u64 + 2 * settings.key_chunk() as u64;
            let all = worker * settings.workers() as u64 + keys;
            assert!(all <= memory.max(LEAST_MEMORY), "{memory} {workers}: {all}");
            assert!(settings.workers() >= 1 && settings.workers() <= workers);
        }
    }
}
