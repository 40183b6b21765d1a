//! The only functions that print.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the command line prints here")]

use std::io::Write;

/// Data, on stdout.
pub fn data(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// A line about what happens, on stderr.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// An error and its causes, on stderr, in one line.
pub fn error(error: &anyhow::Error) {
    eprintln!("fhirlake: {}", causes(error));
}

/// What went wrong, and why, as far as that is not said already: many errors say their causes themselves.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

/// A table of text for people: columns of the second and later fields are aligned to the right where they are numbers.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..header.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([header[at].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let numeric: Vec<bool> = (0..header.len())
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .all(|cell| cell.is_empty() || cell == "-" || cell.parse::<f64>().is_ok())
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.into_iter().enumerate().map(|(at, cell)| {
            if numeric[at] { format!("{cell:>0$}", widths[at]) } else { format!("{cell:<0$}", widths[at]) }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(header.to_vec())].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(crate::Error::Output(cause)).context("cannot go on");
        assert_eq!(causes(&error), "cannot go on: the answer cannot be written: disk full");
    }

    #[test]
    fn numbers_are_aligned_to_the_right() {
        let rows = [vec!["Patient".into(), "17".into()], vec!["Observation".into(), "2100".into()]];
        assert_eq!(
            table(&["type", "rows"], &rows),
            "type         rows\nPatient        17\nObservation  2100"
        );
    }
}
