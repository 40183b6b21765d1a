//! The shape of the tables, and the way back from a row to its line and its resource.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use delta_upsert::{Mode, Table, data_file};
use fhir_arrow::unflatten;
use fhir_definitions::Definitions;
use fhirlake::lake::Lake;
use fhirlake::lake::resource::ResourceTable;
use fhirlake::lake::table;
use fhirlake::storage::Root;
use futures::TryStreamExt;

use crate::fixture::{Bench, ask, ingest, rows, tables};

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_type_has_a_table_that_delta_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::create(folder.path().to_str().unwrap()).unwrap();
    for name in Definitions::r4().resource_types() {
        let spec = ResourceTable::new(Definitions::r4(), name, &[]).unwrap();
        let names: Vec<&str> = spec.columns.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names[..3], ["resourceType", "id", "meta"], "{name}");
        let lineage = [
            "__rest",
            "__source",
            "__export_id",
            "__raw_file",
            "__raw_offset",
            "__raw_length",
            "__row_hash",
            "__ingested_at",
        ];
        assert_eq!(names[names.len() - 8..], lineage, "{name}");
        let table =
            Table::create(&root.table(name).unwrap(), &spec.columns, &spec.indexed, Mode::DeletionVectors)
                .await
                .unwrap();
        assert_eq!((table.version(), table.rows().unwrap()), (0, 0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_says_which_columns_have_statistics_and_no_other_has_any() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Observation.ndjson")]).await.unwrap();
    let log = bench.path("lake/tables/Observation/_delta_log");
    let read = |version: usize| std::fs::read_to_string(log.join(format!("{version:020}.json"))).unwrap();
    assert!(
        read(0).contains(r#""delta.dataSkippingStatsColumns":"id,meta.lastUpdated,subject.__reference_id,__effectiveDateTime_start,effectivePeriod.__start_start,__issued_start""#)
    );
    let add = read(1).lines().find_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        action
            .get("add")
            .map(|add| serde_json::from_str::<serde_json::Value>(add["stats"].as_str().unwrap()).unwrap())
    });
    let stats = add.unwrap();
    assert_eq!(stats["numRecords"], 2287);
    let keys: Vec<&String> = stats["minValues"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["__effectiveDateTime_start", "__issued_start", "id", "meta", "subject"]);
    assert!(stats["minValues"]["id"].as_str() < stats["maxValues"]["id"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_leads_to_its_line_and_gives_its_resource_back() {
    let bench = Bench::new();
    let location = bench.lake("lake");
    ingest(&location, &[bench.path("small-v1")]).await.unwrap();
    let lake = Lake::open(&location).await.unwrap();
    let mut seen = 0;
    for name in tables(&location).await {
        let spec = ResourceTable::new(Definitions::r4(), &name, &[]).unwrap();
        let table = table::open(&lake.root, &name).await.unwrap().unwrap();
        for file in table.files().unwrap() {
            let batches: Vec<RecordBatch> =
                data_file::read(&table, &file, None).await.unwrap().try_collect().await.unwrap();
            for batch in batches {
                let elements = padded(&batch, &spec);
                for row in 0..batch.num_rows() {
                    let line = line_of(&bench, &batch, row);
                    let resource: serde_json::Value = serde_json::from_slice(&line).unwrap();
                    let back: serde_json::Value =
                        serde_json::from_str(&unflatten(&spec.elements, &elements, row).unwrap()).unwrap();
                    assert_eq!(back, resource, "{name}");
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 6187);
}

/// The columns of the elements, with nulls where the file has left one out.
fn padded(batch: &RecordBatch, spec: &ResourceTable) -> RecordBatch {
    let fields = spec.elements.arrow().fields().clone();
    let columns: Vec<_> = fields
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type()).unwrap(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    RecordBatch::try_new(Arc::clone(&spec.elements.arrow()), columns).unwrap()
}

fn line_of(bench: &Bench, batch: &RecordBatch, row: usize) -> Vec<u8> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let file = batch.column_by_name("__raw_file").unwrap().as_string::<i32>().value(row);
    let number = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row);
    let (offset, length) = (number("__raw_offset") as usize, number("__raw_length") as usize);
    let raw = zstd::decode_all(std::fs::File::open(bench.path("lake").join(file)).unwrap()).unwrap();
    let line = raw[offset..offset + length].to_vec();
    assert_eq!(number("__row_hash"), fhir_arrow::row_hash(&line));
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_the_fhir_names_and_need_no_quotes() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let rows = ask(&lake, "SELECT birthDate, meta.lastUpdated, name[1]['family'] FROM Patient LIMIT 1")
        .await
        .unwrap();
    assert!(rows[0].iter().all(|cell| cell != "NULL"), "{rows:?}");
    let wrong = ask(&lake, "SELECT birthdate FROM Patient").await.unwrap_err().to_string();
    assert!(wrong.contains("birthdate"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_the_lake_has_no_data_for_is_an_empty_table_with_all_its_columns() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    ingest(&lake, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    assert_eq!(
        ask(&lake, "SELECT count(valueQuantity.__value_double) FROM Observation").await.unwrap(),
        [["0"]]
    );
    assert_eq!(ask(&lake, "SELECT count(*) FROM observations").await.unwrap(), [["0"]]);
    assert!(ask(&lake, "SELECT * FROM Pet").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_changes_nothing() {
    let bench = Bench::new();
    let location = bench.lake("lake");
    ingest(&location, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let out = bench.lake("out.csv");
    for sql in [
        "CREATE TABLE x AS SELECT 1".to_owned(),
        "DROP TABLE Patient".to_owned(),
        "INSERT INTO Patient SELECT * FROM Patient".to_owned(),
        format!("COPY (SELECT 1) TO '{out}'"),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{out}'"),
    ] {
        assert!(ask(&location, &sql).await.is_err(), "{sql}");
    }
    assert!(!bench.path("out.csv").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_what_the_last_finished_run_left() {
    use fhirlake::query::{Pin, Session};
    let bench = Bench::new();
    let location = bench.lake("lake");
    ingest(&location, &[bench.path("small-v1/Patient.ndjson")]).await.unwrap();
    let lake = Lake::open(&location).await.unwrap();
    let pinned = Session::open(&lake, Pin::LastRun).await.unwrap();
    let latest = Session::open(&lake, Pin::Latest).await.unwrap();
    ingest(&location, &[bench.path("small-v1/Device.ndjson")]).await.unwrap();
    let sql = "SELECT count(*) FROM Device";
    assert_eq!(rows(&pinned, sql).await.unwrap(), [["0"]]);
    assert_eq!(rows(&latest, sql).await.unwrap(), [["33"]]);
}
