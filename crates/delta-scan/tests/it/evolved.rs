//! Files that were written before their table got fields and columns.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::table::{Table, ask_sorted, plain};

fn texts(names: &[&str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

fn batch(id: &str, codes: usize, coding: &[&str], subject: &[&str]) -> RecordBatch {
    let element = Field::new("element", DataType::Struct(texts(coding)), true);
    let mut list = ListBuilder::new(StructBuilder::from_fields(texts(coding), 0)).with_field(element.clone());
    for at in 0..codes {
        for (field, name) in coding.iter().enumerate() {
            let text = list.values().field_builder::<StringBuilder>(field).unwrap();
            text.append_value(format!("{name}-{at}"));
        }
        list.values().append(true);
    }
    list.append(true);
    let values: Vec<ArrayRef> = subject
        .iter()
        .map(|name| Arc::new(StringArray::from(vec![format!("{name}-of-{id}")])) as ArrayRef)
        .collect();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("code", DataType::List(Arc::new(element)), true),
        Field::new("subject", DataType::Struct(texts(subject)), true),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(vec![id])),
            Arc::new(list.finish()),
            Arc::new(StructArray::new(texts(subject), values, None)),
        ],
    )
    .unwrap()
}

async fn session() -> (Table, SessionContext) {
    let new = batch("new", 2, &["system", "code", "display"], &["reference", "kind"]);
    let mut table = Table::new(&new.schema());
    table.add(&plain(batch("old", 3, &["system", "code"], &["reference"])));
    table.add(&plain(new));
    let context = table.session(SessionConfig::new()).await;
    (table, context)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_a_file_does_not_have_is_null() {
    let (_table, context) = session().await;
    let ask = |sql: &'static str| ask_sorted(&context, sql);
    assert_eq!(ask("SELECT id, subject['kind'] FROM t").await, ["new|kind-of-new", "old|"]);
    assert_eq!(ask("SELECT id, code[2]['display'] FROM t").await, ["new|display-1", "old|"]);
    assert_eq!(
        ask("SELECT id, code[2]['display'], code[1]['code'] FROM t").await,
        ["new|display-1|code-0", "old||code-0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_keep_their_lengths_where_a_field_is_not_there() {
    let (_table, context) = session().await;
    let sql = "SELECT id, c['display'] FROM (SELECT id, unnest(code) AS c FROM t)";
    assert_eq!(ask_sorted(&context, sql).await, ["new|display-0", "new|display-1", "old|", "old|", "old|"]);
    assert_eq!(ask_sorted(&context, "SELECT id, array_length(code) FROM t").await, ["new|2", "old|3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_by_a_field_that_a_file_does_not_have_is_not_lost() {
    let (_table, context) = session().await;
    let ask = |sql: &'static str| ask_sorted(&context, sql);
    assert_eq!(ask("SELECT id FROM t WHERE subject['kind'] = 'kind-of-new'").await, ["new"]);
    assert_eq!(ask("SELECT id FROM t WHERE subject['kind'] IS NULL").await, ["old"]);
    assert_eq!(ask("SELECT id FROM t WHERE code[1]['display'] IS NOT NULL").await, ["new"]);
    assert_eq!(ask("SELECT count(*) FROM t WHERE subject['kind'] <> 'x'").await, ["1"]);
}
