"""What a change costs: a scattered hundredth of a folder of NDJSON, into a lake of that folder and into one of ten times as much.

    python upsert.py DATA [--times 10]

DATA has `*.ndjson` files. Reported are, of the change: the seconds of processors, the peak of memory, and the bytes that were
written below `tables/` and `keys/`; beside them what the changed rows cost by themselves (their load into an empty lake, and
its Parquet), and a load of files in which nothing has changed. The bounds that they are held to are in `bounds`.
FHIRLAKE_BIN names the program (a release build).
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = os.environ.get("FHIRLAKE_BIN", str(Path(__file__).resolve().parents[2] / "target" / "release" / "fhirlake"))


def derive(data: Path, to: Path, line) -> None:
    """Files with what `line` makes of each line (file's name, number, bytes)."""
    to.mkdir(parents=True)
    for source in sorted(data.glob("*.ndjson")):
        with source.open("rb") as lines, (to / source.name).open("wb") as out:
            for number, text in enumerate(lines):
                out.write(line(number, text))


def changed(number: int, text: bytes) -> bytes:
    """Every hundredth resource with another language, nothing else."""
    if number % 100 or not text.startswith(b'{"resourceType"'):
        return b""
    comma = text.index(b",") + 1
    return text[:comma] + b'"language":"en",' + text[comma:]


def copy(n: int):
    """The resource under another id."""
    return lambda _, text: text.replace(b'"id":"', b'"id":"%d-' % n, 1) if n else text


def ingest(lake: Path, *folders: Path) -> dict[str, float]:
    before = {file for file in files(lake)}
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    script = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [PROGRAM, "ingest", "--lake", str(lake), *map(str, folders)]
    done = subprocess.run(["python3", "-c", script, *command], check=True, capture_output=True, text=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    new = [file for file in files(lake) if file not in before]
    return {
        "wall": wall,
        "cpu": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "peak MB": int(done.stdout) / 1e3,
        "written MB": sum(file.stat().st_size for file in new) / 1e6,
        "parquet MB": sum(file.stat().st_size for file in new if file.suffix == ".parquet") / 1e6,
        "commits": sum(1 for file in new if file.suffix == ".json" and not file.parts[-3].startswith("_")),
    }


def files(lake: Path) -> list[Path]:
    return [file for part in ("tables", "keys") for file in (lake / part).rglob("*") if file.is_file()]


def leaves(lake: Path) -> dict[str, int]:
    import deltalake

    def count(kind) -> int:
        if hasattr(kind, "fields"):
            return sum(count(field.type) for field in kind.fields)
        return count(kind.element_type) if hasattr(kind, "element_type") else 1

    tables = [table for table in (lake / "tables").iterdir() if not table.name.startswith("_")]
    return {table.name: sum(count(field.type) for field in deltalake.DeltaTable(str(table)).schema().fields) for table in tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fhirlake-cost-") as folder:
        room = Path(folder)
        derive(arguments.data, room / "change", changed)
        # The same lines in other files.
        derive(arguments.data, room / "again", lambda _, text: text + b"\n")
        rows = {"load": ingest(room / "lake", arguments.data)}
        rows["nothing new"] = ingest(room / "lake", room / "again")
        rows["change"] = ingest(room / "lake", room / "change")
        rows["change alone"] = ingest(room / "alone", room / "change")
        more = [arguments.data]
        for n in range(1, arguments.times):
            derive(arguments.data, room / f"more-{n}", copy(n))
            more.append(room / f"more-{n}")
        rows[f"load x {arguments.times}"] = ingest(room / "large", *more)
        rows[f"change of x {arguments.times}"] = ingest(room / "large", room / "change")
        print(f"{'':18}" + "".join(f"{name:>12}" for name in rows["load"]))
        for name, figures in rows.items():
            print(f"{name:18}" + "".join(f"{value:12.2f}" for value in figures.values()))
        bounds(rows, leaves(room / "lake"), f"change of x {arguments.times}")


def bounds(rows: dict[str, dict[str, float]], leaves: dict[str, int], large: str) -> None:
    """Bytes: three times the changed rows' Parquet and 200 for each leaf of a table. Processors: 15 ms for each table and five
    times what the rows cost by themselves."""
    change, alone = rows["change"], rows["change alone"]
    bytes_bound = 3 * alone["parquet MB"] + 200 * sum(leaves.values()) / 1e6
    print(f"written {change['written MB']:.2f} MB of at most {bytes_bound:.2f}")
    print(f"processors {change['cpu']:.2f} s of at most {0.015 * len(leaves) + 5 * alone['cpu']:.2f}")
    print(f"written of ten times the data / of it: {rows[large]['written MB'] / change['written MB']:.2f}")
    print(f"nothing new: {rows['nothing new']['commits']:.0f} commits to tables")


if __name__ == "__main__":
    main()
