"""Asks the same questions of a lake and of the Parquet files that DuckDB makes of the same NDJSON by itself.

    python queries.py DATA [--runs N]

Both are loaded first. Then every question is asked of both in turn, each time by a process of its own, which opens the
data, answers and ends. What a process takes to start and to answer `SELECT 1` is measured and taken off. Answers must be
equal.
FHIRLAKE_BIN names the program (a release build).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Name → what fhirlake is asked, what DuckDB is asked of its own files. Nested columns are reached as each allows it.
QUESTIONS = {
    "values by code": (
        """SELECT code.coding[1]['code'] AS code, count(*) AS n, round(avg(valueQuantity.__value_double), 6) AS mean
           FROM Observation WHERE valueQuantity.value IS NOT NULL GROUP BY 1 ORDER BY n DESC, code LIMIT 20""",
        """SELECT code.coding[1].code AS code, count(*) AS n, round(avg(valueQuantity.value), 6) AS mean
           FROM '{parquet}/Observation.parquet' WHERE valueQuantity.value IS NOT NULL GROUP BY 1 ORDER BY n DESC, code LIMIT 20""",
    ),
    "one patient's observations": (
        """SELECT id, code.coding[1]['code'] AS code, effectiveDateTime AS at FROM Observation
           WHERE subject.reference = 'Patient/{patient}' ORDER BY id""",
        """SELECT CAST(id AS VARCHAR) AS id, code.coding[1].code AS code, effectiveDateTime AS at FROM '{parquet}/Observation.parquet'
           WHERE subject.reference = 'Patient/{patient}' ORDER BY id""",
    ),
    "conditions by sex": (
        """SELECT c.code.coding[1]['display'] AS name, p.gender AS sex, count(DISTINCT p.id) AS patients
           FROM Condition c JOIN Patient p ON c.subject.reference = 'Patient/' || p.id
           GROUP BY 1, 2 ORDER BY patients DESC, name, sex LIMIT 20""",
        """SELECT c.code.coding[1].display AS name, p.gender AS sex, count(DISTINCT p.id) AS patients
           FROM '{parquet}/Condition.parquet' c JOIN '{parquet}/Patient.parquet' p
           ON c.subject.reference = 'Patient/' || CAST(p.id AS VARCHAR)
           GROUP BY 1, 2 ORDER BY patients DESC, name, sex LIMIT 20""",
    ),
}

DUCKDB = """
import duckdb, json, sys
connection = duckdb.connect(config={"threads": 2})
answer = connection.execute(sys.argv[1])
names = [column[0] for column in answer.description]
for row in answer.fetchall():
    print(json.dumps(dict(zip(names, [str(cell) if cell is not None and not isinstance(cell, (int, float)) else cell for cell in row]))))
"""


def timed(command: list[str]) -> tuple[float, str]:
    start = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - start, done.stdout


def comparable(answer: str) -> list:
    """The rows of an answer; points in time by their first 19 characters, since DuckDB drops what is behind them."""
    rows = [json.loads(line) for line in answer.splitlines()]
    return [{k: str(v)[:19].replace("T", " ") if k == "at" else v for k, v in row.items()} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    fhirlake = os.environ.get("FHIRLAKE_BIN", str(HERE.parents[1] / "target" / "release" / "fhirlake"))
    with tempfile.TemporaryDirectory(prefix="fhirlake-compare-") as folder:
        lake, parquet = f"{folder}/lake", f"{folder}/parquet"
        os.mkdir(parquet)
        subprocess.run([fhirlake, "ingest", "--lake", lake, str(arguments.data)], check=True, capture_output=True)
        subprocess.run([sys.executable, str(HERE / "loaders.py"), "duckdb-parquet", str(arguments.data), parquet], check=True)
        _, patient = timed([fhirlake, "query", "--lake", lake, "--format", "csv", "SELECT min(id) FROM Patient"])
        patient = patient.splitlines()[1]
        asked = ([fhirlake, "query", "--lake", lake, "--format", "ndjson"], [sys.executable, "-c", DUCKDB])
        starts = [statistics.median(timed([*it, "SELECT 1"])[0] for _ in range(arguments.runs)) for it in asked]
        print(f"medians of {arguments.runs}; without the start: {starts[0]:.3f} s of fhirlake, {starts[1]:.3f} s of DuckDB")
        print(f"{'question':28} {'fhirlake s':>10} {'duckdb s':>9}  ours / its")
        for name, (ours, theirs) in QUESTIONS.items():
            ours, theirs = (text.format(parquet=parquet, patient=patient) for text in (ours, theirs))
            times: tuple[list, list] = ([], [])
            for _ in range(arguments.runs):
                mine, other = timed([*asked[0], ours]), timed([*asked[1], theirs])
                if comparable(mine[1]) != comparable(other[1]):
                    raise SystemExit(f"{name}: the answers differ:\n{mine[1][:400]}\n{other[1][:400]}")
                times[0].append(mine[0] - starts[0])
                times[1].append(other[0] - starts[1])
            a, b = (statistics.median(figures) for figures in times)
            print(f"{name:28} {a:10.3f} {b:9.3f}  {a / b:.2f}")


if __name__ == "__main__":
    main()
