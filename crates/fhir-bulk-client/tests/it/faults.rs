//! Whole exports from the embedded server, with one fault after the other: the data is whole, or the error says what it
//! is. Never is something taken for data that is none, and never is something lost without a word.

use fhir_bulk_client::{Error, ErrorKind, ExportReport, ExportRequest, FolderOptions};
use fhir_bulk_server::{Fault, Rule, ServerOptions};

use crate::real::{Real, options};

async fn export(real: &Real) -> Result<ExportReport, Error> {
    let client = real.client().build().unwrap();
    client.export_to(&ExportRequest::default(), real.folder.path(), FolderOptions::default(), |_| ()).await
}

async fn under(rule: impl Into<Rule>) -> (Real, Result<ExportReport, Error>) {
    let real = Real::start(options().with_fault(rule)).await;
    let outcome = export(&real).await;
    (real, outcome)
}

fn is_whole(real: &Real) {
    let observations = real.lines("Observation");
    assert_eq!((real.lines("Patient").len(), observations.len()), (2, 100));
    assert!(observations.iter().all(|line| line.contains("7.40") && line.contains("é\u{2028}𝄞")));
}

#[tokio::test]
async fn an_export_is_whole() {
    let real = Real::start(options()).await;
    let report = export(&real).await.unwrap();
    is_whole(&real);
    assert_eq!((report.resources["Patient"], report.resources["Observation"]), (2, 100));
    assert_eq!(report.warnings, Vec::<String>::new());
    assert!(!real.path("Observation.0.ndjson.part").exists() && real.path("manifest.0.json").exists());
}

#[tokio::test]
async fn faults_that_pass_or_do_no_harm_leave_the_data_whole() {
    use Fault::*;
    let passing = [
        KickOff429,
        KickOff503,
        KickOff400Busy,
        KickOff409,
        Poll429,
        Poll503,
        PollTransient,
        PollEmpty500,
        PollHtml502,
        ManifestCut,
        File429,
        File503,
        File502,
        FileCut,
        FileCutChunked,
        FileCutGzip,
        File403,
        File404,
        File410,
    ];
    let harmless = [
        Metadata500,
        MetadataHtml,
        RefuseGet,
        RefusePost,
        SharedJob,
        RelativeLocation,
        StatusUrlQuery,
        PollParametersBody,
        RetryAfterDate,
        RetryAfterMillis,
        RetryAfter120,
        RetryAfter5Hours,
        NoRetryAfter,
        Delete404,
        Delete403,
        ManifestFhirJson,
        NoError,
        NoDeleted,
        NoRequest,
        OutcomeKey,
        NoSectionType,
        ExtensionObject,
        ExtensionArray,
        UnknownMembers,
        TokenFlagString,
        TokenFlagTrue,
        NoCount,
        RelativeUrls,
        TimeNanoseconds,
        TimeOffset,
        OutcomeMild,
        FileUndeclaredGzip,
        NoGzip,
        NoRange,
        EtagChanges,
        FileBare,
        RefuseFileToken,
        Redirect307,
        Redirect302,
        FileSlow,
        FileOctetStream,
        FileJsonLabel,
        NoFinalNewline,
        BlankLines,
        FileTinyChunks,
        NoExpires,
        PollTooSoon,
        FileBinaryByAccept,
        WrongCount,
    ];
    let rules = passing.map(|fault| Rule::new(fault).times(1)).into_iter();
    let mut failed = Vec::new();
    for rule in rules.chain(harmless.map(Rule::new)) {
        let (real, outcome) = under(rule.clone()).await;
        match outcome {
            Ok(_) if real.lines("Patient").len() == 2 && real.lines("Observation").len() == 100 => {}
            Ok(_) => failed.push(format!("{rule:?}: {} observations", real.lines("Observation").len())),
            Err(error) => failed.push(format!("{rule:?}: {error:?}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn what_is_no_data_ends_the_export_and_gets_no_name() {
    use Fault::*;
    for fault in [FileHtml, FileOutcome, FileOutcomeLine, FileBinaryJson, FileBinaryXml] {
        let (real, outcome) = under(Rule::new(fault).only("Observation")).await;
        assert_eq!(outcome.err().map(|error| error.kind()), Some(ErrorKind::NotData), "{fault}");
        assert_eq!(real.lines("Observation").len(), 0, "{fault}");
    }
}

#[tokio::test]
async fn a_file_that_stays_short_ends_the_export_and_gets_no_name() {
    use Fault::*;
    for fault in [FileCut, FileCutChunked, FileCutGzip] {
        let (real, outcome) = under(Rule::new(fault).only("Observation")).await;
        let kind = outcome.err().map(|error| error.kind());
        if kind.is_some() {
            assert!(matches!(kind, Some(ErrorKind::Truncated | ErrorKind::Connect)), "{fault}: {kind:?}");
            assert_eq!(real.lines("Observation").len(), 0, "{fault}");
        } else {
            is_whole(&real);
        }
    }
}

#[tokio::test]
async fn what_is_odd_in_a_file_is_told() {
    use Fault::*;
    for (fault, said) in [
        (WrongCount, "the manifest says"),
        (BrokenLastLine, "1 lines are no resources"),
        (DuplicateLine, "the manifest says"),
        (FileEndsEarly, "the manifest says"),
    ] {
        let rule = Rule::new(fault);
        let rule = if fault == WrongCount { rule } else { rule.only("Observation") };
        let (_, outcome) = under(rule).await;
        match outcome {
            Ok(report) => assert!(
                report.warnings.iter().any(|warning| warning.contains(said)),
                "{fault}: {:?}",
                report.warnings
            ),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Truncated, "{fault}: {error}"),
        }
    }
}

#[tokio::test]
async fn errors_say_what_it_was() {
    use ErrorKind::*;
    use Fault::*;
    let cases = [
        (NoLocation, Protocol),
        (KickOffEmpty500, Server),
        (KickOff501, Refused),
        (KickOff504, Server),
        (PollFatal, JobFailed),
        (JobLost, JobGone),
        (ManifestHtml, Protocol),
        (TimeMissing, Protocol),
        (RedirectLoop, Protocol),
        (KickOff429, Busy),
    ];
    let mut wrong = Vec::new();
    for (fault, kind) in cases {
        let (_, outcome) = under(fault).await;
        match outcome {
            Err(error) if error.kind() == kind => {}
            Err(error) => wrong.push(format!("{fault}: {error:?}")),
            Ok(_) => wrong.push(format!("{fault}: no error")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_transaction_time_that_is_none_is_told_and_never_replaced() {
    for fault in [Fault::TimeGarbage, Fault::TimeDateOnly] {
        let (_, outcome) = under(fault).await;
        let report = outcome.unwrap();
        assert!(report.warnings.iter().any(|warning| warning.contains("is not an instant")), "{fault}");
    }
}

#[tokio::test]
async fn what_the_server_could_not_export_is_told() {
    for fault in [Fault::OutcomeNamed, Fault::OutcomeUnnamed] {
        let (_, outcome) = under(fault).await;
        assert!(outcome.unwrap().has_server_errors(), "{fault}");
    }
    let (_, outcome) = under(Fault::OutcomeMild).await;
    let report = outcome.unwrap();
    assert!(!report.has_server_errors() && !report.severities.is_empty());
}

#[tokio::test]
async fn types_that_were_ignored_are_told() {
    let request = ExportRequest { types: vec!["Patient".into()], ..Default::default() };
    let real = Real::start(options().with_fault(Fault::IgnoreType)).await;
    let client = real.client().build().unwrap();
    let report =
        client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    assert_eq!(report.types_not_asked_for, ["Observation"]);

    let request = ExportRequest { types: vec!["Patient".into(), "Device".into()], ..Default::default() };
    let real = Real::start(options()).await;
    let client = real.client().build().unwrap();
    let report =
        client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    assert_eq!(report.types_without_resources, ["Device"]);
}

#[tokio::test]
async fn an_export_that_was_interrupted_asks_only_for_what_is_missing() {
    use fhir_bulk_server::Step;
    // The second file of observations never comes, until the server is mended.
    let real = Real::start(options().with_fault(Rule::new(Fault::FileHtml).only("Observation"))).await;
    let keep = FolderOptions { parallel: 1, ..Default::default() };
    let client = real.client().build().unwrap();
    let request = ExportRequest::default();
    assert!(client.export_to(&request, real.folder.path(), keep, |_| ()).await.is_err());
    real.server.set_faults(Vec::new());
    real.server.forget_requests();
    let client = real.client().build().unwrap();
    client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    is_whole(&real);
    assert!(real.server.requests_of(Step::KickOff).is_empty(), "the job goes on");
    real.server.forget_requests();
}

#[tokio::test]
async fn a_new_export_begins_only_where_the_old_one_is_gone() {
    use fhir_bulk_server::Step;
    let real = Real::start(options()).await;
    let keep = FolderOptions { delete_job: false, ..Default::default() };
    let client = real.client().build().unwrap();
    let request = ExportRequest::default();
    client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    let (kick_offs, files) =
        (real.server.requests_of(Step::KickOff).len(), real.server.requests_of(Step::File).len());
    assert_eq!((kick_offs, files), (1, 4), "nothing is asked for twice");
    // Now it is deleted.
    client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    assert_eq!(real.server.requests_of(Step::KickOff).len(), 2);
    is_whole(&real);
}

#[tokio::test]
async fn links_that_expire_are_asked_for_anew() {
    let lifetime = Some(std::time::Duration::from_millis(300));
    let settings = ServerOptions { link_lifetime: lifetime, ..options() };
    let real = Real::start(settings.with_fault(Rule::new(Fault::File403).times(2))).await;
    export(&real).await.unwrap();
    is_whole(&real);
}

#[tokio::test]
async fn files_that_will_be_gone_before_they_are_received_are_warned_of() {
    // By its `Expires` they have been gone for long, and it gives them all the same.
    let server = crate::server::Server::start().await;
    use crate::server::Reply;
    server.on("GET /fhir/$export", [Reply::status(202).header("content-location", "/poll")]);
    let manifest = format!(
        r#"{{"transactionTime":"2026-01-01T00:00:00Z","requiresAccessToken":false,"output":[{{"type":"Patient","url":"{}"}}]}}"#,
        server.url("/file")
    );
    let done = Reply::status(200).header("expires", "Sun, 06 Nov 1994 08:49:37 GMT").json(manifest);
    server.on("GET /poll", [done]);
    server.on("GET /file", [Reply::status(200).ndjson("{\"resourceType\":\"Patient\",\"id\":\"1\"}\n")]);
    server.on("DELETE /poll", [Reply::status(202)]);
    let folder = tempfile::tempdir().unwrap();
    let client = server.client().build().unwrap();
    let request = ExportRequest::default();
    let report = client.export_to(&request, folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    let told: Vec<_> = report.warnings.iter().filter(|warning| warning.contains("keeps its files")).collect();
    assert_eq!(told.len(), 1, "{:?}", report.warnings);
    assert_eq!(report.resources["Patient"], 1);
}

#[tokio::test]
async fn files_on_another_origin_get_no_token() {
    use fhir_bulk_server::Step;
    let settings = ServerOptions {
        link_lifetime: Some(std::time::Duration::from_secs(60)),
        files_on_other_origin: true,
        bearer_token: Some("t0ken".into()),
        ..options()
    };
    let real = Real::start(settings).await;
    let client = real.client().bearer_token(fhir_bulk_client::Secret::new("t0ken")).build().unwrap();
    let request = ExportRequest::default();
    client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    is_whole(&real);
    let files = real.server.requests_of(Step::File);
    assert!(files.len() >= 4 && files.iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn long_lines_and_separators_of_unicode_are_lines_like_others() {
    for fault in [Fault::LineSeparator, Fault::LongLine] {
        let (_, outcome) = under(Rule::new(fault).only("Observation")).await;
        let report = outcome.unwrap();
        // The server adds one such line to each of the three files.
        assert_eq!(report.resources["Observation"], 103, "{fault}");
    }
}

#[tokio::test]
async fn a_file_that_stalls_goes_on() {
    let real =
        Real::start(options().with_fault(Rule::new(Fault::FileStall).times(1).only("Observation"))).await;
    let client = real.client().read_timeout(std::time::Duration::from_millis(150)).build().unwrap();
    let request = ExportRequest::default();
    let report =
        client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
    is_whole(&real);
    assert_eq!(report.retries(), 1);
}

#[tokio::test]
async fn a_folder_with_another_export_is_refused() {
    let real = Real::start(options()).await;
    export(&real).await.unwrap();
    let client = real.client().build().unwrap();
    let other = ExportRequest { types: vec!["Patient".into()], ..Default::default() };
    let outcome = client.export_to(&other, real.folder.path(), FolderOptions::default(), |_| ()).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_file_that_was_lost_though_it_has_a_record_is_received_again() {
    let real = Real::start(options()).await;
    let keep = FolderOptions { delete_job: false, ..Default::default() };
    let client = real.client().build().unwrap();
    let request = ExportRequest::default();
    client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    std::fs::remove_file(real.path("Observation.1.ndjson")).unwrap();
    client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    is_whole(&real);
    let outcome = client.export_to(&request, real.folder.path(), keep, |_| ()).await.unwrap();
    assert_eq!(outcome.resources["Observation"], 100);
}

#[tokio::test]
async fn only_the_rest_of_a_file_is_asked_for_where_the_server_sends_parts() {
    use fhir_bulk_server::Step;
    for fault in [Fault::FileCut, Fault::FileStall] {
        let rule = Rule::new(fault).times(1).only("Observation");
        let real = Real::start(options().with_fault(rule).with_fault(Fault::NoGzip)).await;
        let client = real.client().read_timeout(std::time::Duration::from_millis(150)).build().unwrap();
        let request = ExportRequest::default();
        client.export_to(&request, real.folder.path(), FolderOptions::default(), |_| ()).await.unwrap();
        is_whole(&real);
        let files = real.server.requests_of(Step::File);
        let parts: Vec<u16> = files
            .iter()
            .filter(|seen| seen.header("range").is_some())
            .map(|seen| seen.status.as_u16())
            .collect();
        assert_eq!(parts, [206], "{fault}");
    }
    // A file that is another one each time is compared, and received again.
    let rule = Rule::new(Fault::FileCut).times(1).only("Observation");
    let settings = options().with_fault(rule).with_fault(Fault::NoGzip).with_fault(Fault::EtagChanges);
    let real = Real::start(settings).await;
    export(&real).await.unwrap();
    is_whole(&real);
}
