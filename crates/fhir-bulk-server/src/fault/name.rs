//! The faults by name: what real servers do that the specification does not say, or that clients forget.
//!
//! Each fault is one way to deviate, so that they compose; a [`Quirk`](crate::Quirk) is a named set of them.
//! `source` says where the behaviour was seen or which text a client must hold to.

/// Declares the faults with their names and sources, each of them once.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $source:literal,)+) => {
        /// A way in which the server deviates. Its name is what [`FromStr`](std::str::FromStr) and serde read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = concat!("`", $name, "`. Source: ", $source, ".")] $variant,)+
        }

        impl Fault {
            /// Every fault, in the order of an export's steps.
            pub const ALL: &'static [Fault] = &[$(Fault::$variant,)+];

            /// The name, `poll-429`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Fault::$variant => $name,)+ }
            }

            /// What the server does, in a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Fault::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Where the behaviour was seen, or the text that a client must hold to.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self { $(Fault::$variant => $source,)+ }
            }
        }
    };
}

faults! {
    // What the server says of itself.
    /// `metadata` answers 500.
    Metadata500 "metadata-500" "Bulk Data 3.0.0: the CapabilityStatement is advice, an export works without",
    /// `metadata` is a login page with status 200.
    MetadataHtml "metadata-html" "gateways before real servers",
    /// `metadata` is a CapabilityStatement that names no operation.
    MetadataWithoutExport "metadata-without-export" "servers that export without saying so",
    /// `metadata` names the export of 3.0.0 and that of 4.0.0, `export-v4`, side by side.
    MetadataTwoVersions "metadata-two-versions" "Bulk Data 4.0.0-ballot, capability documentation",
    /// `.well-known/smart-configuration` is not there.
    SmartConfiguration404 "smart-configuration-404" "SMART App Launch 1: some servers document a token URL only",
    /// `.well-known/smart-configuration` lists no scopes.
    SmartWithoutScopes "smart-without-scopes" "SMART App Launch 2.2: scopes_supported is recommended only",

    // The token endpoint.
    /// The token endpoint answers 401 `invalid_client`.
    TokenInvalidClient "token-invalid-client" "RFC 6749, section 5.2",
    /// The token endpoint answers 503 with Retry-After.
    Token503 "token-503" "RFC 6749 leaves outages to HTTP",
    /// The token endpoint answers 200 with a login page.
    TokenHtml "token-html" "gateways before real servers",
    /// The token answer has no `expires_in`.
    TokenWithoutExpiry "token-without-expiry" "RFC 6749, section 5.1: expires_in is recommended only",
    /// `expires_in` is a string.
    TokenExpiryString "token-expiry-string" "servers that write every value as a string",
    /// `expires_in` is 0, though the token lives as long as ever.
    TokenExpiryZero "token-expiry-zero" "servers that do not know how long their tokens live",
    /// `token_type` is `Bearer`, with a capital.
    TokenTypeCapital "token-type-capital" "SMART App Launch 2.2: its own example; RFC 6749: case does not matter",
    /// Every token lives one second.
    TokenShort "token-short" "SMART Backend Services: expires_in should not exceed 300 seconds, an export takes longer",
    /// `Patient` alone is granted of all types.
    TokenNarrow "token-narrow" "SMART Backend Services: the granted scope may be narrower than asked",
    /// The scopes of SMART 2 (`.rs`) are refused.
    RefuseScopeRs "refuse-scope-rs" "bulk-data-server #62, smart-launcher #25",
    /// The scopes of SMART 1 (`.read`) are dropped without a word.
    DropScopeRead "drop-scope-read" "Oracle Health: yourphr #338",

    /// The scopes of SMART 1 (`.read`) are granted and open nothing.
    ForbidScopeRead "forbid-scope-read" "Helios 0.2.7",

    // Kick-off.
    /// The kick-off answers 429: another export runs.
    KickOff429 "kick-off-429" "Bulk Data 3.0.0, kick-off: too many requests",
    /// The kick-off answers 503 with Retry-After.
    KickOff503 "kick-off-503" "Bulk Data 3.0.0, server errors",
    /// The kick-off answers 504 with an HTML page.
    KickOff504 "kick-off-504" "Medplum: medplum #2026",
    /// A kick-off without the header `Epic-Client-ID` answers 400.
    NeedClientHeader "need-client-header" "Epic: smart-fetch",
    /// A fifth job at a time answers 400.
    FifthJob400 "fifth-job-400" "Helios 0.2.7",
    /// The kick-off answers 400 because too many exports run.
    KickOff400Busy "kick-off-400-busy" "Helios 0.2.7: 400, where others say 429",
    /// The kick-off answers 409.
    KickOff409 "kick-off-409" "Oracle Soarian: the same _since and _type before the former job was deleted",
    /// The kick-off answers 501.
    KickOff501 "kick-off-501" "Oracle Soarian: export of all patients",
    /// The kick-off answers 500 with an HTML page.
    KickOffHtml "kick-off-html" "gateways before real servers",
    /// The kick-off answers 500 without a body.
    KickOffEmpty500 "kick-off-empty-500" "Bulk Data 3.0.0: the body shall be an OperationOutcome, and is not",
    /// The kick-off by GET answers 405.
    RefuseGet "refuse-get" "Bulk Data 4.0.0-ballot: POST only",
    /// The kick-off by POST answers 405.
    RefusePost "refuse-post" "Bulk Data 2.0.0: POST is optional",
    /// Only Group-level exports are there.
    GroupOnly "group-only" "Epic, Oracle Health, 1upHealth, MedicaSoft: vendor documentation",
    /// One export at a time for a level and group, until its job is deleted; another kick-off answers 429.
    OneJob "one-job" "Epic: one export per client and group until DELETE (smart-fetch)",
    /// A second kick-off with the same URL answers 409 until the first job is deleted.
    ConflictOnRepeat "conflict-on-repeat" "Oracle Soarian: vendor documentation",
    /// Identical kick-offs get the same job.
    SharedJob "shared-job" "HAPI: hapi-fhir #4013, hapi-fhir-jpaserver-starter #406",
    /// `Content-Location` is relative.
    RelativeLocation "relative-location" "Bulk Data 3.0.0: shall be absolute, and is not",
    /// 202 without `Content-Location`.
    NoLocation "no-location" "Bulk Data 3.0.0: shall be there",
    /// `Content-Location` is on another origin.
    ForeignLocation "foreign-location" "a token must not follow to an origin it was not given for",
    /// The status URL carries the job in its query.
    StatusUrlQuery "status-url-query" "HAPI 8.8: $export-poll-status?_jobId=",
    /// What is wrong with a `_typeFilter` is said at the status URL only, as a 500.
    LateRefusal "late-refusal" "HAPI 8.8",

    // Parameters refused, changed or ignored.
    /// Repeated `_type` is refused.
    RefuseRepeatedType "refuse-repeated-type" "Oracle Health: vendor documentation",
    /// A comma in `_type` or `_elements` separates nothing.
    RefuseComma "refuse-comma" "Bulk Data 4.0.0-ballot: parameters are repeated, comma-joining shall not be",
    /// Of repeated `_type` the first one is taken, silently.
    FirstTypeOnly "first-type-only" "HAPI 8.8",
    /// `_typeFilter` twice for one type is refused.
    RefuseRepeatedFilter "refuse-repeated-filter" "Oracle Health: vendor documentation",
    /// Of several `_typeFilter` for one type the first one is taken, silently.
    FirstFilterOnly "first-filter-only" "Helios 0.2.7",
    /// Two `_typeFilter` joined by a comma are refused.
    RefuseJoinedFilter "refuse-joined-filter" "Helios 0.2.7; Bulk Data 4.0.0-ballot: comma-joining shall not be",
    /// A comma in a `_typeFilter` that is neither %2C nor behind a backslash is refused.
    RefuseBareComma "refuse-bare-comma" "Epic: vendor documentation",
    /// `_typeFilter` is refused.
    RefuseTypeFilter "refuse-type-filter" "Bulk Data 2.0.0: _typeFilter is experimental",
    /// `_type=Binary` is refused.
    RefuseBinaryType "refuse-binary-type" "HAPI 8.8",
    /// Location, Organization, Practitioner and Provenance are refused unless a clinical type comes with them.
    RefuseSupportingAlone "refuse-supporting-alone" "Oracle Health: vendor documentation",
    /// `_since` is refused.
    RefuseSince "refuse-since" "Epic: smart-fetch documentation",
    /// `_elements` is refused.
    RefuseElements "refuse-elements" "Oracle Health: vendor documentation",
    /// `patient` is refused.
    RefusePatient "refuse-patient" "Oracle Health: vendor documentation",
    /// `_since` is ignored.
    IgnoreSince "ignore-since" "Epic: smart-fetch documentation",
    /// `_until` is ignored.
    IgnoreUntil "ignore-until" "Bulk Data 3.0.0: _until is optional",
    /// `_type` is ignored.
    IgnoreType "ignore-type" "Bulk Data 2.0.0: _type is optional",
    /// `_typeFilter` is ignored.
    IgnoreTypeFilter "ignore-type-filter" "Bulk Data 3.0.0: a client should be robust to servers that ignore it",
    /// `_elements` is ignored.
    IgnoreElements "ignore-elements" "HAPI 8.8; Bulk Data 3.0.0: a server is not obliged to honour it",
    /// `patient` is ignored.
    IgnorePatient "ignore-patient" "Bulk Data 2.0.0: patient is optional",
    /// `patient` is ignored at Group level.
    IgnorePatientInGroup "ignore-patient-in-group" "HAPI 8.8; Helios 0.2.7",
    /// `includeAssociatedData`, `organizeOutputBy` and `allowPartialManifests` are ignored.
    IgnoreOptional "ignore-optional" "HAPI 8.8 and Helios 0.2.7; Bulk Data 3.0.0: all of them are optional",
    /// Unknown parameters are ignored, without a word.
    IgnoreUnknown "ignore-unknown" "Helios 0.2.7",
    /// An unknown `_type` gives an export without it, without a word.
    IgnoreUnknownType "ignore-unknown-type" "Helios 0.2.7",
    /// `_elements` is honoured without the tag SUBSETTED.
    NoSubsettedTag "no-subsetted-tag" "Bulk Data 3.0.0: the tag is recommended only",
    /// A Group without members exports all patients.
    EmptyGroupExportsAll "empty-group-exports-all" "Microsoft: fhir-server #1634",
    /// Inactive members of a Group are exported too.
    InactiveMembers "inactive-members" "Microsoft: fhir-server #1203",
    /// A Group that has not changed since `_since` exports nothing.
    OldGroupEmpty "old-group-empty" "AWS FHIR Works #437; icanbwell #2292",
    /// Patient and Group exports hold every Practitioner and Organization too.
    IncludeReferenced "include-referenced" "HAPI 8.8",
    /// A system export holds SearchParameter resources of the server's own.
    OwnSearchParameters "own-search-parameters" "Helios 0.2.7",
    /// No resource has `meta.lastUpdated`.
    NoLastUpdated "no-last-updated" "Epic: smart-fetch documentation",
    /// References are absolute, below the server's own base.
    AbsoluteReferences "absolute-references" "Bulk Data 3.0.0: references are relative or absolute",
    /// Every resource is tagged as REDACTED.
    RedactedTag "redacted-tag" "FHIR R4, security labels: what was removed for security is not complete either",
    /// URLs of deletions are absolute.
    DeletedAbsolute "deleted-absolute" "Bulk Data 3.0.0: the URL of an entry may be absolute",
    /// URLs of deletions are conditional.
    DeletedConditional "deleted-conditional" "FHIR R4, transaction: conditional deletes",
    /// A resource of the output is reported as deleted too.
    DeletedInOutput "deleted-in-output" "Bulk Data 3.0.0: shall not be, and is",
    /// Deletions are never reported: `deleted` is empty.
    NeverDeleted "never-deleted" "Medplum: medplum #10479; HAPI 8.8 and Helios 0.2.7",

    // Status.
    /// The status answers 429.
    Poll429 "poll-429" "Bulk Data 3.0.0, status: polling too often",
    /// The status answers 503 with Retry-After.
    Poll503 "poll-503" "Bulk Data 3.0.0, status: error",
    /// The status answers 500 with a transient OperationOutcome; the job goes on.
    PollTransient "poll-transient" "Bulk Data 3.0.0, status: a transient issue is no failure of the job",
    /// The status answers 500 without a body.
    PollEmpty500 "poll-empty-500" "servers behind gateways",
    /// The status answers 502 with an HTML page.
    PollHtml502 "poll-html-502" "Oracle Health: bulk-data-client #18",
    /// The status answers 500 with an OperationOutcome that is not transient: the job has failed.
    PollFatal "poll-fatal" "Bulk Data 3.0.0, status: error",
    /// The status answers 401.
    Poll401 "poll-401" "SMART Backend Services: tokens live shorter than exports",
    /// The job is lost: its status is 404 from now on.
    JobLost "job-lost" "servers that restart or expire jobs early",
    /// A poll that comes before the last Retry-After has passed answers 429.
    PollTooSoon "poll-too-soon" "athenahealth, by a page of others: one poll a minute; Bulk Data 3.0.0, status",
    /// The status has no `Expires`.
    NoExpires "no-expires" "Bulk Data 3.0.0: Expires is recommended only",
    /// The status expires in five seconds, by its `Expires`.
    ExpiresSoon "expires-soon" "HAPI: files expire after two hours",
    /// The job never completes.
    NeverComplete "never-complete" "Microsoft: fhir-server #3425; LinuxForHealth #2419",
    /// The status of a running job is 200 with a body that says so.
    PollProgress200 "poll-progress-200" "servers that answer 200 for every status",
    /// The body of a running job's status is a Parameters resource.
    PollParametersBody "poll-parameters-body" "Helios 0.2.7",
    /// `X-Export-Status` and `Preference-Applied` come though nobody asked.
    UnaskedExportStatus "unasked-export-status" "Bulk Data 3.0.0, separate-export-status",
    /// Every Retry-After is an HTTP-date.
    RetryAfterDate "retry-after-date" "RFC 9110, section 10.2.3; bulk-data-client reads the day as seconds",
    /// Every Retry-After is an instant in epoch milliseconds.
    RetryAfterMillis "retry-after-millis" "no server is known for it: neither seconds nor a date",
    /// Every Retry-After is 120.
    RetryAfter120 "retry-after-120" "HAPI 8.8 and Helios 0.2.7",
    /// Every Retry-After is five hours.
    RetryAfter5Hours "retry-after-5-hours" "Oracle Health: smart-fetch",
    /// There is no Retry-After.
    NoRetryAfter "no-retry-after" "Bulk Data 3.0.0: Retry-After is optional",
    /// DELETE of a job answers 404.
    Delete404 "delete-404" "HAPI: deletes its jobs by itself",
    /// DELETE of a job answers 403.
    Delete403 "delete-403" "Helios 0.2.7: with the scope system/*.rs",
    /// DELETE of a job answers 500.
    Delete500 "delete-500" "a courtesy must not fail a run",

    // Manifest.
    /// The manifest's media type is `application/fhir+json`.
    ManifestFhirJson "manifest-fhir-json" "Bulk Data 3.0.0: application/json; servers label it as FHIR",
    /// The manifest is a login page with status 200.
    ManifestHtml "manifest-html" "gateways before real servers",
    /// The manifest ends in the middle.
    ManifestCut "manifest-cut" "connections that break",
    /// The manifest has no `error`.
    NoError "no-error" "HAPI; LinuxForHealth #2715",
    /// The manifest has no `deleted`.
    NoDeleted "no-deleted" "HAPI 8.8",
    /// The manifest has no `output`.
    NoOutput "no-output" "Bulk Data 4.0.0-ballot: output is 0..*",
    /// `output` is empty, whatever there is.
    EmptyOutput "empty-output" "Bulk Data 3.0.0: an empty export is a success",
    /// The manifest has no `request`.
    NoRequest "no-request" "Bulk Data 4.0.0-ballot",
    /// `error` is called `outcome`.
    OutcomeKey "outcome-key" "Bulk Data 4.0.0-ballot",
    /// The manifest has `manifestType` and `outputFormat`, its files have `fileSize`.
    BallotMembers "ballot-members" "Bulk Data 4.0.0-ballot, BulkDataManifest",
    /// `deleted` and `error` entries have no `type`.
    NoSectionType "no-section-type" "Bulk Data 4.0.0-ballot",
    /// `extension` is an object keyed by name, in the manifest and its entries.
    ExtensionObject "extension-object" "Bulk Data 3.0.0",
    /// `extension` is an array of FHIR Extensions, in the manifest and its entries.
    ExtensionArray "extension-array" "Bulk Data 4.0.0-ballot",
    /// The manifest has members that nobody knows.
    UnknownMembers "unknown-members" "HAPI 8.8: message",
    /// `requiresAccessToken` is a string.
    TokenFlagString "token-flag-string" "Inferno bulk-data-test-kit lower-cases it",
    /// `requiresAccessToken` is true though files are open.
    TokenFlagTrue "token-flag-true" "HAPI 8.8; LinuxForHealth #2874",
    /// `count` is three too many.
    WrongCount "wrong-count" "LinuxForHealth #2673",
    /// There is no `count`.
    NoCount "no-count" "Bulk Data 3.0.0: count is optional; HAPI 8.8",
    /// URLs of files are relative.
    RelativeUrls "relative-urls" "LinuxForHealth #2673",
    /// The first file is listed twice.
    RepeatedFile "repeated-file" "Microsoft: fhir-server #1290",
    /// `link` of a page leads to the page itself.
    LinkLoop "link-loop" "Bulk Data 3.0.0, paging: a client must end",
    /// Pages have different `transactionTime`s.
    PageTimeDiffers "page-time-differs" "Bulk Data 3.0.0, paging: all other fields shall be equal",
    /// `transactionTime` has nanoseconds.
    TimeNanoseconds "time-nanoseconds" "Helios 0.2.7",
    /// `transactionTime` has a zone of two hours.
    TimeOffset "time-offset" "FHIR R4, instant",
    /// `transactionTime` is a date.
    TimeDateOnly "time-date-only" "a watermark must be an instant",
    /// `transactionTime` is no time.
    TimeGarbage "time-garbage" "smart-fetch takes its own clock instead, which loses data",
    /// There is no `transactionTime`.
    TimeMissing "time-missing" "Bulk Data 3.0.0: required, and is not there",
    /// `transactionTime` is ten minutes late: the end of the job, not of the snapshot.
    TimeLate "time-late" "HAPI: hapi-fhir #6841",

    // Outcomes.
    /// `error` holds an error that names a resource.
    OutcomeNamed "outcome-named" "Bulk Data 3.0.0: partial success is a success",
    /// `error` holds an error that names nothing.
    OutcomeUnnamed "outcome-unnamed" "bulk-data-server: some_file_generation_failed",
    /// `error` holds a warning and an information.
    OutcomeMild "outcome-mild" "Bulk Data 3.0.0: outcomes of every severity",

    // Files.
    /// A file answers 429.
    File429 "file-429" "Oracle Health: bulk-data-client #18",
    /// A file answers 503 with Retry-After.
    File503 "file-503" "Bulk Data 3.0.0, output file request",
    /// A file answers 502 with an HTML page.
    File502 "file-502" "Oracle Health: bulk-data-client #18",
    /// A file answers 401.
    File401 "file-401" "SMART Backend Services: tokens live shorter than downloads",
    /// A file answers 403: its link has expired.
    File403 "file-403" "object stores whose signed URLs have expired",
    /// A file answers 404.
    File404 "file-404" "HAPI: files expire after two hours, fhir-data-pipes #1082",
    /// A file answers 410.
    File410 "file-410" "HAPI: files expire after two hours, fhir-data-pipes #1082",
    /// A file is a login page with status 200.
    FileHtml "file-html" "gateways before real servers",
    /// A file is a single OperationOutcome with status 200.
    FileOutcome "file-outcome" "bulk-data-server: fileError",
    /// An OperationOutcome is among the resources of a file.
    FileOutcomeLine "file-outcome-line" "bulk-data-server",
    /// A resource of another type is among those of a file.
    FileWrongType "file-wrong-type" "Inferno bulk-data-test-kit: each line's type is the manifest's",
    /// A file is a Binary resource as JSON.
    FileBinaryJson "file-binary-json" "HAPI 8.8: labelled application/fhir+ndjson after _outputFormat=ndjson",
    /// A file is a Binary resource as JSON if `Accept` is `application/fhir+json`.
    FileBinaryByAccept "file-binary-by-accept" "HAPI 8.8",
    /// A file is a Binary resource as XML.
    FileBinaryXml "file-binary-xml" "HAPI: Binary by the default format",
    /// A file breaks off before its Content-Length.
    FileCut "file-cut" "connections that break: bulk-data-client takes half a file as whole",
    /// A file without Content-Length breaks off.
    FileCutChunked "file-cut-chunked" "connections that break",
    /// A file without Content-Length ends properly after half of its lines.
    FileEndsEarly "file-ends-early" "proxies that end a broken answer properly: only count tells",
    /// The gzip stream of a file ends before its trailer.
    FileCutGzip "file-cut-gzip" "connections that break",
    /// A file is gzip and does not say so.
    FileUndeclaredGzip "file-undeclared-gzip" "object stores holding .ndjson.gz",
    /// A file is never compressed.
    NoGzip "no-gzip" "HAPI 8.8",
    /// Range is ignored.
    NoRange "no-range" "HAPI 8.8, Helios 0.2.7",
    /// A file's ETag is another one in every answer.
    EtagChanges "etag-changes" "a resumed download must not join two versions",
    /// A file has no ETag and no Content-Length.
    FileBare "file-bare" "Helios 0.2.7: chunked",
    /// A file with an Authorization header answers 400.
    RefuseFileToken "refuse-file-token" "signed URLs of object stores: bulk-data-client #2",
    /// A file answers 307 to another origin.
    Redirect307 "redirect-307" "Oracle Health: vendor documentation",
    /// A file answers 302 to another origin.
    Redirect302 "redirect-302" "servers that sign URLs at download",
    /// A file answers 307 to itself.
    RedirectLoop "redirect-loop" "a client must end",
    /// A file trickles: a short wait before every chunk.
    FileSlow "file-slow" "networks",
    /// A file stops in the middle, and the connection stays.
    FileStall "file-stall" "networks: a client needs a time limit for silence",
    /// A file comes in chunks of seven bytes.
    FileTinyChunks "file-tiny-chunks" "bulk-data-client breaks characters between chunks",
    /// A file is labelled `application/octet-stream`.
    FileOctetStream "file-octet-stream" "object stores",
    /// A file is labelled `application/json`.
    FileJsonLabel "file-json-label" "servers that label by the format of single resources",
    /// The last line has no newline.
    NoFinalNewline "no-final-newline" "NDJSON: the final newline is optional",
    /// Blank lines are between the lines.
    BlankLines "blank-lines" "bulk-data-client and Inferno skip them",
    /// The file begins with a byte order mark.
    Bom "bom" "no server is known for it: text files of Windows begin so",
    /// Lines end with CRLF.
    Crlf "crlf" "NDJSON: a carriage return is white space",
    /// The first line comes twice in the file.
    DuplicateLine "duplicate-line" "Microsoft: fhir-server #2954",
    /// The first resource of a type is in a file of its own again.
    DuplicateAcrossFiles "duplicate-across-files" "Microsoft: fhir-server #1290, #2954",
    /// The last line is broken JSON.
    BrokenLastLine "broken-last-line" "BCDA: invalid resources; smart-fetch marks it done",
    /// A line has two million characters.
    LongLine "long-line" "inline attachments: bulk-data-client ends at one million",
    /// A line has U+2028 inside, unescaped.
    LineSeparator "line-separator" "HAPI 8.8 and Helios 0.2.7: only a newline ends a line",
    /// A line is not UTF-8.
    InvalidUtf8 "invalid-utf8" "servers that cut text at bytes",

    // Reads.
    /// A search answers 500.
    Search500 "search-500" "servers whose search is slower than their export",
    /// A search's `total` is missing.
    NoTotal "no-total" "FHIR R4: Bundle.total is optional",
    /// The further pages of a search answer 410.
    SearchPage410 "search-page-410" "HAPI: search pages expire, #845",
    /// A read of a resource answers 403.
    Read403 "read-403" "scopes that allow the export alone",
}
