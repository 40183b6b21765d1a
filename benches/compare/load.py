"""Loads one folder of NDJSON by several programs, in turn, and compares them with fhirlake.

    python load.py DATA [--runs N] [--only NAME]…

Every run is a process of its own with an empty output folder and the page cache warm; the programs take turns, so that a
machine that slows down slows all of them. Medians are shown: seconds on the clock, seconds of processors, peak memory, and
what lies on disk. fhirlake keeps the raw bytes too, and they are counted. FHIRLAKE_BIN names the program (a release build).
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def commands(data: Path) -> dict[str, list[str]]:
    """The programs: `{out}` is where each writes."""
    fhirlake = os.environ.get("FHIRLAKE_BIN", str(HERE.parents[1] / "target" / "release" / "fhirlake"))
    all_commands = {"fhirlake": [fhirlake, "ingest", "--lake", "{out}/lake", str(data)]}
    for name in ("pyarrow-delta", "duckdb-parquet", "polars-parquet"):
        all_commands[name] = [sys.executable, str(HERE / "loaders.py"), name, str(data), "{out}"]
    return all_commands


def once(command: list[str]) -> dict[str, float]:
    """Runs a command. The figures of a child are those of the kernel."""
    with tempfile.TemporaryDirectory(prefix="fhirlake-compare-") as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        process = subprocess.Popen([part.replace("{out}", out) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, error = process.communicate()
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            raise SystemExit(f"{command[0]}: exit code {process.returncode}: {error.decode()[-400:]}")
        disk = sum(file.stat().st_size for file in Path(out).rglob("*") if file.is_file())
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"wall": wall, "cpu": cpu, "disk": disk / 1e6}


def peak(command: list[str]) -> float:
    """The peak memory of a command, in MB: measured by itself, since the kernel keeps the largest child's only."""
    with tempfile.TemporaryDirectory(prefix="fhirlake-compare-") as out:
        script = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        arguments = [part.replace("{out}", out) for part in command]
        done = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
        return int(done.stdout) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", default=[])
    arguments = parser.parse_args()
    size = sum(file.stat().st_size for file in arguments.data.glob("*.ndjson")) / 1e6
    chosen = {name: command for name, command in commands(arguments.data).items() if not arguments.only or name in arguments.only}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    for number in range(arguments.runs + 1):
        for name, command in chosen.items():
            figures = once(command)
            if number > 0:  # the first one warms the page cache
                runs[name].append(figures)
    print(f"{size:.0f} MB of NDJSON, medians of {arguments.runs}")
    print(f"{'program':16} {'wall s':>7} {'cpu s':>7} {'peak MB':>8} {'disk MB':>8} {'MB/s':>6}  wall of fhirlake / its")
    ours = statistics.median(run["wall"] for run in runs["fhirlake"]) if "fhirlake" in runs else None
    for name, figures in runs.items():
        median = {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        ratio = f"{ours / median['wall']:.2f}" if ours else ""
        print(
            f"{name:16} {median['wall']:7.2f} {median['cpu']:7.2f} {peak(chosen[name]):8.0f} {median['disk']:8.0f} "
            f"{size / median['wall']:6.0f}  {ratio}"
        )


if __name__ == "__main__":
    main()
