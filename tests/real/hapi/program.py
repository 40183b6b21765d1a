"""The program under test, as a user calls it."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 900


def binary() -> str:
    """`FHIRLAKE_BIN`, else the debug build."""
    found = Path(os.environ.get("FHIRLAKE_BIN") or ROOT / "target" / "debug" / "fhirlake")
    if not os.access(found, os.X_OK):
        raise SystemExit(f"{found} is no program: build it (cargo build), or name it by FHIRLAKE_BIN")
    return str(found)


class Failed(Exception):
    """The program ended with another exit code than 0. The text has all that is needed to do the same by hand."""


class Lake:
    """A lake that the program writes and reads."""

    def __init__(self, folder: Path, server: str):
        self.folder = folder
        self.server = server

    def run(self, *arguments: str) -> str:
        """Runs the program to its end. Returns its standard output."""
        command = [binary(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        if done.returncode != 0:
            shown = " ".join(command)
            raise Failed(f"$ {shown}\nexit code {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
        return done.stdout

    def _export(self, *more: str) -> list[str]:
        return ["export", "--server", self.server, "--lake", str(self.folder), "--max-poll-interval", "1s", *more]

    def export(self, *more: str) -> str:
        """One run of `fhirlake export`."""
        return self.run(*self._export(*more))

    def export_killed_once(self, noted: str, *more: str) -> int:
        """Starts an export and kills it as soon as it has noted something in its lake. Returns how it ended."""
        process = subprocess.Popen([binary(), *self._export(*more)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + TIMEOUT_SECONDS
        while not (self.folder / noted).exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        return process.wait()

    def query(self, sql: str) -> list[dict]:
        """The rows of a query."""
        return json.loads(self.run("query", "--lake", str(self.folder), "--format", "json", sql))

    def value(self, sql: str):
        """The one value of a query."""
        (row,) = self.query(sql)
        (value,) = row.values()
        return value

    def exports(self) -> list[dict]:
        """The finished runs, oldest first."""
        return self.query("SELECT * FROM _exports ORDER BY finished_at, seq")

    def raw(self, reference: str) -> dict:
        """A resource as the server sent it, out of the raw store."""
        return json.loads(self.run("raw", "get", "--lake", str(self.folder), reference))
