//! What the compiler cannot hold: who may import whom, and how long a file may be.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Module → the modules that it may not use, each with the reason.
const FORBIDDEN: [(&str, &[&str], &str); 6] = [
    ("src/raw", &["crate::lake", "crate::pipeline", "crate::query", "crate::cli"], "raw knows bytes only"),
    (
        "src/lake",
        &["crate::pipeline", "crate::query", "crate::materialize", "crate::cli", "reqwest"],
        "the lake is driven, it does not drive",
    ),
    ("src/views", &["crate::lake", "crate::query", "datafusion"], "views are texts"),
    ("src/query", &["crate::pipeline", "crate::materialize", "crate::cli"], "a query reads"),
    (
        "src/pipeline",
        &["crate::query", "crate::materialize", "crate::cli", "datafusion", "deltalake"],
        "Delta and SQL have their own modules",
    ),
    (
        "src/materialize",
        &["crate::cli", "crate::raw", "pipeline::run", "pipeline::load", "deltalake"],
        "views are written beside runs, not by them",
    ),
];

#[test]
fn imports_go_one_way() {
    for (module, forbidden, reason) in FORBIDDEN {
        for file in sources(&root().join(module)) {
            let code = std::fs::read_to_string(&file).unwrap();
            for import in forbidden {
                assert!(!code.contains(import), "{} uses {import}: {reason}", file.display());
            }
        }
    }
}

#[test]
fn anyhow_and_printing_stay_on_the_command_line() {
    for file in sources(&root().join("src")) {
        let code = std::fs::read_to_string(&file).unwrap();
        let on_command_line = file.starts_with(root().join("src/cli"));
        assert!(on_command_line || !code.contains("anyhow"), "{}", file.display());
    }
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    for folder in ["src", "crates", "tests"] {
        for file in sources(&root().join(folder)) {
            let code = std::fs::read_to_string(&file).unwrap();
            let lines = code.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            assert!(lines <= 600, "{} has {lines} lines", file.display());
        }
    }
}
