//! The command line: arguments, printing and exit codes live here and nowhere else.
//!
//! Data go to stdout, everything else to stderr.

mod answer;
mod changes;
mod check;
mod configured;
mod demo;
mod export;
mod groups;
mod ingest;
mod keys;
mod maintain;
mod options;
mod print;
mod progress;
mod quality;
mod quarantine;
mod query;
mod raw;
mod rebuild;
mod report;
mod server;
mod status;
mod views;
mod watermark;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fhir_bulk_client::ErrorKind;

use crate::config::Config;
use crate::error::Error;

/// Exit codes, as `--help` documents them.
const EXIT_FAILED: u8 = 1;
const EXIT_REFUSED: u8 = 2;
const EXIT_WITH_ISSUES: u8 = 3;
const EXIT_INTERRUPTED: u8 = 130;

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed; the same command continues where it stopped
  2    wrong usage, or refused: nothing was changed
  3    done, but with quarantined lines, errors of the server, or findings of a quality check
  130  interrupted; the same command continues where it stopped

Every flag can be set in the environment (--lake as FHIRLAKE_LAKE) and in fhirlake.toml (lake = \"…\"): flags win over
the environment, and that over the file.";

/// Loads FHIR servers into a lakehouse: Bulk Data export to typed Delta tables, exactly once.
#[derive(Debug, Parser)]
#[command(name = "fhirlake", version, after_help = AFTER_HELP, max_term_width = 110, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The file with settings [default: fhirlake.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "FHIRLAKE_CONFIG", display_order = 1000)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Export(Box<export::Export>),
    Check(Box<check::Check>),
    Groups(groups::Groups),
    Keys(keys::Keys),
    Ingest(ingest::Ingest),
    Query(query::Query),
    Quality(quality::Quality),
    Quarantine(quarantine::Quarantine),
    Changes(changes::Changes),
    Views(views::Views),
    Raw(raw::Raw),
    Maintain(Box<maintain::Maintain>),
    Rebuild(rebuild::Rebuild),
    Status(status::Status),
    Watermark(watermark::Watermark),
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Everything is well.
    Clean,
    /// The work is done, and something needs a look.
    WithIssues,
}

/// Runs the program. Whatever happens, it ends with a documented exit code.
pub fn main() -> ExitCode {
    // Patient data are for the owner of the files alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    log_to_stderr();
    let (arguments, config) = match configured::parse() {
        Ok(parsed) => parsed,
        Err(error) => return failed(&error.into()),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start")),
    };
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = run(arguments.command, &config) => ended,
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted.into()),
        }
    });
    // Threads that still read or write are not waited for: what they leave is taken up by the next run.
    runtime.shutdown_background();
    match ended {
        Ok(Done::Clean) => ExitCode::SUCCESS,
        Ok(Done::WithIssues) => ExitCode::from(EXIT_WITH_ISSUES),
        Err(error) => failed(&error),
    }
}

/// The threads of the program. There are few that may block: each keeps some of the memory that it has ever used.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(processors + 14).build()
}

async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    match command {
        Command::Demo(command) => command.run().await,
        Command::Export(command) => command.run(config).await,
        Command::Check(command) => command.run().await,
        Command::Groups(command) => command.run().await,
        Command::Keys(command) => command.run().await,
        Command::Ingest(command) => command.run(config).await,
        Command::Query(command) => command.run().await,
        Command::Quality(command) => command.run().await,
        Command::Quarantine(command) => command.run(config).await,
        Command::Changes(command) => command.run(config).await,
        Command::Views(command) => command.run(config).await,
        Command::Raw(command) => command.run().await,
        Command::Maintain(command) => command.run(config).await,
        Command::Rebuild(command) => command.run(config).await,
        Command::Status(command) => command.run().await,
        Command::Watermark(command) => command.run().await,
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    print::error(error);
    ExitCode::from(match error.downcast_ref::<Error>() {
        Some(Error::Refused(_) | Error::Invalid(_) | Error::Query(_)) => EXIT_REFUSED,
        Some(Error::Interrupted) => EXIT_INTERRUPTED,
        Some(Error::Server(error))
            if matches!(
                error.kind(),
                ErrorKind::Config | ErrorKind::Unencrypted | ErrorKind::Certificate
            ) =>
        {
            EXIT_REFUSED
        }
        _ => EXIT_FAILED,
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    if let Some(Error::Output(error)) = error.downcast_ref() {
        return error.kind() == std::io::ErrorKind::BrokenPipe;
    }
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Errors of the libraries and our own warnings, or what `FHIRLAKE_LOG` asks for. The Delta library calls a commit that another
/// one preceded an error; all that is one comes back to us.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FHIRLAKE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,deltalake_core=off,fhirlake=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
