"""A reload every second under saturation: limits are lowered and raised in turn, and with them a route comes and goes."""

import os
import tempfile
import time
import urllib.request
from pathlib import Path

from crowd import Crowd
from programs import Gate, Mock, get_json

SPAN, HIGH, LOW = 6.0, 300, 240
SECONDS = int(os.environ.get("SECONDS_OF_RELOADS", "180"))


def config(limit):
    route = '[[routes]]\nmatch = "POST /v1/other"\npools = ["posts"]\n' if limit == LOW else ""
    return (
        f'extends = "none"\n[server]\nwatch = false\n[store]\npath = "off"\n[upstream]\nlearn = false\n[pools.posts]\nrequests = ["{limit}/6s"]\n'
        f'max_wait = "60s"\n[[routes]]\nmatch = "POST /v1/threads"\npools = ["posts"]\n{route}'
    )


def greedy(reloads, end):
    """How many go by `end` if each goes as soon as the limit of the moment has room, where a sliding window has a margin."""
    step, span = 0.005, SPAN + 0.25
    sent, first, limit, at, changes = [], 0, HIGH, 0.0, list(reloads)
    while at < end:
        while changes and changes[0][0] <= at:
            limit = changes.pop(0)[1]
        while first < len(sent) and sent[first] + span <= at:
            first += 1
        sent += [at] * max(0, limit - (len(sent) - first))
        at += step
    return len(sent)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path, judge = Path(folder, "tidegate.toml"), Path(folder, "mock.toml")
        path.write_text(config(HIGH))
        judge.write_text(config(HIGH))
        with Mock("--config", str(judge), "--window", "sliding") as mock, Gate(mock.url, "--config", str(path), "--log", "warn") as gate:
            admin = gate.addresses["admin"]
            crowd, began, reloads = Crowd(int(gate.url.rsplit(":", 1)[1]), 120), time.monotonic(), []
            for nth in range(1, SECONDS + 1):
                time.sleep(max(0, began + nth - time.monotonic()))
                limit = LOW if nth % 2 else HIGH
                path.write_text(config(limit))
                urllib.request.urlopen(urllib.request.Request(f"{admin}/config/reload", method="PUT"), timeout=60).read()
                reloads.append((time.monotonic() - began, limit))
            elapsed = time.monotonic() - began
            admitted, status = mock.stats(), get_json(f"{admin}/status")
            could = greedy(reloads, elapsed)
            crowd.end()
            used = admitted["admitted"] / could
            print(f"reloads: {len(reloads)} in {elapsed:.0f} s, generation {status['reload']['generation']}")
            print(f"upstream: {admitted['admitted']} admitted of {could} that could go ({used:.1%}), {admitted['denied']} refused")
            print(f"clients: {crowd.answers} answers, {len(crowd.failed)} failures {crowd.failed[:3]}, {crowd.closed} connections closed")
            assert status["reload"]["generation"] == len(reloads) + 1, status["reload"]
            assert admitted["denied"] == 0 and not crowd.failed and crowd.closed == 0
            assert used >= 0.98, f"{used:.1%}"


main()
