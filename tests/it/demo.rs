//! The demo, and its answers against those found by other means.

use std::process::{Command, Output};

use crate::fixture::{Bench, Known, ask, ingest};

fn known() -> Known {
    serde_json::from_str(include_str!("../data/demo-answers.json")).unwrap()
}

fn demo(lake: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fhirlake")).args(["demo", "--lake", lake]).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_questions_have_the_answers_that_another_engine_found() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1")]).await.unwrap();
    for answer in known().answers {
        let path = format!("{}/sql/demo/{}.sql", env!("CARGO_MANIFEST_DIR"), answer.name);
        let sql = std::fs::read_to_string(path).unwrap();
        assert_eq!(ask(&lake, &sql).await.unwrap(), answer.rows, "{}", answer.name);
    }
}

#[test]
fn the_demo_answers_its_questions_and_replaces_its_own_lake_only() {
    let bench = Bench::new();
    let lake = bench.lake("demo");
    for _ in 0..2 {
        let ended = demo(&lake);
        let (out, err) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
        assert_eq!(ended.status.code(), Some(0), "{err}");
        for answer in known().answers {
            let below = out.split_once(&answer.question).expect("the question is asked").1;
            let table: Vec<Vec<&str>> = below
                .lines()
                .skip_while(|line| !line.starts_with('|'))
                .take_while(|line| !line.is_empty())
                .filter(|line| line.starts_with('|'))
                .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
                .collect();
            assert_eq!(table[1..], answer.rows, "{}", answer.name);
        }
        let totals: Vec<Vec<&str>> = out
            .lines()
            .filter(|line| line.starts_with("total"))
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            totals,
            [
                ["total", "6187", "6187", "6187", "0", "0", "0", "0"],
                ["total", "447", "447", "115", "332", "117", "0", "0"]
            ]
        );
        assert!(err.contains(&format!("fhirlake status --lake {lake}")), "{err}");
    }
    let other = bench.lake("small-v1");
    let refused = demo(&other);
    assert_eq!(refused.status.code(), Some(2));
    assert!(bench.path("small-v1/Patient.ndjson").exists());
}
