"""The program under test, as a user calls it. All that it ever prints is kept."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 300


def binary() -> str:
    """`FHIRLAKE_BIN`, else the debug build."""
    found = Path(os.environ.get("FHIRLAKE_BIN") or ROOT / "target" / "debug" / "fhirlake").absolute()
    if not os.access(found, os.X_OK):
        raise SystemExit(f"{found} is no program: build it (cargo build), or name it by FHIRLAKE_BIN")
    return str(found)


class Failed(Exception):
    """The program ended with another exit code than 0. The text has all that is needed to do the same by hand."""


class Program:
    """The program, called in one folder and with none of the user's settings."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.printed: list[str] = []

    def call(self, *arguments: str, log: str | None = None) -> subprocess.CompletedProcess:
        """Runs the program to its end, however it ends. `log` says what it logs to standard error."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FHIRLAKE_")}
        if log is not None:
            environment["FHIRLAKE_LOG"] = log
        done = subprocess.run(
            [binary(), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        self.printed += [done.stdout, done.stderr]
        return done

    def run(self, *arguments: str, log: str | None = None) -> str:
        """Runs the program, which must succeed. Returns its standard output."""
        done = self.call(*arguments, log=log)
        if done.returncode != 0:
            shown = " ".join([binary(), *arguments])
            raise Failed(f"$ {shown}\nexit code {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
        return done.stdout

    def json(self, *arguments: str, log: str | None = None):
        """Runs the program, which must succeed. Returns what it answers in the format `json`."""
        return json.loads(self.run(*arguments, "--format", "json", log=log))
