"""Starts Tidegate's programs on free ports, reads where they listen, and stops them by process id."""

import json
import os
import select
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.path.abspath(os.environ.get("TIDEGATE") or ROOT / "target/debug/tidegate")
# When a test is taken to hang. Nothing waits this long: it is generous for a machine that is busy.
HANGS = 150.0


def eventually(condition, what):
    """Polls `condition` until it holds and returns what it gave; fails with `what` if it never does."""
    deadline = time.monotonic() + HANGS
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"this does not come: {what}")
        time.sleep(0.01)
    return found


def get_json(url, method="GET"):
    """The JSON that `url` answers with, or None for an empty answer."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=HANGS) as answer:
        return json.loads(answer.read() or "null")


class Program:
    """A child process that says `listening on http://ADDR` (and `admin on …`) on its standard output."""

    says = ("listening",)

    def __init__(self, command, *options):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [BINARY, command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )
        try:
            self.addresses = self._read_addresses()
        except BaseException:
            self.stop()
            raise
        self.url = self.addresses["listening"]

    def _read_addresses(self):
        deadline, said, addresses = time.monotonic() + HANGS, b"", {}
        stdout = self.process.stdout.fileno()
        while not addresses.keys() >= set(self.says):
            ready, _, _ = select.select([stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(stdout, 4096) if ready else b""
            if not chunk:
                raise RuntimeError(f"{self.process.args} did not start: {said!r}\n{self.logged()}")
            said += chunk
            addresses = dict(line.split(" on ", 1) for line in said.decode().splitlines() if " on http" in line)
        return addresses

    @property
    def pid(self):
        return self.process.pid

    def logged(self):
        """What the program has written to its standard error so far."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def terminate(self):
        """Asks the program to end, as an orchestrator would."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends the program whatever it is doing and returns its exit code."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        return self.process.wait(HANGS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Mock(Program):
    """The stand-in upstream."""

    def __init__(self, *options):
        super().__init__("mock", "--listen", "127.0.0.1:0", *options)

    def stats(self):
        """Arrivals, admitted and denied, in all and for each pool."""
        return get_json(f"{self.url}/__mock/stats")

    def reset(self):
        """Forgets every arrival and every pool's use."""
        get_json(f"{self.url}/__mock/reset", method="POST")


class Gate(Program):
    """Tidegate before `upstream`."""

    says = ("listening", "admin")

    def __init__(self, upstream, *options):
        super().__init__(
            "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream, *options
        )

    def status(self):
        """The gate's snapshot of itself."""
        return get_json(f"{self.addresses['admin']}/status")

    def wait_for_waiting(self, count):
        """Returns once exactly `count` requests wait in the gate."""
        eventually(lambda: self.status()["waiting"] == count, f"{count} waiting in the gate")
