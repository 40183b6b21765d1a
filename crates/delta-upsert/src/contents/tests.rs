//! Tables in a folder, beside a model of what they should hold.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use object_store::local::LocalFileSystem;
use proptest::prelude::*;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::data_file::{FileNames, read};
use crate::{Durable, IdHash, Mode, Place, Workers, vector};

#[derive(Debug)]
struct Lasting;

impl Durable for Lasting {
    fn sync<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Rows of an id and a number.
type Rows = Vec<(String, Option<i32>)>;

struct Bench {
    folder: TempDir,
    mode: Mode,
    id: Option<&'static str>,
}

impl Bench {
    fn new(mode: Mode, id: Option<&'static str>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), mode, id }
    }

    fn place(&self) -> Place {
        let root = self.folder.path();
        std::fs::create_dir_all(root.join("T")).unwrap();
        Place {
            name: "T".to_owned(),
            url: Url::from_directory_path(root.join("T")).unwrap(),
            store: Arc::new(LocalFileSystem::new_with_prefix(root).unwrap()),
            folder: "T".to_owned(),
            keys: "keys/T".to_owned(),
            durable: Arc::new(Lasting),
        }
    }

    fn columns(number: &str) -> SchemaRef {
        let fields = vec![Field::new("id", DataType::Utf8, true), Field::new(number, DataType::Int32, true)];
        Arc::new(Schema::new(fields))
    }

    async fn bring_as(&self, scope: Scope, ids: &[&str], rows: &Rows, columns: SchemaRef) -> Result<Brought> {
        let stamp = Stamp { application: "test/view".to_owned(), version: 0 };
        let (names, place, indexed) = (FileNames::new(&stamp), self.place(), Arc::new(vec!["id".to_owned()]));
        let limits = Limits { file_size: 1 << 20, file_rows: 3, encoding: 1 << 20, keys: 100 };
        let mut staging =
            Staging::new(&place, &columns, self.id, Arc::clone(&indexed), names.clone(), limits)?;
        for id in ids {
            staging.covers(IdHash::of(id))?;
        }
        for rows in rows.chunks(2) {
            let ids = StringArray::from_iter_values(rows.iter().map(|(id, _)| id));
            let numbers = Int32Array::from_iter(rows.iter().map(|(_, number)| *number));
            let batch = RecordBatch::try_new(Arc::clone(&columns), vec![Arc::new(ids), Arc::new(numbers)]);
            staging.write(batch.unwrap()).await?;
        }
        let (staged, keys) = staging.finish().await?;
        let caller = ByContents { id: self.id.map(str::to_owned) };
        let context = Context { caller: &caller, stamp, names, workers: Workers::new(2), chunk: 0 };
        let open = async || match Table::open(&place).await? {
            Some(table) => Ok(table),
            None => Table::create(&place, &columns, &indexed, self.mode).await,
        };
        let properties = [("test.from".to_owned(), "1".to_owned())].into();
        let (columns, indexed) = (Arc::clone(&columns), Arc::clone(&indexed));
        bring(&context, open, Contents { staged, keys, scope, columns, indexed, properties }).await
    }

    async fn bring(&self, scope: Scope, ids: &[&str], rows: &Rows) -> Brought {
        self.bring_as(scope, ids, rows, Self::columns("n")).await.unwrap()
    }

    /// The rows that the table has, sorted.
    async fn rows(&self) -> Rows {
        let table = Table::open(&self.place()).await.unwrap().unwrap();
        let mut all = Rows::new();
        for file in table.files().unwrap() {
            let removed = vector::removed(&table, &file).await.unwrap();
            let batches: Vec<_> = read(&table, &file, None).await.unwrap().try_collect().await.unwrap();
            let mut row = 0;
            for batch in &batches {
                let (ids, numbers) =
                    (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int32Type>());
                for (id, number) in ids.iter().zip(numbers) {
                    if !removed.contains(row) {
                        all.push((id.unwrap().to_owned(), number));
                    }
                    row += 1;
                }
            }
        }
        all.sort();
        all
    }

    /// How many files there are of keys and of data.
    fn files(&self) -> (usize, usize) {
        let count = |folder: &str, extension: &str| {
            let listed = std::fs::read_dir(self.folder.path().join(folder)).unwrap();
            let is = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|e| e == extension);
            listed.filter(|entry| is(entry.as_ref().unwrap())).count()
        };
        (count("keys/T", "keys"), count("T", "parquet"))
    }
}

fn sorted(rows: &Rows) -> Rows {
    let mut rows = rows.clone();
    rows.sort();
    rows
}

fn row(id: &str, number: i32) -> (String, Option<i32>) {
    (id.to_owned(), Some(number))
}

fn some_rows() -> impl Strategy<Value = Rows> {
    let row = ("[a-d]", prop::option::of(0..3_i32));
    prop::collection::vec(row, 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_table_has_the_rows_that_were_computed_as_often_as_they_were(
        steps in prop::collection::vec((0..3_u8, some_rows(), "[a-d]{0,2}"), 1..5),
        copied: bool,
    ) {
        let mode = if copied { Mode::CopyOnWrite } else { Mode::DeletionVectors };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(mode, Some("id"));
            let mut model = Rows::new();
            for (kind, rows, covered) in steps {
                let before = sorted(&model);
                let brought = if kind == 0 {
                    let ids: Vec<&str> = covered.split_inclusive(|_| true).collect();
                    let rows: Rows = rows.into_iter().filter(|(id, _)| covered.contains(id.as_str())).collect();
                    model.retain(|(id, _)| !covered.contains(id.as_str()));
                    model.extend(rows.clone());
                    bench.bring(Scope::Ids, &ids, &rows).await
                } else {
                    model = rows.clone();
                    bench.bring(if kind == 1 { Scope::Table } else { Scope::Anew }, &[], &rows).await
                };
                assert_eq!(bench.rows().await, sorted(&model));
                assert_eq!(brought.rows, model.len() as u64);
                if kind < 2 {
                    let stay = common(&before, &sorted(&model));
                    let expected = ((model.len() - stay) as u64, (before.len() - stay) as u64);
                    assert_eq!((brought.inserted, brought.removed), expected);
                }
            }
        });
    }
}

/// How many rows two sorted lists share.
fn common(one: &Rows, other: &Rows) -> usize {
    let mut rest = other.clone();
    one.iter()
        .filter(|row| rest.iter().position(|found| found == *row).map(|at| rest.remove(at)).is_some())
        .count()
}

#[tokio::test]
async fn rows_that_are_there_make_no_commit_and_leave_no_file() {
    let bench = Bench::new(Mode::DeletionVectors, Some("id"));
    let rows: Rows = (0..8).map(|n| row(&format!("r{n}"), n)).collect();
    let first = bench.bring(Scope::Table, &[], &rows).await;
    assert_eq!((first.inserted, first.version), (8, 1));
    let files = bench.files();
    let reversed: Rows = rows.iter().rev().cloned().collect();
    let again = bench.bring(Scope::Table, &[], &reversed).await;
    assert_eq!((again.inserted, again.removed, again.rows, again.version), (0, 0, 8, 1));
    assert_eq!(bench.files(), files);
}

#[tokio::test]
async fn equal_rows_without_ids_are_counted() {
    let bench = Bench::new(Mode::DeletionVectors, None);
    bench.bring(Scope::Table, &[], &vec![row("a", 1), row("a", 1), row("b", 2)]).await;
    let brought =
        bench.bring(Scope::Table, &[], &vec![row("a", 1), row("b", 2), row("b", 2), row("b", 2)]).await;
    assert_eq!((brought.inserted, brought.removed), (2, 1));
    assert_eq!(bench.rows().await.len(), 4);
}

#[tokio::test]
async fn keys_that_are_lost_are_made_again_from_the_rows() {
    let bench = Bench::new(Mode::DeletionVectors, Some("id"));
    let rows: Rows = (0..8).map(|n| row(&format!("r{n}"), n)).collect();
    bench.bring(Scope::Table, &[], &rows).await;
    std::fs::remove_dir_all(bench.folder.path().join("keys")).unwrap();
    let brought = bench.bring(Scope::Ids, &["r1", "r2"], &vec![row("r1", 1), row("r2", 9)]).await;
    assert_eq!((brought.inserted, brought.removed, brought.rows), (1, 1, 8));
}

#[tokio::test]
async fn no_file_of_the_columns_that_a_table_had_before_stays_in_it() {
    for rest in [&[][..], &["b", "c"]] {
        let bench = Bench::new(Mode::DeletionVectors, Some("id"));
        bench.bring(Scope::Table, &[], &vec![row("a", 1), row("b", 2), row("c", 3)]).await;
        // A vector, of some of its rows or of all.
        bench.bring(Scope::Ids, &["a"], &vec![row("a", 9)]).await;
        bench.bring(Scope::Ids, rest, &Rows::new()).await;
        let ids: Vec<String> = bench.rows().await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 3 - rest.len());
        bench.bring_as(Scope::Table, &[], &vec![row("a", 1)], Bench::columns("m")).await.unwrap();
        let table = Table::open(&bench.place()).await.unwrap().unwrap();
        let files: Vec<_> = table.files().unwrap().iter().map(|file| (file.rows, file.removed)).collect();
        assert_eq!(files, [(1, 0)]);
        assert_eq!(
            table.version(),
            if rest.is_empty() { 4 } else { 5 },
            "masked rows leave in a commit of their own, before it"
        );
    }
}

#[tokio::test]
async fn a_table_of_other_columns_is_made_anew_in_one_commit() {
    let bench = Bench::new(Mode::DeletionVectors, Some("id"));
    bench.bring(Scope::Table, &[], &vec![row("a", 1), row("b", 2)]).await;
    let refused = bench.bring_as(Scope::Ids, &["a"], &vec![row("a", 1)], Bench::columns("m")).await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    let brought = bench.bring_as(Scope::Table, &[], &vec![row("a", 1)], Bench::columns("m")).await.unwrap();
    assert_eq!((brought.inserted, brought.removed, brought.version), (1, 2, 2));
    let table = Table::open(&bench.place()).await.unwrap().unwrap();
    assert!(table.has_columns(&Bench::columns("m")).unwrap());
    assert_eq!((table.property("test.from").as_deref(), table.indexed()), (Some("1"), vec!["id".to_owned()]));
}
