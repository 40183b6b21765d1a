"""oidc-provider and the FHIR server that asks it, in one process on this machine: fetched once into the user's cache."""

import hashlib
import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = ("package.json", "package-lock.json", "server.mjs")
START_SECONDS = 60


def cache() -> Path:
    """The folder of what was fetched; a change of the packages or the script makes another."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    source = b"".join((HERE / name).read_bytes() for name in SOURCES)
    return root / "fhirlake" / "oauth" / hashlib.sha256(source).hexdigest()[:12]


def install() -> Path:
    """Fetches the packages by npm, as the lock file has them, unless that is done. Needs Node.js and npm."""
    done = cache()
    if done.is_dir():
        return done
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not on the PATH: Node.js (20 or later) and npm are needed")
    print(f"fetching oidc-provider (4 MB) into {done}", flush=True)
    new = done.with_name(f"{done.name}.{os.getpid()}")
    new.mkdir(parents=True)
    for name in SOURCES:
        shutil.copy(HERE / name, new)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=new, check=True)
    try:
        new.rename(done)
    except OSError:
        # Another process was first.
        shutil.rmtree(new)
    return done


class Servers:
    """Both servers, to be used in a `with` statement. `clients` are those that the OAuth server knows."""

    def __init__(self, clients: list[dict], log: Path):
        self.clients = clients
        self.log = log
        self.base = ""
        self._ready = threading.Event()

    def __enter__(self) -> "Servers":
        self._process = subprocess.Popen(
            ["node", install() / "server.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._process.stdin.write(json.dumps({"clients": self.clients}) + "\n")
        self._process.stdin.flush()
        if not self._ready.wait(START_SECONDS) or not self.base:
            self.__exit__()
            raise SystemExit(f"the servers did not start:\n{self.log.read_text()}")
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

    def status(self, path: str, token: str | None = None) -> int:
        """The status of the FHIR server's answer to a GET."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.base}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def journal(self) -> dict:
        """What the servers were sent so far, and which tokens were given."""
        with urllib.request.urlopen(self.base.removesuffix("/fhir") + "/journal", timeout=30) as answer:
            return json.load(answer)
