//! Judges lines of NDJSON on standard input, and writes the findings of each as a JSON array on one line:
//! `cargo run -p fhir-arrow --example findings -- [structure|full] [4.0.1|4.3.0|5.0.0]`, without arguments in full by R4.
//! A finding has what it says of itself, and what it is as an issue of an OperationOutcome.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead as _, BufWriter, Write as _, stdin, stdout};

use fhir_arrow::{Finding, Findings, Reader, ValidationLevel, Validator};
use fhir_definitions::{Definitions, FhirVersion};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let level = match arguments.next().as_deref() {
        Some("structure") => ValidationLevel::Structure,
        Some("full") | None => ValidationLevel::Full,
        Some(other) => return Err(format!("{other} is neither structure nor full").into()),
    };
    let number = arguments.next().unwrap_or_else(|| "4.0.1".to_owned());
    let version =
        FhirVersion::from_fhir_version(&number).ok_or("there are no definitions of this FHIR version")?;
    let validator = Validator::new(Definitions::of(version), level);

    let (mut reader, mut findings) = (Reader::default(), Findings::default());
    let mut out = BufWriter::new(stdout().lock());
    for (line, number) in stdin().lock().split(b'\n').zip(1..) {
        let line = line?;
        let told = match reader.read(&line) {
            Ok(resource) => {
                validator.validate(&resource, &mut findings);
                findings.iter().map(|finding| tell(finding, number)).collect::<Result<Vec<_>, _>>()?
            }
            Err(error) => vec![tell(&Finding::from(error), number)?],
        };
        writeln!(out, "{}", serde_json::to_string(&told)?)?;
    }
    out.flush()?;
    Ok(())
}

fn tell(finding: &Finding, line: u64) -> Result<Value, serde_json::Error> {
    let issue: Box<RawValue> = RawValue::from_string(finding.to_issue("standard input", line))?;
    Ok(json!({
        "severity": finding.severity.as_str(),
        "kind": finding.kind.as_str(),
        "path": finding.element_path,
        "offset": finding.offset,
        "reason": finding.reason,
        "issue": issue,
    }))
}
