//! Key files in a store, merged with the keys of a change.
#![allow(clippy::unwrap_used, reason = "a test that unwraps what is not there has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use delta_upsert::{Existing, IdHash, Key, KeyFile, KeyFileBuilder, KeyRuns, RoaringBitmap, Version};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;

fn version(at: i64) -> Version {
    Version { at, beyond: 3, seen: 100 }
}

fn existing(id: u32, row: u32) -> Existing {
    Existing {
        id: IdHash::of(&format!("id-{id}")),
        version: version(i64::from(id)),
        row_hash: i64::from(id) * 7,
        row,
    }
}

fn candidate(id: u32, row: u32) -> Key {
    let id_hash = IdHash::of(&format!("id-{id}"));
    Key { id: id_hash, version: version(1), place: row.into(), row_hash: 0, file: 0, row }
}

async fn stored(rows: &[Existing]) -> (Arc<dyn ObjectStore>, KeyFile) {
    let mut builder = KeyFileBuilder::default();
    rows.iter().for_each(|row| builder.push(*row));
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = Path::from("keys/Patient/a.keys");
    store.put(&path, builder.finish().unwrap().into()).await.unwrap();
    let file = KeyFile::open(&store, &path).await.unwrap().unwrap();
    (store, file)
}

/// What a change of these ids meets in a file of those, as (row of the change, row of the file).
async fn met(file: &KeyFile, keys: Vec<Key>, masked: Option<&RoaringBitmap>) -> Vec<(u32, u32)> {
    let mut runs = KeyRuns::default();
    runs.extend(keys);
    let mut sorted = runs.finish();
    let mut met = Vec::new();
    for chunk in sorted.chunks(0).unwrap() {
        let chunk = chunk.unwrap();
        let meet = |keys: &[Key], row: Existing| met.extend(keys.iter().map(|key| (key.row, row.row)));
        file.join(&chunk, masked, meet).await.unwrap();
    }
    met.sort_unstable();
    met
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_join_meets_what_a_comparison_of_all_with_all_meets(
        rows in prop::collection::btree_set(0_u32..40_000, 0..20_000),
        change in prop::collection::vec(0_u32..40_000, 0..3000),
        gone in prop::collection::vec(0_u32..20_000, 0..50),
    ) {
        let rows: Vec<Existing> = rows.into_iter().zip(0..).map(|(id, row)| existing(id, row)).collect();
        let keys: Vec<Key> = change.iter().zip(0..).map(|(id, row)| candidate(*id, row)).collect();
        let masked: RoaringBitmap = gone.into_iter().collect();
        let by_id: BTreeMap<IdHash, u32> = rows.iter().map(|row| (row.id, row.row)).collect();
        let mut expected: Vec<(u32, u32)> = keys
            .iter()
            .filter_map(|key| Some((key.row, *by_id.get(&key.id)?)))
            .filter(|(_, row)| !masked.contains(*row))
            .collect();
        expected.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let (_store, file) = stored(&rows).await;
            met(&file, keys, Some(&masked)).await
        });
        prop_assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_file_gives_its_keys_back_in_the_order_of_the_ids() {
    let mut rows: Vec<Existing> = (0..10_000).map(|n| existing(n, n)).collect();
    let (_store, file) = stored(&rows).await;
    let mut read = Vec::new();
    file.for_each(|row| read.push(row)).await.unwrap();
    rows.sort_unstable();
    assert_eq!((file.len(), read), (10_000, rows));
}

#[tokio::test]
async fn keys_are_short() {
    let rows: Vec<Existing> = (0..200_000).map(|n| existing(n, n)).collect();
    let (store, _file) = stored(&rows).await;
    let size = store.head(&Path::from("keys/Patient/a.keys")).await.unwrap().size;
    assert!(size < 200_000 * 30, "{} bytes a row", size / 200_000);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_none_and_another_file_is_damaged() {
    let (store, _file) = stored(&[]).await;
    assert!(KeyFile::open(&store, &Path::from("keys/none")).await.unwrap().is_none());
    store.put(&Path::from("keys/text"), "no Parquet".into()).await.unwrap();
    assert!(KeyFile::open(&store, &Path::from("keys/text")).await.is_err());
}

#[tokio::test]
async fn an_empty_file_meets_nothing() {
    let (_store, file) = stored(&[]).await;
    assert!(file.is_empty());
    assert!(met(&file, vec![candidate(1, 0)], None).await.is_empty());
}
