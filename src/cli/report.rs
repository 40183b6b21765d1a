//! A finished run, told.

use super::options::ReportFormat;
use super::{Done, print};
use crate::pipeline::Report;

/// Prints runs, one after the other: counts to stdout, warnings to stderr; or as JSON, a line for each run.
pub fn show_all(reports: &[Report], format: ReportFormat) -> anyhow::Result<Done> {
    let mut all = Done::Clean;
    for report in reports {
        if show(report, format)? == Done::WithIssues {
            all = Done::WithIssues;
        }
    }
    Ok(all)
}

fn show(report: &Report, format: ReportFormat) -> anyhow::Result<Done> {
    match format {
        ReportFormat::Json => print::data(&serde_json::to_string(report)?)?,
        ReportFormat::Table => {
            print::data(&counts(report))?;
            for warning in &report.warnings {
                print::note(&format!("warning: {warning}"));
            }
            print::note(&summary(report));
        }
    }
    Ok(if report.is_clean() { Done::Clean } else { Done::WithIssues })
}

/// What came, and what became of it, by resource type.
pub fn counts(report: &Report) -> String {
    let header = ["type", "server", "files", "inserted", "updated", "deleted", "unchanged", "quarantined"];
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut total = [0_i64; 6];
    for entry in &report.run.counts {
        let numbers = [
            entry.file_count,
            entry.inserted,
            entry.updated,
            entry.deleted,
            entry.unchanged,
            entry.quarantined,
        ];
        total.iter_mut().zip(numbers).for_each(|(total, number)| *total += number);
        let server = entry.server_count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let cells = [entry.resource_type.clone(), server].into_iter().chain(numbers.map(|n| n.to_string()));
        rows.push(cells.collect());
    }
    let server: Option<i64> =
        report.run.counts.iter().filter_map(|entry| entry.server_count).reduce(|a, b| a + b);
    let server = server.map_or_else(|| "-".to_owned(), |count| count.to_string());
    rows.push(["total".to_owned(), server].into_iter().chain(total.map(|n| n.to_string())).collect());
    print::table(&header, &rows)
}

fn summary(report: &Report) -> String {
    let run = &report.run;
    let watermark = match run.watermarks.len() {
        0 if run.level == "ingest" => String::new(),
        0 => "; the watermark stays where it was".to_owned(),
        _ => format!("; watermark {}", run.transaction_time),
    };
    let since = run.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let took = (run.finished_at - run.started_at).as_seconds_f64();
    let quarantined: i64 = run.counts.iter().map(|entry| entry.quarantined).sum();
    let hint = if quarantined > 0 { "; see the table _quarantine" } else { "" };
    let retries = match report.retries {
        0 => String::new(),
        retries => format!("; {retries} requests made again"),
    };
    format!("run {}{since}: {} in {took:.1} s{watermark}{retries}{hint}", run.export_id, run.status)
}
