//! What a server that never reports deletions no longer has.

use fhirlake::Error;
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, Absences, AbsencesOptions, MaxRemovals, Settings};

use crate::fixture::{Bench, ask, client, contents, expected, export, ingest, one, part, system};

async fn compare(
    server: &fhir_bulk_server::BulkServer,
    lake: &str,
    apply: bool,
    most: MaxRemovals,
) -> fhirlake::Result<Absences> {
    let identity = Identity::of_server(server.base_url(), None);
    let settings = Settings { max_removals: most, ..Settings::default() };
    let options = AbsencesOptions { types: Vec::new(), apply, settings };
    pipeline::absences(lake, &identity, &mut client(server), &options, &Unwatched).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_from_the_server_is_told_first_and_then_removed() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &system()).await.unwrap();
    bench.change(&server);
    let before = contents(&lake).await;

    let found = compare(&server, &lake, false, MaxRemovals::default()).await.unwrap();
    for table in &found.tables {
        let deleted = expected(&bench).get(&table.resource_type).map_or(0, |change| change.deleted.len());
        assert_eq!(table.absent, deleted as u64, "{table:?}");
    }
    assert_eq!(contents(&lake).await, before, "it was only told");
    assert_eq!(one(&lake, "SELECT count(*) FROM _exports").await, "1");

    let refused = compare(&server, &lake, true, MaxRemovals::Rows(1)).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("--max-removals")), "{refused}");
    assert_eq!(contents(&lake).await, before);

    let removed = compare(&server, &lake, true, MaxRemovals::Share(0.5)).await.unwrap();
    let counts = removed.report.unwrap().run.counts;
    assert_eq!(counts.iter().map(|count| (count.inserted, count.updated)).max(), Some((0, 0)));
    let mut left = before;
    for (name, change) in expected(&bench) {
        left.get_mut(&name).unwrap().retain(|id, _| !change.deleted.contains(id));
    }
    assert_eq!(contents(&lake).await, left, "what changed comes with the next export");
    assert_eq!(ask(&lake, "SELECT DISTINCT cause FROM _deletions").await.unwrap(), [["absent"]]);

    // The ids are not kept, and what is exported next is what changed.
    let report = export(&server, &lake, &system()).await.unwrap();
    assert!(report.run.since.is_some());
    assert_eq!(one(&lake, "SELECT count(*) FROM _files WHERE export_id LIKE 'reconcile%'").await, "0");
    for entry in std::fs::read_dir(bench.path("lake/raw")).unwrap() {
        let folder = entry.unwrap().path();
        let is_empty = std::fs::read_dir(&folder).unwrap().next().is_none();
        assert_eq!(is_empty, folder.to_str().unwrap().contains("/reconcile-"), "{}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_is_not_there_is_not_compared() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("none");
    assert!(compare(&server, &lake, false, MaxRemovals::default()).await.is_err());
    assert!(!bench.path("none").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_leaves_gaps_open_and_removes_nothing_while_the_server_reports_errors() {
    let bench = Bench::new();
    let server = bench.server().await;
    server.set_faults(["outcome-named", "read-403"].map(|name| name.parse().unwrap()).to_vec());
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    let open = "SELECT count(*) FROM _gaps WHERE resolved_by IS NULL";
    let before = one(&lake, open).await;
    assert_ne!(before, "0");
    bench.change(&server);
    // The server has it now, and still says that it could not export it.
    server.set_faults(vec!["outcome-named".parse().unwrap()]);
    let found = compare(&server, &lake, false, MaxRemovals::default()).await.unwrap();
    assert!(found.warning.is_some() && found.tables.is_empty(), "{found:?}");
    compare(&server, &lake, true, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(one(&lake, open).await, before);
    assert_eq!(one(&lake, "SELECT count(*) FROM _deletions").await, "0");
    server.set_faults(Vec::new());
    compare(&server, &lake, true, MaxRemovals::Share(1.0)).await.unwrap();
    assert_eq!(one(&lake, open).await, before, "only an export brings what is missing");
    export(&server, &lake, &part()).await.unwrap();
    assert_eq!(one(&lake, open).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_files_is_not_bound_to_a_server_by_a_comparison() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.part("small-v1")]).await.unwrap();
    let refused = compare(&server, &lake, false, MaxRemovals::default()).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("made of files")), "{refused}");
    let identity = std::fs::read_to_string(bench.path("lake/lake.json")).unwrap();
    assert!(!identity.contains("http"), "{identity}");
}
