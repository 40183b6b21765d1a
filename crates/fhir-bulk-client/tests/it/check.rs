//! What is found out about a server, and its Groups.

use fhir_bulk_client::{Dialect, ErrorKind, Quirks};

use crate::server::{Reply, Server, stable};

fn statement(more: &str) -> Reply {
    Reply::status(200)
        .json(format!(r#"{{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1"{more}}}"#))
}

#[tokio::test]
async fn a_server_that_is_known_is_spoken_to_as_it_wants() {
    let server = Server::start().await;
    let said = r#","software":{"name":"HAPI FHIR Server","version":"8.8.0"},"rest":[{"operation":[
        {"name":"export","definition":"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export|3.0.0"}]}]"#;
    server.on("GET /fhir/metadata", [statement(said)]);
    let mut client = server.client().build().unwrap();
    let check = client.check().await.unwrap();
    assert_eq!((check.server, check.dialect), (Some("hapi"), Dialect::Stu3));
    insta::assert_snapshot!(check.deviations.join("\n"), @"it is known as hapi: first_of_repeated_only, ignored_parameters, ignored_parameters_of_groups, asks_for_a_new_job, never_reports_deletions");
    client.adopt(&check);
    assert_eq!((client.dialect(), client.quirks()), (Dialect::Stu3, &Quirks::HAPI));

    let mut client = server.client().dialect(Dialect::Stu2).quirks(Quirks::NONE).build().unwrap();
    client.adopt(&check);
    assert_eq!((client.dialect(), client.quirks()), (Dialect::Stu2, &Quirks::NONE), "what was set stays");
}

#[tokio::test]
async fn a_server_that_says_nothing_can_be_checked() {
    let server = Server::start().await;
    let check = server.client().build().unwrap().check().await.unwrap();
    assert_eq!((check.capability, check.smart, check.dialect), (None, None, Dialect::Stu2));
    assert_eq!(check.deviations.len(), 1);
}

#[tokio::test]
async fn what_a_server_leaves_open_or_contradicts_is_told() {
    let server = Server::start().await;
    server.on(
        "GET /fhir/metadata",
        [statement(
            r#","implementation":{"url":"https://inner.example/r4?key=x"},"rest":[{"resource":[{"type":"Slot","extension":[
                {"url":"http://hl7.org/fhir/uv/bulkdata/Extension/operation-not-supported"}]}]}]"#,
        )],
    );
    let check = server.client().build().unwrap().check().await.unwrap();
    insta::assert_snapshot!(stable(check.deviations.join("\n")), @"
    it announces no export at any level: it may do them all the same
    it does not name its version of the specification: stu2 is spoken
    it says that its exports do not support Slot
    it knows itself as https://inner.example/r4?key=…: the URLs that it gives out may lead there, without the token
    ");
}

fn group(id: &str, name: &str) -> String {
    format!(
        r#"{{"resourceType":"Group","id":"{id}","name":"{name}","identifier":[{{"system":"urn:x","value":"{id}-v"}}],
            "member":[{{"entity":{{"reference":"Patient/1"}}}},{{"entity":{{"reference":"https://h/fhir/Patient/2"}}}},
                      {{"entity":{{"reference":"Patient/3"}},"inactive":true}},{{"entity":{{"reference":"Device/4"}}}}]}}"#
    )
}

fn bundle(groups: &[String], link: &str) -> Reply {
    let entries: Vec<_> = groups.iter().map(|group| format!(r#"{{"resource":{group}}}"#)).collect();
    Reply::status(200)
        .json(format!(r#"{{"resourceType":"Bundle","entry":[{}],"link":[{link}]}}"#, entries.join(",")))
}

#[tokio::test]
async fn groups_are_listed_over_all_pages() {
    let server = Server::start().await;
    server
        .on("GET /fhir/Group", [bundle(&[group("a", "A")], r#"{"relation":"next","url":"/page2"}"#)])
        .on("GET /page2", [bundle(&[group("b", "B")], "")]);
    let groups = server.client().build().unwrap().groups(None, None).await.unwrap();
    let ids: Vec<_> = groups.iter().map(|group| group.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(groups[0].identifiers, ["urn:x|a-v"]);
}

#[tokio::test]
async fn the_roster_has_the_patients_who_belong_to_the_group_now() {
    let server = Server::start().await;
    server.on("GET /fhir/Group/a", [Reply::status(200).json(group("a", "A"))]);
    let group = server.client().build().unwrap().group("a").await.unwrap();
    assert_eq!(group.patients().collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn a_group_is_found_by_id_identifier_or_name() {
    let server = Server::start().await;
    server.on("GET /fhir/Group/a", [Reply::status(200).json(group("a", "A"))]);
    let client = server.client().build().unwrap();
    assert_eq!(client.resolve_group("a").await.unwrap().id, "a");
    server.on("GET /fhir/Group", [bundle(&[group("b", "B")], "")]);
    assert_eq!(client.resolve_group("urn:x|b-v").await.unwrap().id, "b");
    assert_eq!(server.seen().last().unwrap().path_and_query, "/fhir/Group?identifier=urn%3Ax%7Cb-v");
    let both = bundle(&[group("b", "Heart"), group("c", "Heart failure")], "");
    server.on("GET /fhir/Group", [bundle(&[], ""), both]);
    assert_eq!(client.resolve_group("Heart").await.unwrap().id, "b", "the one with exactly this name");
    let error = client.resolve_group("Hea").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    insta::assert_snapshot!(error, @r#"several Groups are meant by "Hea": b, c. Hint: name one by its id"#);
    server.on("GET /fhir/Group", [bundle(&[], "")]);
    assert_eq!(client.resolve_group("none").await.unwrap_err().kind(), ErrorKind::NotFound);
}
