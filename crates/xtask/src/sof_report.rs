//! `cargo xtask sof-report`: the SQL on FHIR test suite, and the report that the suite's site shows.
//!
//! The one invariant: the views run in the test binary of crates/fhir-sql, so this command does not link DataFusion, and its
//! exit says whether every test passed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

/// What the command takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder with the suite's files, its tests/
    folder: PathBuf,
    /// The file of the report
    #[arg(short, long, default_value = "test_report.json")]
    output: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let folder = folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The selection of packages of every other build, so that nothing is compiled again.
    let status = Command::new(cargo)
        .args(["test", "--quiet", "--workspace", "--locked", "--test", "it", "--"])
        .args(["--exact", "sof_report", "--ignored", "--nocapture"])
        .env("SOF_TESTS", folder)
        .env("SOF_REPORT", std::path::absolute(&arguments.output)?)
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("not every test passes");
    }
    Ok(())
}
