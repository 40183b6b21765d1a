"""What the tests against other people's programs share: fhirlake as a user calls it, the verdicts of a scenario, and programs
that are fetched once and started for one test.

Only Python's standard library is used, and nothing here knows what is tested.
"""

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample"
STARTED = time.monotonic()
# How much of a value is shown where it is not what it must be.
SHOWN = 600


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


class Failed(Exception):
    """A part of a scenario cannot go on. The text has all that is needed to do the same by hand."""


class Verdicts:
    """What was looked at, and what of it was not as it must be."""

    def __init__(self):
        self.failures: list[str] = []

    def check(self, what: str, actual, expected) -> None:
        """Notes whether something is as it must be."""
        if actual == expected:
            say(f"ok    {what}")
        else:
            self.failed(what, f"\n        expected {shown(expected)}\n        found    {shown(actual)}")

    def failed(self, what: str, why: str) -> None:
        """Notes what is not as it must be."""
        self.failures.append(what)
        say(f"FAIL  {what}{why}")

    def scenario(self, name: str, run: Callable, *arguments) -> None:
        """Runs one part; a command that fails ends the part, and the others still run."""
        say(f"== {name}")
        try:
            run(*arguments)
        except Failed as failed:
            self.failed(name, f": {failed}")

    def exit_code(self) -> int:
        """Says how it went. 1 where anything failed."""
        say(f"{len(self.failures)} failed: {'; '.join(self.failures)}" if self.failures else "all passed")
        return 1 if self.failures else 0


def shown(value) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def binary() -> str:
    """`FHIRLAKE_BIN`, else the debug build."""
    found = Path(os.environ.get("FHIRLAKE_BIN") or ROOT / "target" / "debug" / "fhirlake").absolute()
    if not os.access(found, os.X_OK):
        raise SystemExit(f"{found} is no program: build it (cargo build), or name it by FHIRLAKE_BIN")
    return str(found)


class Program:
    """fhirlake, called in one folder and with none of the user's settings. All that it ever prints is kept."""

    TIMEOUT_SECONDS = 900

    def __init__(self, folder: Path):
        self.folder = folder
        self.printed: list[str] = []

    def environment(self) -> dict[str, str]:
        """The environment without settings of fhirlake's."""
        return {name: value for name, value in os.environ.items() if not name.startswith("FHIRLAKE_")}

    def call(self, *arguments: str, log: str | None = None) -> subprocess.CompletedProcess:
        """Runs the program to its end, however it ends. `log` says what it logs to standard error."""
        environment = self.environment() | ({} if log is None else {"FHIRLAKE_LOG": log})
        done = subprocess.run(
            [binary(), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=self.TIMEOUT_SECONDS,
        )
        self.printed += [done.stdout, done.stderr]
        return done

    def run(self, *arguments: str, log: str | None = None) -> str:
        """Runs the program, which must succeed. Returns its standard output."""
        done = self.call(*arguments, log=log)
        if done.returncode != 0:
            command = " ".join([binary(), *arguments])
            said = f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
            raise Failed(f"$ {command}\nexit code {done.returncode}\n{said}")
        return done.stdout

    def json(self, *arguments: str, log: str | None = None):
        """Runs the program, which must succeed. Returns what it answers in the format `json`."""
        return json.loads(self.run(*arguments, "--format", "json", log=log))

    def query(self, lake: str | Path, sql: str, *more: str) -> list[dict]:
        """The rows of a query."""
        return self.json("query", "--lake", str(lake), *more, sql)


def installed(name: str, sources: list[Path], tools: dict[str, str], size: str, fetch: Callable[[Path], None]) -> Path:
    """A folder of the user's cache with what `fetch` has put into it, once: a change of the `sources` makes another one.

    `tools` are the programs that it takes, each with what to install where it is missing.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    done = root / "fhirlake" / name / version
    if done.is_dir():
        return done
    for tool, wanted in tools.items():
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not on the PATH: {wanted} is needed")
    print(f"fetching {name} ({size}) into {done}", flush=True)
    new = done.with_name(f"{done.name}.{os.getpid()}")
    new.mkdir(parents=True)
    fetch(new)
    try:
        new.rename(done)
    except OSError:
        # Another process was first.
        shutil.rmtree(new)
    return done


JDK = {tool: "a JDK (17 or later) with Maven" for tool in ("mvn", "javac", "java")}


def fetch_java(pom: Path, source: Path) -> Callable[[Path], None]:
    """Fetches the jars of a pom by Maven, into `lib`, and compiles a launcher, into `classes`."""

    def fetch(into: Path) -> None:
        maven = ["mvn", "-B", "-q", "--strict-checksums", "-f", pom, "dependency:copy-dependencies"]
        subprocess.run([*maven, "-DincludeScope=runtime", f"-DoutputDirectory={into / 'lib'}"], check=True)
        javac = ["javac", "-nowarn", "-d", into / "classes", "-cp", f"{into / 'lib'}/*", source]
        subprocess.run(javac, check=True)

    return fetch


class Service:
    """A process that prints `READY <base URL>`, and ends with its standard input; to be used in a `with` statement."""

    def __init__(self, command: list, log: Path, start_seconds: int, first_line: str = ""):
        self.command = command
        self.log = log
        self.start_seconds = start_seconds
        self.first_line = first_line
        self.base = ""
        self._ready = threading.Event()

    def __enter__(self):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._process.stdin.write(self.first_line)
        self._process.stdin.flush()
        if not self._ready.wait(self.start_seconds) or not self.base:
            self.__exit__()
            raise SystemExit(f"{self.command[0]} did not start:\n{self.log.read_text()}")
        return self

    def _read(self) -> None:
        with self.log.open("w") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                if line.startswith("READY "):
                    self.base = line.split()[1]
                    self._ready.set()
        # It ended: whoever waits for it need not wait any longer.
        self._ready.set()

    def __exit__(self, *_exception) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
