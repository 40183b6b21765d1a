"""Downloads the files of a folder from a server on this machine, by curl and by the client of fhirlake, and compares them.

    python download.py DATA [--runs N] [--parallel N]…

curl is `curl | tee FILE | sha256sum`: it hashes, and looks at no line. The client hashes too, counts lines and looks at
each line's type. Both get the same files from the same server (Python's own, or --base URL of another one that serves the
folder), into an empty folder, and take turns; every run is a process of its own. Medians are shown: seconds on the clock and
of processors, and the client's as a multiple of curl's. FHIRLAKE_DOWNLOAD names the client's program:
`cargo build --release --example download -p fhir-bulk-client`.
"""

import argparse
import functools
import http.server
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = HERE.parents[1] / "target" / "release" / "examples" / "download"
CURL = 'curl --silent --show-error --fail "$0" | tee "$1" | sha256sum > "$1.sha256"'


class Quiet(http.server.SimpleHTTPRequestHandler):
    """The folder's files, without a word for each."""

    protocol_version = "HTTP/1.1"
    extensions_map = {".ndjson": "application/fhir+ndjson"}

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve(folder: Path) -> None:
    """Serves the folder until the process ends, and prints where. A process of its own: its seconds are nobody's."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def once(program: str, urls: list[str], parallel: int) -> tuple[float, float]:
    """Seconds on the clock and of processors of one download of all files."""
    with tempfile.TemporaryDirectory(prefix="fhirlake-compare-") as out:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        if program == "curl":
            jobs = "\0".join(part for n, url in enumerate(urls) for part in (url, f"{out}/{n}.ndjson"))
            command = ["xargs", "-0", "-n", "2", "-P", str(parallel), "bash", "-o", "pipefail", "-c", CURL]
            subprocess.run(command, input=jobs.encode(), check=True)
        else:
            client = os.environ.get("FHIRLAKE_DOWNLOAD", str(CLIENT))
            subprocess.run([client, out, str(parallel), *urls], check=True, stdout=subprocess.DEVNULL)
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        received = sum(file.stat().st_size for file in Path(out).glob("*.ndjson"))
        once.received.add(received)
        if len(once.received) > 1:
            raise SystemExit(f"{program}: other bytes than before: {once.received}")
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


once.received = set()


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parallel", type=int, action="append")
    parser.add_argument("--base")
    arguments = parser.parse_args()
    files = sorted(arguments.data.glob("*.ndjson"), key=lambda file: -file.stat().st_size)
    size = sum(file.stat().st_size for file in files)
    print(f"{len(files)} files, {size / 1e6:.0f} MB, {arguments.runs} runs of each, medians")
    server = None
    if arguments.base is None:
        command = [sys.executable, __file__, "--serve", str(arguments.data)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    base = arguments.base or server.stdout.readline().strip()
    urls = [f"{base.rstrip('/')}/{file.name}" for file in files]
    try:
        for parallel in arguments.parallel or [1, 4]:
            compare(urls, parallel, arguments.runs, size)
    finally:
        if server is not None:
            server.kill()


def compare(urls: list[str], parallel: int, runs: int, size: int) -> None:
    """Shows the medians of both with so many files at a time."""
    results: dict[str, list[tuple[float, float]]] = {"curl": [], "fhirlake": []}
    for _ in range(runs):
        for program, figures in results.items():
            figures.append(once(program, urls, parallel))
    middle = {
        program: [statistics.median(column) for column in zip(*figures)] for program, figures in results.items()
    }
    print(f"\n{parallel} at a time   seconds    MB/s   processors   of curl's clock   of its processors")
    for program, (wall, cpu) in middle.items():
        ratios = [wall / middle["curl"][0], cpu / middle["curl"][1]]
        print(f"{program:<12} {wall:9.2f} {size / 1e6 / wall:7.0f} {cpu:12.2f} {ratios[0]:16.2f}x {ratios[1]:18.2f}x")


if __name__ == "__main__":
    main()
