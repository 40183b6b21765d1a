"""Makes the views in DuckDB by the script that `fhirlake views export` writes, and compares every row with `fhirlake query`.

See views.py for what is compared, over which lakes. Prints a line for each lake. Exits with 1 where anything differs, and says what.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from duckdb_views import DuckDb  # noqa: E402
from harness import Failed, Program  # noqa: E402
from views import Views, lakes  # noqa: E402


def main() -> int:
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fhirlake-views-") as work:
        for lake, version in lakes(Path(work)):
            engine, count, before = DuckDb(), 0, len(found)
            try:
                views = Views(Program(Path(work)), lake, version, engine)
                views.make()
                for _, rows, differences in views.differences():
                    found += [f"{lake.name}: {text}" for text in differences]
                    count += rows
            except Failed as failed:
                found.append(f"{lake.name}: {failed}")
                continue
            verdict = "agree" if len(found) == before else "DIFFER"
            print(f"{engine.name}, {lake.name}: {len(views.names)} views, {count} rows: {verdict}", flush=True)
    for text in found:
        print(text, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
