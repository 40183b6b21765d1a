"""What others make of a folder of NDJSON. Each function loads DATA into OUT, with all defaults but the number of threads.

python loaders.py NAME DATA OUT
"""

import sys
from pathlib import Path

THREADS = 2


def files(data: Path) -> list[Path]:
    return sorted(data.glob("*.ndjson"))


def pyarrow_delta(data: Path, out: Path) -> None:
    """pyarrow reads JSON (it guesses the types), deltalake writes a table for each file."""
    import deltalake
    import pyarrow
    from pyarrow import json

    pyarrow.set_cpu_count(THREADS)
    for file in files(data):
        table = json.read_json(file, json.ReadOptions(block_size=min(2**31 - 1, file.stat().st_size + 1)))
        deltalake.write_deltalake(str(out / file.stem), table)


def duckdb_parquet(data: Path, out: Path) -> None:
    """DuckDB's COPY to Parquet, types from a sample."""
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    for file in files(data):
        connection.execute(
            f"COPY (SELECT * FROM read_ndjson('{file}')) TO '{out / file.stem}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )


def polars_parquet(data: Path, out: Path) -> None:
    """Polars reads NDJSON with the types of all rows, and writes Parquet."""
    import polars

    for file in files(data):
        polars.read_ndjson(file, infer_schema_length=None).write_parquet(out / f"{file.stem}.parquet", compression="zstd")


LOADERS = {"pyarrow-delta": pyarrow_delta, "duckdb-parquet": duckdb_parquet, "polars-parquet": polars_parquet}

if __name__ == "__main__":
    name, data, out = sys.argv[1:]
    LOADERS[name](Path(data), Path(out))
