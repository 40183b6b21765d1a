//! Only what a query names is read: the bytes of a scan are those of the leaves.

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use datafusion::config::Dialect;
use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::table::{Data, Kept, Table, ask, plain};

fn texts(names: &[&str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

/// Columns as FHIR has them: a struct, and lists of structs with lists of structs in them.
fn rows(count: usize) -> RecordBatch {
    let value = |prefix: &str, at: usize| format!("{prefix}-{at}");
    let texts_of = |prefix: &str| {
        Arc::new((0..count).map(|at| Some(value(prefix, at))).collect::<StringArray>()) as ArrayRef
    };
    let subject = StructArray::new(
        texts(&["reference", "display", "id"]),
        vec![texts_of("Patient"), texts_of("somebody"), texts_of("id")],
        None,
    );
    let coding = Field::new("element", DataType::Struct(texts(&["system", "code", "display"])), true);
    let concept: Fields = vec![
        Field::new("coding", DataType::List(Arc::new(coding.clone())), true),
        Field::new("text", DataType::Utf8, true),
    ]
    .into();
    let element = Field::new("element", DataType::Struct(concept.clone()), true);
    let codings = ListBuilder::new(StructBuilder::from_fields(texts(&["system", "code", "display"]), 0))
        .with_field(coding);
    let concepts = StructBuilder::new(concept, vec![Box::new(codings), Box::new(StringBuilder::new())]);
    let mut category = ListBuilder::new(concepts).with_field(element.clone());
    for at in 0..count {
        for _ in 0..2 {
            let concept = category.values();
            let codings = concept.field_builder::<ListBuilder<StructBuilder>>(0).unwrap();
            for (field, prefix) in ["system", "code", "display"].into_iter().enumerate() {
                let text = codings.values().field_builder::<StringBuilder>(field).unwrap();
                text.append_value(value(prefix, at));
            }
            codings.values().append(true);
            codings.append(true);
            concept.field_builder::<StringBuilder>(1).unwrap().append_value(value("text", at));
            concept.append(true);
        }
        category.append(true);
    }
    let schema = Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("subject", subject.data_type().clone(), true),
        Field::new("category", DataType::List(Arc::new(element)), true),
    ]);
    use arrow_array::Array;
    RecordBatch::try_new(
        Arc::new(schema),
        vec![texts_of("row"), Arc::new(subject), Arc::new(category.finish())],
    )
    .unwrap()
}

struct Fixture {
    table: Table,
    context: SessionContext,
}

impl Fixture {
    async fn new() -> Self {
        let batch = rows(1000);
        let mut table = Table::new(&batch.schema());
        table.add(&Data { removed: vec![3, 500], kept: Kept::Aside, row_group: 1000, ..plain(batch) });
        let mut config = SessionConfig::new();
        config.options_mut().sql_parser.dialect = Dialect::Databricks;
        let context = table.session(config).await;
        Self { table, context }
    }

    /// The bytes of these leaves in the file.
    fn bytes(&self, leaves: &[&str]) -> usize {
        let file = File::open(self.table.folder.path().join("part-0.parquet")).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
        let named: Vec<_> =
            columns.filter(|column| leaves.contains(&column.column_path().string().as_str())).collect();
        assert_eq!(named.len(), leaves.len(), "a leaf is not in the file");
        named.iter().map(|column| usize::try_from(column.compressed_size()).unwrap()).sum()
    }

    async fn reads(&self, sql: &str, leaves: &[&str]) {
        let answer = ask(&self.context, sql).await;
        assert_eq!(answer.metric("bytes_scanned"), self.bytes(leaves), "{sql}");
    }
}

const CODE: &str = "category.list.element.coding.list.element.code";
const SYSTEM: &str = "category.list.element.coding.list.element.system";

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_a_struct_is_one_leaf() {
    let fixture = Fixture::new().await;
    fixture.reads("SELECT subject.reference FROM t", &["subject.reference"]).await;
    fixture.reads("SELECT id, subject['display'] FROM t", &["id", "subject.display"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_behind_lists_is_one_leaf() {
    let fixture = Fixture::new().await;
    fixture.reads("SELECT category[1]['coding'][1]['code'] FROM t", &[CODE]).await;
    fixture
        .reads(
            "SELECT category[1]['text'], category[2]['coding'][1]['code'] FROM t",
            &[CODE, "category.list.element.text"],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_behind_unnest_is_one_leaf() {
    let fixture = Fixture::new().await;
    let sql = "SELECT c['code'], count(*) FROM (SELECT unnest(k['coding']) AS c FROM
               (SELECT unnest(category) AS k FROM t)) WHERE c['code'] <> 'x' GROUP BY 1";
    fixture.reads(sql, &[CODE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_in_a_lambda_is_one_leaf() {
    let fixture = Fixture::new().await;
    let sql = "SELECT array_filter(category, k -> array_any_match(k['coding'], c -> c['system'] = 'system-1'))[1]['coding'][1]['code'] FROM t";
    fixture.reads(sql, &[SYSTEM, CODE]).await;
    let sql = "SELECT array_transform(array_filter(category, k -> k['coding'][1]['system'] = 'system-1'),
               k -> array_transform(k['coding'], c -> c['code'])) FROM t";
    fixture.reads(sql, &[SYSTEM, CODE]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_one_leaf_on_each_side_of_a_join() {
    let fixture = Fixture::new().await;
    let sql =
        "SELECT a.category[1]['text'], b.subject['id'] FROM t a JOIN t b ON a.id = b.subject['reference']
               WHERE a.category[1]['coding'][1]['system'] IS NOT NULL";
    let answer = ask(&fixture.context, sql).await;
    let leaves = ["id", "category.list.element.text", SYSTEM, "subject.reference", "subject.id"];
    assert!(answer.metric("bytes_scanned") <= fixture.bytes(&leaves));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subquery_hides_no_field() {
    let fixture = Fixture::new().await;
    let sql =
        "SELECT subject['id'] FROM t WHERE subject['display'] > (SELECT max(category[1]['text']) FROM t)";
    let answer = ask(&fixture.context, sql).await;
    let leaves = ["subject.id", "subject.display", "category.list.element.text"];
    assert!(answer.metric("bytes_scanned") <= fixture.bytes(&leaves));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_asked_for_is_read_whole() {
    let fixture = Fixture::new().await;
    let answer = ask(&fixture.context, "SELECT subject, subject['id'] FROM t").await;
    let all = ["subject.reference", "subject.display", "subject.id"];
    assert_eq!(answer.metric("bytes_scanned"), fixture.bytes(&all));
    let DataType::Struct(fields) = answer.schema.field(0).data_type() else { panic!("it is a struct") };
    assert_eq!(fields.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_without_reading() {
    let fixture = Fixture::new().await;
    let answer = ask(&fixture.context, "SELECT count(*) FROM t").await;
    assert_eq!(answer.metric("bytes_scanned"), 0);
    assert_eq!(answer.rows, ["998"]);
}
