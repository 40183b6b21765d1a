//! Faults on demand: which there are (`name.rs`), when they strike (`rule.rs`), what is mounted now.
//!
//! Invariant: without a rule the server behaves as its specification says.

mod name;
mod rule;

use std::sync::{Mutex, PoisonError};

pub use name::Fault;
pub use rule::{ParseFaultError, Rule};

/// The rules of a running server, each with the number of requests it has matched.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<(Rule, u32)>>,
}

impl Faults {
    pub(crate) fn new(rules: Vec<Rule>) -> Faults {
        let faults = Faults::default();
        faults.set(rules);
        faults
    }

    /// Replaces all rules; their counts begin anew.
    pub(crate) fn set(&self, rules: Vec<Rule>) {
        *self.lock() = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    pub(crate) fn add(&self, rule: Rule) {
        self.lock().push((rule, 0));
    }

    /// Takes away every rule of this fault.
    pub(crate) fn remove(&self, fault: Fault) {
        self.lock().retain(|(rule, _)| rule.fault != fault);
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.lock().iter().map(|(rule, _)| rule.clone()).collect()
    }

    /// Whether the fault strikes a request of this path and query; a rule that matches counts the request.
    pub(crate) fn strikes(&self, fault: Fault, uri: &str) -> bool {
        let mut struck = false;
        for (rule, seen) in self.lock().iter_mut().filter(|(rule, _)| rule.fault == fault) {
            if rule.matches(uri) {
                struck |= rule.strikes(*seen);
                *seen = seen.saturating_add(1);
            }
        }
        struck
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Rule, u32)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
