//! The upsert engine against a model of what a table should hold, over random histories; other readers' eyes are
//! DataFusion's. And each thing that is known to go wrong with deletion vectors.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::prelude::SessionContext;
use delta_upsert::compact::{Policy, compact};
use delta_upsert::data_file::{DataFileWriter, FileNames, NewFile, Parts};
use delta_upsert::upsert::{Change, Changed, upsert};
use delta_upsert::{
    Buried, Caller, Context, DataFile, Existing, IdHash, Key, KeyFileBuilder, KeyRuns, Mode, Place, Stamp,
    Table, Version, Workers, data_file,
};
use fhirlake::lake::table::scan;
use fhirlake::storage::Root;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

/// A row as the model knows it: its version and its content.
type Row = (i64, i64);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("at", DataType::Int64, true),
        Field::new("content", DataType::Int64, true),
    ]))
}

fn version(at: i64) -> Version {
    Version { at, beyond: 0, seen: 0 }
}

/// Who changes the table: keys are its columns, tombstones are those of all changes so far.
#[derive(Default)]
struct Writer {
    buried: HashMap<IdHash, i64>,
    /// Runs once between opening the table and the commit: what others do meanwhile.
    meanwhile: Option<Place>,
    disturbed: AtomicBool,
}

impl Caller for Writer {
    fn keys<'a>(
        &'a self,
        table: &'a Table,
        file: &'a DataFile,
    ) -> BoxFuture<'a, delta_upsert::Result<KeyFileBuilder>> {
        Box::pin(async {
            let mut keys = KeyFileBuilder::default();
            let batches = data_file::read(table, file, None).await?;
            for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
                for (id, (at, content)) in rows_of(&batch) {
                    let row = keys.len() as u32;
                    keys.push(Existing { id: IdHash::of(&id), version: version(at), row_hash: content, row });
                }
            }
            Ok(keys)
        })
    }

    fn tombstones<'a>(
        &'a self,
        _: &'a Table,
        keys: &'a [Key],
    ) -> BoxFuture<'a, delta_upsert::Result<HashMap<IdHash, Buried>>> {
        Box::pin(async {
            if let Some(place) = &self.meanwhile
                && !self.disturbed.swap(true, Ordering::SeqCst)
            {
                let mut table = Table::open(place).await?.unwrap();
                let all = Policy { masked: 0.0, ..Policy::default() };
                let done = compact(&context(&Writer::default(), 0), &Arc::default(), &mut table, all).await?;
                assert!(done.version.is_some(), "the other one had nothing to do");
            }
            let of = |key: &Key| {
                let at = *self.buried.get(&key.id)?;
                Some((key.id, Buried { at, ..Buried::NOTHING }))
            };
            Ok(keys.iter().filter_map(of).collect())
        })
    }

    fn note<'a>(&'a self, _: &'a Table, _: &'a Changed) -> BoxFuture<'a, delta_upsert::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn noted<'a>(&'a self, _: &'a Table) -> BoxFuture<'a, delta_upsert::Result<Changed>> {
        Box::pin(async { Ok(Changed::default()) })
    }
}

fn context(writer: &Writer, seq: i64) -> Context<'_> {
    let stamp = Stamp { application: "fhirlake/test".into(), version: seq };
    let names = FileNames::new(&stamp);
    Context { caller: writer, stamp, names, workers: Workers::new(2), chunk: 1 << 10 }
}

struct Bench {
    _folder: TempDir,
    place: Place,
    mode: Mode,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        Self { place: root.table("Thing").unwrap(), _folder: folder, mode }
    }

    async fn open(&self) -> delta_upsert::Result<Table> {
        match Table::open(&self.place).await? {
            Some(table) => Ok(table),
            None => Table::create(&self.place, &schema(), &["id".into()], self.mode).await,
        }
    }

    /// One change: rows in files of so many, and tombstones.
    async fn change(
        &self,
        writer: &Writer,
        seq: i64,
        rows: &[(String, Row)],
        tombstones: &[(String, i64)],
        per_file: usize,
    ) -> Changed {
        let context = context(writer, seq);
        let (staged, keys) = self.stage(&context, rows, tombstones, per_file).await;
        let change = Change { staged, keys, indexed: Arc::new(vec!["id".into()]), buries: false };
        upsert(&context, || self.open(), change).await.unwrap()
    }

    async fn stage(
        &self,
        context: &Context<'_>,
        rows: &[(String, Row)],
        tombstones: &[(String, i64)],
        per_file: usize,
    ) -> (Vec<NewFile>, delta_upsert::SortedKeys) {
        self.open().await.unwrap();
        let (mut staged, mut keys, mut parts) = (Vec::new(), KeyRuns::default(), Parts::new(&self.place));
        for (file, rows) in rows.chunks(per_file).enumerate() {
            let mut of_file = KeyFileBuilder::default();
            for (row, (id, (at, content))) in rows.iter().enumerate() {
                let key = Key {
                    id: IdHash::of(id),
                    version: version(*at),
                    place: (file * per_file + row) as u64,
                    row_hash: *content,
                    file: file as u32,
                    row: row as u32,
                };
                of_file.push(Existing::from(&key));
                keys.extend([key]);
            }
            let indexed = Arc::new(vec!["id".into()]);
            let writer = DataFileWriter::begin(&self.place, context.names.next(), &batch(rows), indexed);
            let (part, new) = writer.unwrap().finish().unwrap();
            parts.place([part]).await.unwrap();
            let path = self.place.key_file(new.path());
            self.place.put_rebuildable(&path, of_file.finish().unwrap()).await.unwrap();
            staged.push(new);
        }
        keys.extend(tombstones.iter().map(|(id, at)| Key {
            id: IdHash::of(id),
            version: Version { at: *at, beyond: u32::MAX, seen: i64::MAX },
            place: 0,
            row_hash: 0,
            file: Key::TOMBSTONE,
            row: 0,
        }));
        (staged, keys.finish())
    }

    /// The table as DataFusion reads it.
    async fn rows(&self) -> BTreeMap<String, Row> {
        let session = SessionContext::new();
        let table = self.open().await.unwrap();
        session.register_table("t", Arc::new(scan(&table).unwrap())).unwrap();
        let batches = session.sql("SELECT * FROM t").await.unwrap().collect().await.unwrap();
        let rows: Vec<_> = batches.iter().flat_map(rows_of).collect();
        assert_eq!(table.rows().unwrap(), rows.len() as u64, "the log counts other rows");
        let by_id: BTreeMap<_, _> = rows.iter().cloned().collect();
        assert_eq!(by_id.len(), rows.len(), "an id is there twice");
        by_id
    }

    fn lose_keys(&self) {
        let tables = self.folder("");
        let keys = tables.parent().unwrap().parent().unwrap().join("keys");
        if keys.exists() {
            std::fs::remove_dir_all(keys).unwrap();
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.place.url.to_file_path().unwrap().join(name)
    }

    /// The files of the table's folder that end like this.
    fn files(&self, ending: &str) -> Vec<String> {
        let names = std::fs::read_dir(self.folder("")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(ending)).collect()
    }

    /// The actions of a kind in a version of the table's log.
    fn actions(&self, version: u64, kind: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder(&format!("_delta_log/{version:020}.json"))).unwrap();
        let actions = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        actions.filter_map(|action| action.get(kind).cloned()).collect()
    }
}

fn batch(rows: &[(String, Row)]) -> RecordBatch {
    let ids: StringArray = rows.iter().map(|(id, _)| Some(id)).collect();
    let ats: Int64Array = rows.iter().map(|(_, (at, _))| Some(*at)).collect();
    let contents: Int64Array = rows.iter().map(|(_, (_, content))| Some(*content)).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(ats), Arc::new(contents)]).unwrap()
}

fn rows_of(batch: &RecordBatch) -> Vec<(String, Row)> {
    let ids = arrow::compute::cast(batch.column_by_name("id").unwrap(), &DataType::Utf8).unwrap();
    let number = |name, row| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row);
    (0..batch.num_rows())
        .map(|row| {
            (ids.as_string::<i32>().value(row).to_owned(), (number("at", row), number("content", row)))
        })
        .collect()
}

/// A step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Rows (id, version, content), tombstones (id, version), rows of a file.
    Change(Vec<(u8, i64, i64)>, Vec<(u8, i64)>, usize),
    /// Files are put together; those with more than this share of masked rows are written again.
    Compact(f64),
    /// Another program puts all files together.
    Optimize,
    /// The key files are lost.
    LoseKeys,
}

fn step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec((0..60_u8, 0..20_i64, 0..3_i64), 0..40);
    let tombstones = prop::collection::vec((0..60_u8, 0..20_i64), 0..4);
    prop_oneof![
        6 => (rows, tombstones, 3..25_usize).prop_map(|(rows, dead, file)| Step::Change(rows, dead, file)),
        1 => (0..10_u8).prop_map(|share| Step::Compact(f64::from(share) / 20.0)),
        1 => Just(Step::Optimize),
        1 => Just(Step::LoseKeys),
    ]
}

/// What a table must hold: of each id the newest version; a tombstone covers what is not newer than it.
#[derive(Default)]
struct Model {
    rows: BTreeMap<String, Row>,
    buried: HashMap<IdHash, i64>,
}

impl Model {
    fn change(&mut self, rows: &[(String, Row)], tombstones: &[(String, i64)]) {
        for (id, at) in tombstones {
            let buried = self.buried.entry(IdHash::of(id)).or_insert(*at);
            *buried = (*buried).max(*at);
        }
        for (id, (at, content)) in rows {
            let there = self.rows.get(id).copied();
            if there.is_none_or(|(before, same)| *at >= before && (same != *content)) {
                self.rows.insert(id.clone(), (*at, *content));
            }
        }
        let buried = |id: &String, at: i64| self.buried.get(&IdHash::of(id)).is_some_and(|dead| at <= *dead);
        self.rows.retain(|id, (at, _)| !buried(id, *at));
    }
}

async fn run(mode: Mode, history: &[Step]) {
    let bench = Bench::new(mode);
    let mut model = Model::default();
    for (seq, step) in (1_i64..).zip(history) {
        match step {
            Step::Change(rows, dead, per_file) => {
                let rows: Vec<(String, Row)> = rows
                    .iter()
                    .map(|(id, at, content)| (format!("id-{id}"), (*at, at * 10 + content)))
                    .collect();
                let dead: Vec<(String, i64)> =
                    dead.iter().map(|(id, at)| (format!("id-{id}"), *at)).collect();
                model.change(&rows, &dead);
                let writer = Writer { buried: model.buried.clone(), ..Writer::default() };
                bench.change(&writer, seq, &rows, &dead, *per_file).await;
            }
            Step::Compact(masked) => {
                let mut table = bench.open().await.unwrap();
                let policy = Policy { masked: *masked, ..Policy::default() };
                let indexed = Arc::new(vec!["id".into()]);
                compact(&context(&Writer::default(), seq), &indexed, &mut table, policy).await.unwrap();
            }
            Step::Optimize => {
                let table = bench.open().await.unwrap();
                if table.rows().unwrap() > 0 {
                    table.delta().clone().optimize().await.unwrap();
                }
            }
            Step::LoseKeys => bench.lose_keys(),
        }
        let rows = bench.rows().await;
        let ids = |rows: &BTreeMap<String, Row>| rows.keys().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&rows), ids(&model.rows), "after {step:?}");
        assert_eq!(rows, model.rows, "after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_table_holds_what_its_history_says(history in prop::collection::vec(step(), 4..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for mode in [Mode::DeletionVectors, Mode::CopyOnWrite] {
            runtime.block_on(run(mode, &history));
        }
    }
}

fn numbered(ids: std::ops::Range<i64>, at: i64) -> Vec<(String, Row)> {
    ids.map(|id| (format!("id-{id}"), (at, at * 1000 + id))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scattered_change_writes_its_rows_and_marks_the_old_ones() {
    let bench = Bench::new(Mode::DeletionVectors);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..1000, 1), &[], 250).await;
    let changed: Vec<_> = numbered(0..1000, 2).into_iter().step_by(100).collect();
    let done = bench.change(&writer, 2, &changed, &[("id-1".into(), 9)], 250).await;
    assert_eq!((done.updated, done.inserted, done.deleted), (10, 0, 1));
    let version = done.version.unwrap();
    let adds = bench.actions(version, "add");
    let (masked, new): (Vec<_>, Vec<_>) = adds.iter().partition(|add| !add["deletionVector"].is_null());
    assert_eq!((masked.len(), new.len(), bench.actions(version, "remove").len()), (4, 1, 4));
    assert!(
        masked.iter().all(|add| add["deletionVector"]["storageType"] == "i"),
        "small ones are in the log"
    );
    assert_eq!(bench.files(".bin"), Vec::<String>::new());
    for add in masked {
        let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
        assert_eq!((&stats["numRecords"], &stats["tightBounds"]), (&250.into(), &false.into()));
    }
    assert_eq!(bench.rows().await.len(), 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_vector_is_a_file_and_the_next_change_keeps_what_it_masks() {
    let bench = Bench::new(Mode::DeletionVectors);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..60_000, 1), &[], 60_000).await;
    let third: Vec<_> = numbered(0..60_000, 2).into_iter().step_by(3).collect();
    bench.change(&writer, 2, &third, &[], 60_000).await;
    assert_eq!(bench.files(".bin").len(), 1);
    let done = bench.change(&writer, 3, &numbered(1..2, 3), &[], 10).await;
    assert_eq!((done.updated, done.inserted), (1, 0));
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows["id-0"].0, rows["id-1"].0, rows["id-2"].0), (60_000, 2, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_most_rows_go_keeps_a_vector_and_one_without_rows_leaves() {
    let bench = Bench::new(Mode::DeletionVectors);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..20, 1), &[], 10).await;
    // All of the first file, six of the second. Whoever follows the table's changes reads them from the vector.
    let done = bench.change(&writer, 2, &numbered(0..16, 2), &[], 100).await;
    let adds = bench.actions(done.version.unwrap(), "add");
    assert_eq!(adds.iter().filter(|add| !add["deletionVector"].is_null()).count(), 1);
    assert_eq!((adds.len(), bench.actions(done.version.unwrap(), "remove").len()), (2, 2));
    assert_eq!(bench.rows().await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_on_write_needs_no_feature_that_readers_could_lack() {
    let bench = Bench::new(Mode::CopyOnWrite);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..20, 1), &[], 10).await;
    let done = bench.change(&writer, 2, &numbered(0..1, 2), &[], 10).await;
    assert!(bench.actions(done.version.unwrap(), "add").iter().all(|add| add["deletionVector"].is_null()));
    assert_eq!(bench.actions(0, "protocol")[0]["minReaderVersion"], 1);
    assert_eq!(bench.rows().await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_comes_twice_in_a_change_is_one_row() {
    let bench = Bench::new(Mode::DeletionVectors);
    let rows = [("a".into(), (1, 1)), ("a".into(), (3, 3)), ("b".into(), (1, 1)), ("a".into(), (2, 2))];
    let done = bench.change(&Writer::default(), 1, &rows, &[], 2).await;
    assert_eq!(done.inserted, 2);
    assert_eq!(bench.rows().await["a"], (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_made_again_is_made_once() {
    let bench = Bench::new(Mode::DeletionVectors);
    let first = bench.change(&Writer::default(), 1, &numbered(0..5, 1), &[], 10).await;
    let again = bench.change(&Writer::default(), 1, &numbered(0..5, 1), &[], 10).await;
    assert_eq!(again.version, first.version);
    assert_eq!(bench.files(".parquet").len(), 1, "what was staged again is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_bring_the_same_new_id_at_once_leave_one_row() {
    let bench = Bench::new(Mode::DeletionVectors);
    bench.open().await.unwrap();
    let write = async |application: &str, at: i64| {
        let writer = Writer::default();
        let mut context = context(&writer, 1);
        context.stamp.application = application.to_owned();
        context.names = FileNames::new(&context.stamp);
        for round in 0..8 {
            context.stamp.version = round;
            let rows = numbered(round..round + 1, at);
            let (staged, keys) = bench.stage(&context, &rows, &[], 10).await;
            let change = Change { staged, keys, indexed: Arc::default(), buries: false };
            upsert(&context, || bench.open(), change).await.unwrap();
        }
    };
    tokio::join!(write("fhirlake/a", 1), write("fhirlake/b", 2));
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows.values().all(|(at, _)| *at == 2)), (8, true), "the newer one stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_between_reading_and_committing_is_noticed() {
    let bench = Bench::new(Mode::DeletionVectors);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..100, 1), &[], 50).await;
    bench.change(&writer, 2, &numbered(0..5, 2), &[], 50).await;
    let disturbed = Writer { meanwhile: Some(bench.place.clone()), ..Writer::default() };
    let done = bench.change(&disturbed, 3, &numbered(3..8, 3), &[], 50).await;
    assert!(disturbed.disturbed.load(Ordering::SeqCst));
    assert_eq!((done.updated, done.inserted), (5, 0));
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows["id-0"].0, rows["id-4"].0), (100, 2, 3));
    let live = bench.open().await.unwrap().files().unwrap();
    let named: Vec<String> = live.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(named.len(), 2, "one that was put together, and the new rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_says_that_no_data_changed_and_the_rows_are_the_same() {
    let bench = Bench::new(Mode::DeletionVectors);
    let writer = Writer::default();
    bench.change(&writer, 1, &numbered(0..100, 1), &[], 20).await;
    // All rows of the first file go, and five of the second.
    bench.change(&writer, 2, &numbered(0..25, 2), &[], 20).await;
    let before = bench.rows().await;
    let mut table = bench.open().await.unwrap();
    let done = compact(&context(&writer, 0), &Arc::default(), &mut table, Policy::default()).await.unwrap();
    assert_eq!((done.before, done.after, done.folded), (6, 1, 5));
    let version = done.version.unwrap();
    let moves = [bench.actions(version, "add"), bench.actions(version, "remove")].concat();
    assert!(moves.iter().all(|action| action["dataChange"] == false));
    assert_eq!(bench.rows().await, before);
    let again = compact(&context(&writer, 0), &Arc::default(), &mut table, Policy::default()).await.unwrap();
    assert_eq!(again.version, None, "there is nothing left to do");
}
