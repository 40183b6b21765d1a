//! A server into a lake: full, then what changed; system and Group; two pipelines at once.

use fhir_bulk_client::{BulkClient, ErrorKind};
use fhir_bulk_server::{BulkServer, Dataset, ServerOptions};
use fhirlake::Error;
use fhirlake::lake::identity::Identity;
use fhirlake::pipeline::progress::Unwatched;
use fhirlake::pipeline::{self, ExportOptions, Since};

use crate::fixture::{Bench, ask, contents, export, group, ingest, one, part, system};

#[tokio::test(flavor = "multi_thread")]
async fn the_second_export_asks_since_the_first_and_brings_what_changed() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    let first = export(&server, &lake, &system()).await.unwrap();
    assert_eq!(first.run.counts.iter().map(|c| c.inserted).sum::<i64>(), 6187);
    assert_eq!(first.run.counts.iter().filter_map(|c| c.server_count).sum::<i64>(), 6187);

    bench.change(&server);
    let second = export(&server, &lake, &system()).await.unwrap();
    assert_eq!(second.run.since.as_ref(), Some(&first.run.transaction_time));
    let kick_off = server.kick_offs().pop().unwrap();
    assert!(
        kick_off.contains(&first.run.transaction_time.replace('+', "%2B").replace(':', "%3A")),
        "{kick_off}"
    );
    let sum =
        |of: fn(&fhirlake::lake::exports::TypeCounts) -> i64| second.run.counts.iter().map(of).sum::<i64>();
    assert_eq!((sum(|c| c.inserted), sum(|c| c.updated), sum(|c| c.deleted)), (115, 332, 117));

    let third = export(&server, &lake, &system()).await.unwrap();
    assert!(third.run.counts.iter().all(|c| c.inserted + c.updated + c.deleted == 0));
    assert_eq!(third.run.since.as_ref(), Some(&second.run.transaction_time));
    assert!(third.run.watermarks.contains_key("*"));

    let files = bench.lake("files");
    for name in ["small-v1", "small-v2"] {
        ingest(&files, &[bench.path(name)]).await.unwrap();
    }
    assert_eq!(contents(&lake).await, contents(&files).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_groups_at_once_feed_one_lake_and_the_view_tells_their_patients_apart() {
    let bench = Bench::new();
    let (apart, together) = (bench.lake("apart"), bench.lake("together"));
    let server = bench.server().await;
    for name in ["half", "rest"] {
        export(&server, &apart, &group(name)).await.unwrap();
    }
    let (half, rest) = (group("half"), group("rest"));
    let (half, rest) = tokio::join!(export(&server, &together, &half), export(&server, &together, &rest));
    assert!(half.unwrap().is_clean() && rest.unwrap().is_clean());
    assert_eq!(contents(&apart).await, contents(&together).await);
    for lake in [apart, together] {
        let members =
            ask(&lake, "SELECT group_id, count(*) FROM cohort_members GROUP BY group_id ORDER BY group_id")
                .await;
        assert_eq!(members.unwrap(), [["half", "9"], ["rest", "8"]]);
        let joined =
            "SELECT count(*) FROM patients JOIN cohort_members USING (patient_id) WHERE group_id = 'half'";
        assert_eq!(one(&lake, joined).await, "9");
        assert_eq!(one(&lake, "SELECT count(*) FROM patients").await, "17");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_new_to_the_pipeline_is_exported_in_full_beside_the_others() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    let of =
        |types: &[&str]| ExportOptions { types: types.iter().map(|&t| t.to_owned()).collect(), ..system() };
    export(&server, &lake, &of(&["Patient"])).await.unwrap();
    bench.change(&server);
    let second = export(&server, &lake, &of(&["Patient", "Device"])).await.unwrap();
    let counts: Vec<_> = second
        .run
        .counts
        .iter()
        .map(|c| (c.resource_type.as_str(), c.file_count, c.inserted, c.updated))
        .collect();
    assert_eq!(counts, [("Device", 34, 34, 0), ("Patient", 1, 0, 1)]);
    assert_eq!(server.kick_offs().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_asks_for_everything_and_rewrites_nothing_that_is_unchanged() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    export(&server, &lake, &part()).await.unwrap();
    let full = export(&server, &lake, &ExportOptions { since: Since::Full, ..part() }).await.unwrap();
    assert_eq!(full.run.since, None);
    assert_eq!(full.run.counts.iter().map(|c| c.unchanged).sum::<i64>(), 687);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_another_server_is_refused_and_a_lake_of_files_takes_the_first() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let (ours, other) = (bench.server().await, bench.server().await);
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let patients = ExportOptions { types: vec!["Patient".into()], ..system() };
    let report = export(&ours, &lake, &patients).await.unwrap();
    assert_eq!(report.run.counts[0].unchanged, 17);
    let refused = export(&other, &lake, &patients).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_say_what_and_make_no_lake() {
    let bench = Bench::new();
    let dataset = Dataset::open(&bench.path("small-v1")).unwrap();
    let options = ServerOptions { bearer_token: Some("secret".into()), ..ServerOptions::default() };
    let guarded = BulkServer::start(dataset, options).await.unwrap();
    let open = bench.server().await;

    let without_token = export(&guarded, &bench.lake("a"), &system()).await.unwrap_err();
    assert!(
        matches!(&without_token, Error::Server(e) if e.kind() == ErrorKind::Unauthorized),
        "{without_token}"
    );
    let no_group = export(&open, &bench.lake("b"), &group("nobody")).await.unwrap_err();
    assert!(matches!(&no_group, Error::Server(e) if e.kind() == ErrorKind::NotFound), "{no_group}");
    let unknown = ExportOptions { types: vec!["patient".into()], ..system() };
    assert!(matches!(export(&open, &bench.lake("c"), &unknown).await, Err(Error::Refused(_))));
    let since = ExportOptions { since: Since::At("yesterday".into()), ..system() };
    assert!(matches!(export(&open, &bench.lake("d"), &since).await, Err(Error::Refused(_))));

    let url = open.base_url();
    open.shutdown().await;
    let mut client = BulkClient::builder(url.clone()).retries(0).build().unwrap();
    let gone = pipeline::export(
        &bench.lake("e"),
        &Identity::of_server(url, None),
        &mut client,
        &system(),
        &Unwatched,
    )
    .await;
    assert!(matches!(&gone, Err(Error::Server(e)) if e.kind() == ErrorKind::Connect));
    for lake in ["c", "d", "e"] {
        assert!(!bench.path(lake).exists(), "{lake}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_no_server_accepts_leaves_the_lake_to_the_next_one() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let server = bench.server().await;
    let mistyped = server.base_url().join("elsewhere/").unwrap();
    let mut client = BulkClient::builder(mistyped.clone()).build().unwrap();
    let identity = Identity::of_server(mistyped, None);
    pipeline::export(&lake, &identity, &mut client, &system(), &Unwatched).await.unwrap_err();
    let report = export(&server, &lake, &part()).await.unwrap();
    assert!(report.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_a_guarded_server_and_is_nowhere_in_the_lake() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    let dataset = Dataset::open(&bench.path("small-v1")).unwrap();
    let options = ServerOptions {
        bearer_token: Some("s3cr3t-t0ken".into()),
        poll_rounds: 0,
        ..ServerOptions::default()
    };
    let server = BulkServer::start(dataset, options).await.unwrap();
    let mut with_token = BulkClient::builder(server.base_url())
        .bearer_token(fhir_bulk_client::Secret::new("s3cr3t-t0ken"))
        .build()
        .unwrap();
    let identity = Identity::of_server(server.base_url(), None);
    let patients = ExportOptions { types: vec!["Patient".into()], ..system() };
    let reports = pipeline::export(&lake, &identity, &mut with_token, &patients, &Unwatched).await.unwrap();
    assert_eq!(reports[0].run.counts[0].inserted, 17);
    let mut folders = vec![bench.path("lake")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                assert!(!content.windows(12).any(|w| w == b"s3cr3t-t0ken"), "{}", path.display());
            }
        }
    }
}
