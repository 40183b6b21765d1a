//! Flags that several commands share, and how values on the command line are read.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// The lake that a command works on.
#[derive(Debug, Clone, Args)]
pub struct LakeOption {
    /// The lake's folder
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE")]
    pub lake: String,
}

/// How a command that reports tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Reads `30s`, `10m`, `2h`, `1d`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let number_ends = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let seconds: u64 = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err("write a number and s, m, h or d, as in 30s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number and s, m, h or d, as in 30s".to_owned())?;
    match number.checked_mul(seconds) {
        Some(0) => Err("it must be a second at least".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("it is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("ten").is_err());
        assert!(duration("5w").is_err());
        assert!(duration("0s").is_err(), "a server would be asked without a pause");
    }
}
