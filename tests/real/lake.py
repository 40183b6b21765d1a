"""A lake of one server, as a user fills and reads it."""

import json
import signal
import subprocess
import time
from pathlib import Path

from harness import Program, binary


class Lake(Program):
    """A lake that the program writes and reads. The program is called in the folder that the lake is in."""

    def __init__(self, path: Path, server: str):
        super().__init__(path.parent)
        self.path = path
        self.server = server

    def _export(self, *more: str) -> list[str]:
        return ["export", "--server", self.server, "--lake", str(self.path), "--max-poll-interval", "1s", *more]

    def export(self, *more: str, log: str | None = None) -> str:
        """One run of `fhirlake export`."""
        return self.run(*self._export(*more), log=log)

    def export_killed_once(self, noted: str, *more: str) -> int:
        """Starts an export and kills it as soon as it has noted something in its lake. Returns how it ended."""
        process = subprocess.Popen(
            [binary(), *self._export(*more)],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + self.TIMEOUT_SECONDS
        while not (self.path / noted).exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        return process.wait()

    def rows(self, sql: str) -> list[dict]:
        """The rows of a query."""
        return self.query(self.path, sql)

    def value(self, sql: str):
        """The one value of a query."""
        (row,) = self.rows(sql)
        (value,) = row.values()
        return value

    def exports(self) -> list[dict]:
        """The finished runs, oldest first."""
        return self.rows("SELECT * FROM _exports ORDER BY finished_at, seq")

    def raw(self, reference: str) -> dict:
        """A resource as the server sent it, out of the raw store."""
        return json.loads(self.run("raw", "get", "--lake", str(self.path), reference))
