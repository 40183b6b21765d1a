//! Watermarks that are set by hand.

use fhirlake::Error;
use fhirlake::pipeline::watermark::{Move, set};

use crate::fixture::{Bench, ask, export, one, part};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rewound_is_asked_for_again_and_on_record() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    let back = Move {
        pipeline: "system".into(),
        resource_type: Some("Patient".into()),
        at: "2020-01-01T00:00:00Z".into(),
        back: true,
    };
    let marks = set(&lake, &back).await.unwrap();
    assert_eq!(marks.iter().filter(|mark| mark.at == back.at).count(), 1);
    export(&server, &lake, &part()).await.unwrap();
    assert!(server.kick_offs().last().unwrap().contains("2020-01-01"), "{:?}", server.kick_offs().last());
    let audit = ask(&lake, "SELECT action, subject, after FROM _audit").await.unwrap();
    assert_eq!(audit, [["watermark rewind", "system Patient", "2020-01-01T00:00:00Z"]]);
    // The run after it has moved it forward again.
    export(&server, &lake, &part()).await.unwrap();
    assert!(!server.kick_offs().last().unwrap().contains("2020-01-01"));
    assert_eq!(one(&lake, "SELECT count(*) FROM _exports").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused() {
    let bench = Bench::new();
    let server = bench.server().await;
    let lake = bench.lake("lake");
    export(&server, &lake, &part()).await.unwrap();
    let change = |pipeline: &str, at: &str| Move {
        pipeline: pipeline.into(),
        resource_type: None,
        at: at.into(),
        back: true,
    };
    for (pipeline, at) in
        [("system", "yesterday"), ("nobody", "2020-01-01T00:00:00Z"), ("system", "2099-01-01T00:00:00Z")]
    {
        let refused = set(&lake, &change(pipeline, at)).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{pipeline} {at}: {refused:?}");
    }
}
