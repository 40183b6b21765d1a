"""Helios with authentication on: it verifies the tokens of an OAuth server that other people have written, too."""

import json
from collections import Counter
from pathlib import Path

from harness import Program, Verdicts
from lake import Lake
from oauth.server import Issuer
from scenarios import rows
from server import Helios

AUDIENCE = "https://helios.test/fhir"
# What Helios lists, all of it or to read, and what it does not know.
ALL, READ, VERSION_1 = "system/*.cruds", "system/*.rs", "system/*.read"
# Client → the scopes that it may have; each has a key of its own.
CLIENTS = {"rs384": [READ], "es384": [READ, ALL], "version-1": [VERSION_1]}
ALGORITHMS = {"rs384": "rs384", "es384": "es384", "version-1": "es384"}


def settings(issuer: str) -> dict[str, str]:
    """Helios' settings for an issuer."""
    return {
        "HFS_AUTH_ENABLED": "true",
        "HFS_AUTH_ISSUER": issuer,
        "HFS_AUTH_AUDIENCE": AUDIENCE,
        "HFS_AUTH_JWKS_URL": f"{issuer}/jwks",
        "HFS_SMART_TOKEN_ENDPOINT": f"{issuer}/token",
    }


def client(program: Program, name: str) -> dict:
    """A client with a new key, as it is registered: with what the program prints of the key."""
    program.run("keys", "generate", "--algorithm", ALGORITHMS[name], "-o", f"{name}.pem")
    jwks = json.loads(program.run("keys", "jwks", f"{name}.pem"))
    return {"client_id": name, "scope": " ".join(CLIENTS[name]), "jwks": jwks, "lifetime": 300}


def who(name: str) -> list[str]:
    return ["--client-id", name, "--key", f"{name}.pem"]


class Authorized:
    """The scenarios. `database` is the folder of the server that was loaded without authentication."""

    def __init__(self, work: Path, database: Path, verdicts: Verdicts):
        self.work, self.database = work, database
        self.check = verdicts.check

    def run(self, before: Lake, of: Counter) -> None:
        """Clients get in by their keys, and get what everybody got before; others get nothing."""
        program = Program(self.work)
        clients = [client(program, name) for name in CLIENTS]
        scopes = sorted({scope for scopes in CLIENTS.values() for scope in scopes})
        with Issuer(clients, scopes, AUDIENCE, self.work / "issuer.log") as issuer:
            with Helios(self.database, self.work / "authorized.log", settings(issuer.base)) as server:
                self.granted(program, server.base)
                self.exported(server.base, before, of)
                self.refused(program, server.base)

    def granted(self, program: Program, base: str) -> None:
        """Both algorithms get a token, for what the client is registered for."""
        for name in ("rs384", "es384"):
            said = program.json("check", "--server", base, *who(name))
            self.check(f"{name}: the scopes that are granted", said["scopes"], [READ])

    def exported(self, base: str, before: Lake, of: Counter) -> None:
        """An export brings what one without authentication brought; to read is not to delete."""
        expected = rows(before, list(of))
        kept = "the server keeps its job"
        for name, more, is_kept in [("rs384", [], True), ("es384", ["--scope", ALL], False)]:
            lake = Lake(self.work / f"lake-{name}", base)
            lake.export(*who(name), *more, log="info")
            told = any(kept in text for text in lake.printed)
            self.check(f"{name}: whether the job could not be deleted", told, is_kept)
            self.check(f"{name}: the rows are those that everybody got before", rows(lake, list(of)), expected)
            lake.export(*who(name), *more)
            first, second = lake.exports()
            self.check(f"{name}: then what changed since", second["since"], first["transaction_time"])
            self.check(f"{name}: which is nothing", rows(lake, list(of)), expected)

    def refused(self, program: Program, base: str) -> None:
        """Who has no token, or one that does not let read, is told so, and has no lake."""
        for what, arguments, words in [
            ("no token", [], "401"),
            ("a scope that Helios does not know", who("version-1"), "403"),
        ]:
            lake = self.work / "refused"
            done = program.call("export", "--server", base, "--lake", str(lake), *arguments)
            said = [line for line in done.stderr.splitlines() if words in line]
            self.check(f"{what}: exit code", done.returncode, 1)
            self.check(f"{what}: it is told", len(said) > 0, True)
            self.check(f"{what}: nothing is exported", (lake / "tables").exists(), False)
