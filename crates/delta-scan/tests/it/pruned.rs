//! What a deletion vector used to take away: pruning of files and row groups, limits, predicates in the decoder, parts.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::{SessionConfig, SessionContext};
use serde_json::json;

use crate::table::{Data, Kept, Table, ask};

/// Rows with these numbers, in groups of ten, every tenth removed.
fn data(from: i64, count: i64) -> Data {
    let numbers: ArrayRef = Arc::new((from..from + count).collect::<Int64Array>());
    let reference: ArrayRef =
        Arc::new((from..from + count).map(|n| Some(format!("r{n:04}"))).collect::<StringArray>());
    let subject =
        StructArray::from(vec![(Arc::new(Field::new("reference", DataType::Utf8, true)), reference)]);
    Data {
        batch: RecordBatch::try_new(Arc::new(schema()), vec![numbers, Arc::new(subject)]).unwrap(),
        row_group: 10,
        removed: (0..count).filter(|at| at % 10 == 0).map(i64::unsigned_abs).collect(),
        kept: Kept::Inline,
        statistics: json!({
            "minValues": {"n": from, "subject": {"reference": format!("r{from:04}")}},
            "maxValues": {"n": from + count - 1, "subject": {"reference": format!("r{:04}", from + count - 1)}},
            "nullCount": {"n": 0, "subject": {"reference": 0}},
        }),
    }
}

fn schema() -> Schema {
    let subject = DataType::Struct(vec![Field::new("reference", DataType::Utf8, true)].into());
    Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("subject", subject, true)])
}

async fn session(config: SessionConfig) -> (Table, SessionContext) {
    let mut table = Table::new(&schema());
    for from in [0, 100, 200] {
        table.add(&data(from, 100));
    }
    let context = table.session(config).await;
    (table, context)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_left_out_by_the_statistics_of_the_log() {
    let (table, context) = session(SessionConfig::new()).await;
    // Whoever looks at them finds that they are gone.
    for part in [0, 2] {
        std::fs::remove_file(table.folder.path().join(format!("part-{part}.parquet"))).unwrap();
    }
    assert_eq!(ask(&context, "SELECT count(n) FROM t WHERE n BETWEEN 105 AND 114").await.rows, ["9"]);
    assert_eq!(
        ask(
            &context,
            "SELECT n FROM t WHERE subject['reference'] = 'r0150' OR subject['reference'] = 'r0151'"
        )
        .await
        .rows,
        ["151"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_are_pruned_beside_a_vector() {
    let (_table, context) = session(SessionConfig::new().with_target_partitions(1)).await;
    let answer = ask(&context, "SELECT n FROM t WHERE n = 155").await;
    assert_eq!(answer.rows, ["155"]);
    assert_eq!(answer.metric("row_groups_pruned_statistics"), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_are_tested_while_decoding_beside_a_vector() {
    let (_table, context) = session(SessionConfig::new().with_target_partitions(1)).await;
    let answer = ask(&context, "SELECT n FROM t WHERE n % 7 = 3 AND subject['reference'] < 'r0010'").await;
    assert_eq!(answer.rows, ["3"]);
    assert!(answer.metric("pushdown_rows_pruned") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_stops_a_scan_beside_a_vector() {
    let (table, context) = session(SessionConfig::new()).await;
    for part in [1, 2] {
        std::fs::remove_file(table.folder.path().join(format!("part-{part}.parquet"))).unwrap();
    }
    // The first file has ninety rows of the table.
    assert_eq!(ask(&context, "SELECT n FROM t LIMIT 90").await.rows.len(), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_cut_into_parts_beside_a_vector() {
    let config = SessionConfig::new().with_target_partitions(7).with_repartition_file_min_size(1);
    let (_table, context) = session(config).await;
    let answer = ask(&context, "SELECT n FROM t WHERE n >= 0").await;
    assert_eq!(answer.plan.output_partitioning().partition_count(), 7);
    let mut found: Vec<i64> = answer.rows.iter().map(|row| row.parse().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..300).filter(|n| n % 10 != 0).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_counts_are_answered_by_the_log() {
    let (_table, context) = session(SessionConfig::new()).await;
    let answer = ask(&context, "SELECT count(*) FROM t").await;
    assert_eq!(answer.metric("bytes_scanned"), 0);
    assert_eq!(answer.rows, ["270"]);
    // The least and the greatest of the log are those of removed rows too.
    assert_eq!(ask(&context, "SELECT min(n), max(n), count(n) FROM t").await.rows, ["1|299|270"]);
}
