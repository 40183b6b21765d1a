//! The table of requirements names tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// All Rust sources below `folder`.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_of_the_table_of_requirements_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() >= 5);
    let cells =
        rows.filter_map(|row| row.split('|').nth(4)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let missing: BTreeSet<&str> = cells.filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let files =
        readme.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs") && !name.contains("tests/"));
    let absent: BTreeSet<&str> = files.filter(|name| !root.join("src").join(name).exists()).collect();
    assert!(absent.is_empty(), "{absent:?}");
}
