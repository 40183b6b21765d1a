//! Tables that need more of a reader than this one has.

use arrow_schema::{DataType, Field, Schema};
use datafusion::prelude::SessionConfig;
use delta_scan::{DeltaScan, Error};
use serde_json::{Value, json};

use crate::table::{Data, Table, plain};

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
async fn column_mapping_is_refused_where_it_is_switched_on() {
    let mapped = json!({"delta.columnMapping.mode": "name"});
    assert_eq!(refusal(&["columnMapping"], mapped, &[]).await, "column mapping by name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_that_is_not_what_the_log_says_is_no_answer() {
    let batch = arrow_array::record_batch!(("n", Int64, [1, 2, 3])).unwrap();
    for removed in [vec![7], vec![0, 1]] {
        let mut table = Table::new(&batch.schema());
        table.add(&Data { removed: removed.clone(), ..plain(batch.clone()) });
        if removed.len() == 2 {
            table.misstate_cardinality();
        }
        let context = table.session(SessionConfig::new()).await;
        let plan = context.sql("SELECT n FROM t").await.unwrap().create_physical_plan().await;
        let text = plan.unwrap_err().to_string();
        assert!(text.contains("its deletion vector removes"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn features_that_change_what_files_mean_are_refused() {
    let widened = refusal(&["typeWidening"], json!({}), &[]).await;
    assert_eq!(widened, "the reader feature typeWidening");
}
