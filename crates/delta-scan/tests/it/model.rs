//! Random tables and questions, answered by the scan and by a loop over the rows.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use datafusion::prelude::SessionConfig;
use proptest::prelude::*;
use serde_json::json;

use crate::table::{Data, Kept, Table, ask};

/// A row. Texts are never empty, so that an empty text is a null one.
#[derive(Debug, Clone)]
struct Row {
    id: i64,
    name: Option<String>,
    subject: Option<Subject>,
    codes: Option<Vec<Option<Code>>>,
    note: Option<String>,
}

/// A system, and a rank.
type Code = (Option<String>, i64);

#[derive(Debug, Clone)]
struct Subject {
    reference: Option<String>,
    n: Option<i64>,
}

fn subject_fields() -> Fields {
    vec![Field::new("reference", DataType::Utf8, true), Field::new("n", DataType::Int64, true)].into()
}

fn code_fields() -> Fields {
    vec![Field::new("system", DataType::Utf8, true), Field::new("rank", DataType::Int64, true)].into()
}

fn schema() -> Schema {
    let code = Field::new("element", DataType::Struct(code_fields()), true);
    Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("subject", DataType::Struct(subject_fields()), true),
        Field::new("codes", DataType::List(Arc::new(code)), true),
        Field::new("note", DataType::Utf8, true),
    ])
}

/// The rows as a file has them: a column without any value may be left out.
fn batch(rows: &[Row], leave_out: bool) -> RecordBatch {
    let subjects = rows.iter().map(|row| row.subject.clone());
    let subject = StructArray::new(
        subject_fields(),
        vec![
            Arc::new(subjects.clone().map(|s| s.and_then(|s| s.reference)).collect::<StringArray>()),
            Arc::new(subjects.clone().map(|s| s.and_then(|s| s.n)).collect::<Int64Array>()),
        ],
        Some(subjects.map(|s| s.is_some()).collect::<Vec<_>>().into()),
    );
    let element = Field::new("element", DataType::Struct(code_fields()), true);
    let mut codes = ListBuilder::new(StructBuilder::from_fields(code_fields(), 0)).with_field(element);
    for row in rows {
        for code in row.codes.iter().flatten() {
            let (system, rank) = code.clone().map_or((None, None), |(system, rank)| (system, Some(rank)));
            codes.values().field_builder::<StringBuilder>(0).unwrap().append_option(system);
            codes
                .values()
                .field_builder::<arrow_array::builder::Int64Builder>(1)
                .unwrap()
                .append_option(rank);
            codes.values().append(code.is_some());
        }
        codes.append(row.codes.is_some());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.name.clone()).collect::<StringArray>()),
        Arc::new(subject),
        Arc::new(codes.finish()),
        Arc::new(rows.iter().map(|row| row.note.clone()).collect::<StringArray>()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema()), columns).unwrap();
    let all = 0..batch.num_columns();
    let kept: Vec<usize> =
        all.filter(|&at| !leave_out || batch.column(at).null_count() < batch.num_rows()).collect();
    batch.project(&kept).unwrap()
}

fn statistics(rows: &[Row]) -> serde_json::Value {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let references: Vec<_> =
        rows.iter().filter_map(|row| row.subject.as_ref().and_then(|s| s.reference.clone())).collect();
    json!({
        "minValues": {"id": ids.iter().min(), "subject": {"reference": references.iter().min()}},
        "maxValues": {"id": ids.iter().max(), "subject": {"reference": references.iter().max()}},
        "nullCount": {"id": 0, "subject": {"reference": rows.len() - references.len()}},
    })
}

type Test = fn(&Row, i64) -> bool;
type Show = fn(&Row) -> String;

fn reference(row: &Row) -> Option<&str> {
    row.subject.as_ref()?.reference.as_deref()
}

fn first_code(row: &Row) -> Option<&Code> {
    row.codes.as_ref()?.first()?.as_ref()
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Conditions, with `{}` for a number.
const CONDITIONS: [(&str, Test); 15] = [
    ("true", |_, _| true),
    ("id = {}", |row, n| row.id == n),
    ("id < {}", |row, n| row.id < n),
    ("id >= {}", |row, n| row.id >= n),
    ("name = 'n{}'", |row, n| row.name == Some(format!("n{n}"))),
    ("name IS NULL", |row, _| row.name.is_none()),
    ("note = 'n{}'", |row, n| row.note == Some(format!("n{n}"))),
    ("note IS NULL AND id > {}", |row, n| row.note.is_none() && row.id > n),
    ("coalesce(note, 'none') = 'none'", |row, _| row.note.is_none()),
    ("subject['reference'] = 'r{}'", |row, n| reference(row) == Some(&format!("r{n}"))),
    ("subject['reference'] IS NULL", |row, _| reference(row).is_none()),
    ("subject['n'] > {}", |row, n| row.subject.as_ref().and_then(|s| s.n).is_some_and(|m| m > n)),
    ("subject IS NOT NULL", |row, _| row.subject.is_some()),
    ("codes[1]['rank'] >= {}", |row, n| first_code(row).is_some_and(|code| code.1 >= n)),
    ("array_any_match(codes, c -> c['rank'] = {})", |row, n| {
        row.codes.iter().flatten().flatten().any(|code| code.1 == n)
    }),
];

/// Columns of answers.
const COLUMNS: [(&str, Show); 9] = [
    ("id", |row| row.id.to_string()),
    ("name", |row| text(row.name.as_ref())),
    ("note", |row| text(row.note.as_ref())),
    ("subject['reference']", |row| text(reference(row))),
    ("subject['n']", |row| text(row.subject.as_ref().and_then(|s| s.n))),
    ("codes[1]['system']", |row| text(first_code(row).and_then(|code| code.0.as_ref()))),
    ("array_length(codes)", |row| text(row.codes.as_ref().map(Vec::len))),
    ("subject IS NULL", |row| row.subject.is_none().to_string()),
    ("array_length(array_filter(codes, c -> c['rank'] > 2))", |row| {
        text(row.codes.as_ref().map(|codes| codes.iter().flatten().filter(|code| code.1 > 2).count()))
    }),
];

#[derive(Debug, Clone)]
struct Question {
    conditions: Vec<(usize, i64)>,
    columns: Vec<usize>,
    limit: Option<usize>,
}

impl Question {
    fn condition(&self) -> String {
        let all = self.conditions.iter().map(|(at, n)| CONDITIONS[*at].0.replace("{}", &n.to_string()));
        all.collect::<Vec<_>>().join(" AND ")
    }

    fn holds(&self, row: &Row) -> bool {
        self.conditions.iter().all(|(at, n)| CONDITIONS[*at].1(row, *n))
    }

    fn sql(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|at| COLUMNS[*at].0).collect();
        let limit = self.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
        format!("SELECT {} FROM t WHERE {}{limit}", columns.join(", "), self.condition())
    }

    fn shown(&self, row: &Row) -> String {
        self.columns.iter().map(|at| COLUMNS[*at].1(row)).collect::<Vec<_>>().join("|")
    }
}

fn few(prefix: &'static str) -> impl Strategy<Value = Option<String>> {
    prop::option::of((0..6_i64).prop_map(move |n| format!("{prefix}{n}")))
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let subject = (few("r"), prop::option::of(0..6_i64)).prop_map(|(reference, n)| Subject { reference, n });
    let code = (few("s"), 0..6_i64);
    let codes = prop::collection::vec(prop::option::weighted(0.8, code), 0..4);
    let row = (0..12_i64, few("n"), prop::option::of(subject), prop::option::of(codes), few("n"));
    (prop::collection::vec(row, 1..14), any::<bool>()).prop_map(|(rows, noted)| {
        let row = |(id, name, subject, codes, note)| Row {
            id,
            name,
            subject,
            codes,
            note: if noted { note } else { None },
        };
        rows.into_iter().map(row).collect()
    })
}

/// A file: its rows, and which of them are removed.
fn file() -> impl Strategy<Value = (Vec<(Row, bool)>, usize, bool, bool)> {
    let masked = prop_oneof![Just(0.0), Just(0.3), Just(1.0)];
    (rows(), masked, 1..5_usize, any::<bool>(), any::<bool>()).prop_flat_map(
        |(rows, masked, group, inline, leave_out)| {
            let count = rows.len();
            let mask = prop::collection::vec(prop::bool::weighted(masked), count);
            mask.prop_map(move |mask| (rows.iter().cloned().zip(mask).collect(), group, inline, leave_out))
        },
    )
}

fn question() -> impl Strategy<Value = Question> {
    (
        prop::collection::vec((0..CONDITIONS.len(), 0..12_i64), 1..3),
        prop::collection::vec(0..COLUMNS.len(), 1..4),
        prop::option::of(0..8_usize),
    )
        .prop_map(|(conditions, mut columns, limit)| {
            columns.sort_unstable();
            columns.dedup();
            Question { conditions, columns, limit }
        })
}

fn data(rows: &[(Row, bool)], row_group: usize, inline: bool, leave_out: bool) -> Data {
    let all: Vec<Row> = rows.iter().map(|(row, _)| row.clone()).collect();
    Data {
        batch: batch(&all, leave_out),
        row_group,
        removed: (0..).zip(rows).filter(|(_, (_, removed))| *removed).map(|(at, _)| at).collect(),
        kept: if inline { Kept::Inline } else { Kept::Aside },
        statistics: statistics(&all),
    }
}

/// What the scan says to a question is what the rows say.
async fn check(context: &datafusion::prelude::SessionContext, live: &[Row], question: &Question) {
    let sql = question.sql();
    let mut expected: Vec<_> =
        live.iter().filter(|row| question.holds(row)).map(|row| question.shown(row)).collect();
    let mut found = ask(context, &sql).await.rows;
    expected.sort();
    found.sort();
    let Some(limit) = question.limit else { return assert_eq!(found, expected, "{sql}") };
    assert_eq!(found.len(), expected.len().min(limit), "{sql}");
    let mut left = expected.into_iter();
    assert!(found.iter().all(|row| left.any(|expected| expected == *row)), "{sql} gives {found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scan_answers_as_the_rows_do(
        files in prop::collection::vec(file(), 1..5),
        questions in prop::collection::vec(question(), 6),
        partitions in 1..5_usize,
        split in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut table = Table::new(&schema());
            for (rows, group, inline, leave_out) in &files {
                table.add(&data(rows, *group, *inline, *leave_out));
            }
            let live: Vec<Row> = files.iter().flat_map(|(rows, ..)| rows)
                .filter(|(_, removed)| !removed).map(|(row, _)| row.clone()).collect();
            // Files are cut into parts of a few bytes, so that row groups fall into different ones.
            let config = SessionConfig::new().with_target_partitions(partitions)
                .with_repartition_file_min_size(if split { 1 } else { 1 << 30 });
            let mut config = config;
            config.options_mut().sql_parser.dialect = datafusion::config::Dialect::Databricks;
            let context = table.session(config).await;
            let count = ask(&context, "SELECT count(*) FROM t").await.rows;
            assert_eq!(count, [live.len().to_string()]);
            for question in &questions {
                check(&context, &live, question).await;
                let counted = format!("SELECT count(*) FROM t WHERE {}", question.condition());
                let count = live.iter().filter(|row| question.holds(row)).count();
                assert_eq!(ask(&context, &counted).await.rows, [count.to_string()], "{counted}");
            }
            let unnested = "SELECT id, c['rank'] FROM (SELECT id, unnest(codes) AS c FROM t)";
            let mut expected: Vec<_> = live.iter().flat_map(|row| row.codes.iter().flatten().map(|code| {
                format!("{}|{}", row.id, text(code.as_ref().map(|code| code.1)))
            })).collect();
            expected.sort();
            assert_eq!(crate::table::ask_sorted(&context, unnested).await, expected);
        });
    }
}
