//! The project's own build tasks: `cargo xtask <task>`.
#![allow(clippy::print_stdout, reason = "a command line tells its result on standard output")]

mod definitions;
mod sof_report;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "The project's own build tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Generates the data of crates/fhir-definitions out of the published FHIR definitions
    Definitions(definitions::Arguments),
    /// Runs the SQL on FHIR test suite and writes its report
    SofReport(sof_report::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Definitions(arguments) => definitions::run(&arguments),
        Task::SofReport(arguments) => sof_report::run(&arguments),
    }
}
