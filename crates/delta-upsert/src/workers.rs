//! How much is done at a time.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Turns at work that takes a processor and memory: there are so many at a time.
#[derive(Debug, Clone)]
pub struct Workers {
    turns: Arc<Semaphore>,
    count: usize,
}

impl Workers {
    /// That many.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { turns: Arc::new(Semaphore::new(count)), count }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits for a turn, which lasts as long as what is returned.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}
