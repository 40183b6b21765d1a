//! Tables that need more of a reader than this one has.

use arrow_schema::{DataType, Field, Schema};
use delta_scan::{DeltaScan, Error};
use serde_json::{Value, json};

use crate::table::Table;

async fn refusal(features: &[&str], configuration: Value, partitions: &[&str]) -> String {
    let schema =
        Schema::new(vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Utf8, true)]);
    let table = Table::with(&schema, features, configuration, partitions).open().await;
    match DeltaScan::try_new(&table) {
        Err(Error::Unsupported { what, .. }) => what,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partition_columns_are_refused() {
    assert_eq!(refusal(&["deletionVectors"], json!({}), &["b"]).await, "partition columns");
}

#[tokio::test(flavor = "multi_thread")]
async fn features_that_change_what_files_mean_are_refused() {
    let widened = refusal(&["typeWidening"], json!({}), &[]).await;
    assert_eq!(widened, "the reader feature typeWidening");
}
