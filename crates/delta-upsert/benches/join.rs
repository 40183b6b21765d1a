//! What an upsert costs beyond its rows: sorting the keys of a change, and merging them with those of a table.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that fails has failed")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use delta_upsert::{Existing, IdHash, Key, KeyFile, KeyFileBuilder, KeyRuns, Version};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

const ROWS: u32 = 1_000_000;

fn id(n: u32) -> IdHash {
    IdHash::of(&format!("{n:08x}-resource"))
}

fn version(n: u32) -> Version {
    Version { at: 1_700_000_000_000_000 + i64::from(n % 1000) * 86_400_000_000, beyond: 0, seen: 1 }
}

fn key(n: u32) -> Key {
    Key { id: id(n), version: version(n), place: n.into(), row_hash: i64::from(n), file: 0, row: n }
}

fn table() -> KeyFileBuilder {
    let mut builder = KeyFileBuilder::default();
    for n in 0..ROWS {
        builder.push(Existing { id: id(n), version: version(n), row_hash: i64::from(n) * 31, row: n });
    }
    builder
}

fn sort(c: &mut Criterion) {
    let keys: Vec<Key> = (0..ROWS).map(key).collect();
    let mut group = c.benchmark_group("keys");
    group.throughput(Throughput::Elements(ROWS.into())).sample_size(10);
    group.bench_function("sort", |b| {
        b.iter_batched(
            || keys.clone(),
            |keys| {
                let mut runs = KeyRuns::default();
                runs.extend(keys);
                black_box(runs.finish().len())
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("write", |b| {
        b.iter_batched(table, |builder| black_box(builder.finish().unwrap().len()), BatchSize::LargeInput);
    });
    group.finish();
}

fn join(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = Path::from("keys");
    runtime.block_on(store.put(&path, table().finish().unwrap().into())).unwrap();
    let file = runtime.block_on(KeyFile::open(&store, &path)).unwrap().unwrap();
    let mut group = c.benchmark_group("join a million rows");
    group.sample_size(10);
    for (name, step) in [("with 10 changed", ROWS / 10), ("with 1 % changed", 100), ("with all changed", 1)] {
        let mut runs = KeyRuns::default();
        runs.extend((0..ROWS).step_by(step as usize).map(key));
        let chunks: Vec<Vec<Key>> = runs.finish().chunks(1 << 30).unwrap().map(Result::unwrap).collect();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut met = 0;
                for chunk in &chunks {
                    runtime.block_on(file.join(chunk, None, |keys, _| met += keys.len())).unwrap();
                }
                assert_eq!(met, (ROWS / step) as usize);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sort, join);
criterion_main!(benches);
