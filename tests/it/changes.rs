//! What changed since a run, as the lake tells it, and as Delta's own change feed does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deltalake::arrow::array::AsArray;
use deltalake::datafusion::physical_plan::collect;
use deltalake::datafusion::prelude::{SessionContext, col, lit};
use fhirlake::lake::identity::{Identity, UpsertMode};
use fhirlake::lake::{Lake, table};
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, IngestOptions, MaintainOptions, RebuildOptions, Settings, VacuumOptions};
use fhirlake::query::{ChangedSince, ChangesOptions, Pin};
use fhirlake::{Error, query};

use crate::fixture::{Bench, as_text, ask, expected, ingest, tables, write_lines};

/// `Type/id change run`, of everything that changed.
async fn changes(lake: &str, since: ChangedSince) -> fhirlake::Result<BTreeSet<String>> {
    let lake = Lake::open(lake).await?;
    let options = ChangesOptions { since, until: Pin::LastRun, types: Vec::new(), memory: 64 << 20 };
    let rows = as_text(query::changes(&lake, &options).await?).await?;
    let count = rows.len();
    let run = |export_id: &str| export_id.rsplit_once('-').unwrap_or_default().0.to_owned();
    let all: BTreeSet<_> =
        rows.iter().map(|row| format!("{}/{} {} {}", row[0], row[1], row[2], run(&row[6]))).collect();
    assert_eq!(all.len(), count, "a resource changes once in a run");
    Ok(all)
}

fn since(run: &str) -> ChangedSince {
    ChangedSince::Run(run.to_owned())
}

/// What the second part of the sample does to the first.
fn in_v2(bench: &Bench) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, change) in expected(bench) {
        let each = [(change.changed, "update"), (change.added, "insert"), (change.deleted, "delete")];
        for (ids, what) in each {
            all.extend(ids.into_iter().map(|id| format!("{name}/{id} {what} ingest-2")));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_with_the_run_that_made_them_in_both_modes() {
    let bench = Bench::new();
    for mode in [UpsertMode::DeletionVectors, UpsertMode::CopyOnWrite] {
        let lake = bench.lake(&format!("{mode:?}"));
        let identity = Identity::of_files(None, None).with_upsert(Some(mode));
        for name in ["small-v1", "small-v2"] {
            let options = IngestOptions { paths: vec![bench.path(name)], ..IngestOptions::default() };
            pipeline::ingest(&lake, &identity, &options, &Unwatched).await.unwrap();
        }
        assert_eq!(changes(&lake, since("ingest-1")).await.unwrap(), in_v2(&bench), "{mode:?}");
        // Files that are put together change nothing.
        let options = MaintainOptions { fold: true, settings: Settings::default(), ..Default::default() };
        assert!(!pipeline::maintain(&lake, &options, &Unwatched).await.unwrap().is_empty());
        assert_eq!(changes(&lake, since("ingest-2")).await.unwrap(), BTreeSet::new());
        assert_eq!(changes(&lake, since("ingest-1")).await.unwrap(), in_v2(&bench));
        // The first run is made of version 1 of each table: version 0 has its columns.
        let all = changes(&lake, ChangedSince::Version(0)).await.unwrap();
        assert_eq!(all.iter().filter(|change| change.ends_with("insert ingest-1")).count(), 6187);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_lake_does_not_have_is_refused_with_those_that_it_has() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let refused = changes(&lake, since("ingest-7")).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("ingest-1-")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_own_change_feed_has_the_same_changes_as_pairs() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let told = changes(&lake, since("ingest-1")).await.unwrap();
    let mut pairs = BTreeSet::new();
    for change in &told {
        let (resource, what) = change.split_once(' ').unwrap();
        let sides: &[&str] = match what.split(' ').next().unwrap() {
            "insert" => &["insert"],
            "delete" => &["delete"],
            _ => &["delete", "insert"],
        };
        pairs.extend(sides.iter().map(|side| format!("{resource} {side}")));
    }
    assert_eq!(feed(&lake).await, pairs);
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_own_change_feed_has_the_last_rows_of_a_file_and_new_files_with_duplicates() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let patient = |id: &str, month: u8| {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","meta":{{"lastUpdated":"2026-0{month}-01T00:00:00Z"}}}}"#
        )
    };
    let runs: [&[(&str, u8)]; 3] = [
        &[("p0", 1), ("p1", 1), ("p2", 1), ("p3", 1)],
        // Of one resource twice, the newer version stands, and its file keeps the others.
        &[("p0", 2), ("p0", 3), ("p4", 2), ("p5", 2)],
        &[("p1", 4), ("p2", 4), ("p3", 4)],
    ];
    for (number, lines) in runs.iter().enumerate() {
        let lines: Vec<String> = lines.iter().map(|(id, month)| patient(id, *month)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let part = write_lines(&bench.path(&number.to_string()), "Patient.ndjson", &lines);
        ingest(&lake, &[part]).await.unwrap();
    }
    let changed = ["p0", "p1", "p2", "p3"].iter().flat_map(|id| [(id, "delete"), (id, "insert")]);
    let new = ["p4", "p5"].iter().map(|id| (id, "insert"));
    let pairs = changed.chain(new).map(|(id, side)| format!("Patient/{id} {side}")).collect();
    assert_eq!(feed(&lake).await, pairs);
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_own_change_feed_of_a_rebuild_has_every_row_as_gone_and_come() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let root = Lake::open(&lake).await.unwrap().root;
    let before = table::open(&root, "Patient").await.unwrap().unwrap().version();
    let (types, tables) = (vec!["Patient".to_owned()], BTreeMap::new());
    let options = RebuildOptions { types, tables, settings: Settings::default() };
    pipeline::rebuild(&lake, &options, &Unwatched).await.unwrap();
    let rows = ask(&lake, "SELECT id FROM Patient").await.unwrap().into_iter().flatten();
    let both = rows.flat_map(|id| ["delete", "insert"].map(|side| format!("{id} {side}")));
    let mut both: Vec<String> = both.collect();
    both.sort_unstable();
    let after = table::open(&root, "Patient").await.unwrap().unwrap();
    assert_eq!(feed_of(&after, before + 1).await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_no_table_has_is_refused_with_the_newest() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    for version in [2, u64::MAX] {
        let refused = changes(&lake, ChangedSince::Version(version)).await.unwrap_err();
        assert!(matches!(&refused, Error::Refused(why) if why.contains("is version 1 of")), "{refused}");
    }
    assert_eq!(changes(&lake, ChangedSince::Version(1)).await.unwrap(), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vacuum_has_taken_is_told_with_the_version_from_which_on_changes_are_known() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.part(name)]).await.unwrap();
    }
    let options = MaintainOptions { fold: true, ..Default::default() };
    pipeline::maintain(&lake, &options, &Unwatched).await.unwrap();
    let options = VacuumOptions { types: vec!["Patient".to_owned()], retention: Duration::ZERO };
    pipeline::vacuum(&lake, &options, &Unwatched).await.unwrap();
    let error = changes(&lake, since("ingest-1")).await.unwrap_err();
    assert!(matches!(&error, Error::Vacuumed { table, known_after: 2 } if table == "Patient"), "{error}");
    assert!(!error.to_string().contains(bench.path("").to_str().unwrap()), "{error}");
    assert_eq!(changes(&lake, since("ingest-2")).await.unwrap(), BTreeSet::new());
}

/// Ingests both parts of the sample into a lake whose files are written again.
async fn copied_on_write(bench: &Bench) -> String {
    let lake = bench.lake("lake");
    let identity = Identity::of_files(None, None).with_upsert(Some(UpsertMode::CopyOnWrite));
    for name in ["small-v1", "small-v2"] {
        let options = IngestOptions { paths: vec![bench.part(name)], ..IngestOptions::default() };
        pipeline::ingest(&lake, &identity, &options, &Unwatched).await.unwrap();
    }
    lake
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_is_read_though_the_log_does_not_say_how_large_it_is() {
    let bench = Bench::new();
    let lake = copied_on_write(&bench).await;
    let told = changes(&lake, since("ingest-1")).await.unwrap();
    let commit = bench.path("lake/tables/Patient/_delta_log/00000000000000000002.json");
    let (mut text, mut removed) = (String::new(), 0);
    for line in std::fs::read_to_string(&commit).unwrap().lines() {
        let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(remove) = action.get_mut("remove").and_then(|remove| remove.as_object_mut()) {
            removed += i32::from(remove.remove("size").is_some());
        }
        text += &format!("{action}\n");
    }
    assert!(removed > 0);
    std::fs::write(&commit, text).unwrap();
    assert_eq!(changes(&lake, since("ingest-1")).await.unwrap(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_another_program_is_told_though_it_keeps_the_hash() {
    let bench = Bench::new();
    let lake = copied_on_write(&bench).await;
    let opened = Lake::open(&lake).await.unwrap();
    let patients = table::open(&opened.root, "Patient").await.unwrap().unwrap();
    let told = changes(&lake, since("ingest-1")).await.unwrap();
    let id = told.iter().find_map(|change| change.strip_prefix("Patient/")?.strip_suffix(" update ingest-2"));
    let id = id.unwrap();
    let update = patients.delta().clone().update().with_predicate(col("id").eq(lit(id)));
    update.with_update("gender", lit("other")).await.unwrap();
    let options = ChangesOptions {
        since: ChangedSince::Version(patients.version()),
        until: Pin::Latest,
        types: vec!["Patient".to_owned()],
        memory: 64 << 20,
    };
    let rows = as_text(query::changes(&opened, &options).await.unwrap()).await.unwrap();
    let is_it = |row: &&Vec<String>| row[1] == id && row[2] == "update" && row[5] == "NULL";
    assert!(rows.iter().any(|row| is_it(&row)), "{rows:?}");
}

/// `Type/id side` of every row of Delta's change feed after version 1 of each table.
async fn feed(lake: &str) -> BTreeSet<String> {
    let root = Lake::open(lake).await.unwrap().root;
    let mut all = BTreeSet::new();
    for name in tables(lake).await {
        let table = table::open(&root, &name).await.unwrap().unwrap();
        all.extend(feed_of(&table, 2).await.into_iter().map(|row| format!("{name}/{row}")));
    }
    all
}

/// `id side` of every row of a table's change feed from a version on, sorted.
pub async fn feed_of(table: &delta_upsert::Table, version: u64) -> Vec<String> {
    let mut all = Vec::new();
    if table.version() < version {
        return all;
    }
    let context = SessionContext::new();
    let scan = table.delta().clone().scan_cdf().with_starting_version(version);
    let plan = scan.build(&context.state(), None).await.unwrap();
    for batch in collect(plan, context.task_ctx()).await.unwrap() {
        let text = |column: &str| {
            let column = batch.column_by_name(column).unwrap();
            deltalake::arrow::compute::cast(column, &deltalake::arrow::datatypes::DataType::Utf8).unwrap()
        };
        let (ids, sides) = (text("id"), text("_change_type"));
        let rows = ids.as_string::<i32>().iter().zip(sides.as_string::<i32>());
        all.extend(rows.map(|(id, side)| format!("{} {}", id.unwrap(), side.unwrap())));
    }
    all.sort_unstable();
    all
}
