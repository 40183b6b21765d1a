//! Progress on stderr: bars on a terminal, a plain line for each step otherwise.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::print;
use crate::pipeline::{Observer, Step};

/// Shows how a run gets on.
#[derive(Debug, Default)]
pub struct Shown {
    steps: Mutex<HashMap<u8, Running>>,
}

#[derive(Debug)]
struct Running {
    bar: Option<ProgressBar>,
    done: u64,
    since: Instant,
    said: String,
}

impl Shown {
    fn with(&self, step: Step, act: impl FnOnce(&mut Running)) {
        let mut steps = self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = steps.get_mut(&(step as u8)) {
            act(running);
        }
    }
}

impl Observer for Shown {
    fn begin(&self, step: Step, total: Option<u64>) {
        let bar = std::io::stderr().is_terminal().then(|| bar(step, total));
        let running = Running { bar, done: 0, since: Instant::now(), said: String::new() };
        let mut steps = self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        steps.insert(step as u8, running);
    }

    fn advance(&self, step: Step, by: u64) {
        self.with(step, |running| {
            running.done += by;
            if let Some(bar) = &running.bar {
                bar.inc(by);
            }
        });
    }

    fn message(&self, step: Step, text: &str) {
        self.with(step, |running| match &running.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            // The report has a line for each view.
            None if step == Step::Materialize => {}
            None if running.said != text => {
                print::note(&format!("{}: {text}", name(step)));
                text.clone_into(&mut running.said);
            }
            None => {}
        });
    }

    fn end(&self, step: Step) {
        let mut steps = self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(running) = steps.remove(&(step as u8)) else { return };
        if let Some(bar) = running.bar {
            bar.finish_and_clear();
        }
        let took = running.since.elapsed().as_secs_f64();
        let done = match step {
            Step::Export => String::new(),
            Step::Download | Step::Copy | Step::Check | Step::Stage => {
                format!("{} ", HumanBytes(running.done))
            }
            Step::Load => format!("{} tables ", running.done),
            Step::Materialize => format!("{} views ", running.done),
        };
        print::note(&format!("{}: {done}in {took:.1} s", name(step)));
    }

    fn note(&self, text: &str) {
        print::note(text);
    }
}

fn bar(step: Step, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match (step, total) {
        (Step::Export, _) => (ProgressBar::new_spinner(), "{spinner} {prefix}: {msg} ({elapsed})"),
        (Step::Load, Some(total)) => {
            (ProgressBar::new(total), "{spinner} {prefix} {bar:30} {pos}/{len} tables")
        }
        (Step::Materialize, Some(total)) => {
            (ProgressBar::new(total), "{spinner} {prefix} {bar:30} {pos}/{len} views: {msg}")
        }
        (_, Some(total)) => {
            (ProgressBar::new(total), "{spinner} {prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
        }
        (_, None) => (ProgressBar::new_spinner(), "{spinner} {prefix} {bytes} {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bar.with_style(style).with_prefix(name(step));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Export => "export on the server",
        Step::Download => "download",
        Step::Copy => "copy",
        Step::Check => "compare",
        Step::Stage => "stage",
        Step::Load => "commit",
        Step::Materialize => "materialize",
    }
}
