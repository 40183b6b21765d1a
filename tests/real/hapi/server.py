"""HAPI FHIR JPA on this machine: fetched once into the user's cache, started for one test, stopped with it."""

import hashlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
START_SECONDS = 300
MEMORY = "-Xmx1000m"


def cache() -> Path:
    """The folder of what was fetched and compiled; a change of the pom or the launcher makes another."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    source = b"".join((HERE / name).read_bytes() for name in ("pom.xml", "HapiServer.java"))
    return root / "fhirlake" / "hapi" / hashlib.sha256(source).hexdigest()[:12]


def install() -> Path:
    """Fetches the jars by Maven and compiles the launcher, unless that is done. Needs a JDK (17 or later) and Maven."""
    done = cache()
    if done.is_dir():
        return done
    for tool in ("mvn", "javac", "java"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not on the PATH: a JDK (17 or later) and Maven are needed")
    print(f"fetching HAPI FHIR (300 MB) into {done}", flush=True)
    new = done.with_name(f"{done.name}.{os.getpid()}")
    maven = ["mvn", "-B", "-q", "--strict-checksums", "-f", HERE / "pom.xml", "dependency:copy-dependencies"]
    subprocess.run([*maven, "-DincludeScope=runtime", f"-DoutputDirectory={new / 'lib'}"], check=True)
    javac = ["javac", "-nowarn", "-d", new / "classes", "-cp", f"{new / 'lib'}/*", HERE / "HapiServer.java"]
    subprocess.run(javac, check=True)
    try:
        new.rename(done)
    except OSError:
        # Another process was first.
        shutil.rmtree(new)
    return done


class Hapi:
    """A running server, to be used in a `with` statement. Its log goes to a file."""

    def __init__(self, log: Path):
        self.log = log
        self.base = ""
        self._ready = threading.Event()

    def __enter__(self) -> "Hapi":
        home = install()
        java = ["java", MEMORY, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{home / 'classes'}:{home / 'lib'}/*"]
        self._process = subprocess.Popen(
            [*java, "HapiServer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS) or not self.base:
            self.__exit__()
            raise SystemExit(f"HAPI did not start; its log is {self.log}")
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
