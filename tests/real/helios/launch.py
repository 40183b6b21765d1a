"""Runs Helios on a free port of the loopback interface: `launch.py PROGRAM FOLDER`, its settings on the first line of standard
input, as JSON. Prints `READY <base URL>` when the server answers, and stops it when standard input ends: a test that dies
does not leave a server behind."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

START_SECONDS = 100
STOP_SECONDS = 10


def free_port() -> int:
    """A port that nobody listens on. Helios has to be told its own address, so it cannot choose one by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/metadata", timeout=10) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main() -> int:
    program, folder = sys.argv[1:]
    settings = json.loads(sys.stdin.readline())
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    own = {"HFS_SERVER_HOST": "127.0.0.1", "HFS_SERVER_PORT": str(port), "HFS_BASE_URL": base}
    others = {name: value for name, value in os.environ.items() if not name.startswith("HFS_")}
    server = subprocess.Popen([program], cwd=folder, env=others | own | settings, stdin=subprocess.DEVNULL)
    end = time.monotonic() + START_SECONDS
    while not answers(base):
        if server.poll() is not None or time.monotonic() > end:
            server.kill()
            return 1
        time.sleep(0.1)
    print(f"READY {base}", flush=True)
    sys.stdin.read()
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
    return 0


sys.exit(main())
