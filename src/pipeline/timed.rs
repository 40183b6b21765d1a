//! How long the steps of a run take.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::progress::{Observer, Step};

/// Watches a run for another observer, and takes the time of its steps.
pub struct Timed<'o> {
    observer: &'o dyn Observer,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    running: BTreeMap<Step, Instant>,
    took: BTreeMap<Step, Duration>,
}

impl<'o> Timed<'o> {
    /// Watches for an observer.
    pub fn new(observer: &'o dyn Observer) -> Self {
        Self { observer, times: Mutex::default() }
    }

    /// The seconds of each step that is over, since the last time that somebody asked.
    pub fn take(&self) -> BTreeMap<&'static str, f64> {
        let took = std::mem::take(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner).took);
        took.into_iter().map(|(step, time)| (step.name(), time.as_secs_f64())).collect()
    }
}

impl Observer for Timed<'_> {
    fn begin(&self, step: Step, total: Option<u64>) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).running.insert(step, Instant::now());
        self.observer.begin(step, total);
    }

    fn advance(&self, step: Step, by: u64) {
        self.observer.advance(step, by);
    }

    fn message(&self, step: Step, text: &str) {
        self.observer.message(step, text);
    }

    fn end(&self, step: Step) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = times.running.remove(&step) {
            *times.took.entry(step).or_default() += begun.elapsed();
        }
        drop(times);
        self.observer.end(step);
    }

    fn note(&self, text: &str) {
        self.observer.note(text);
    }
}
