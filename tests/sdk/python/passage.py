"""How a test tells that an answer came through the gate, and under which pools."""

import re


def assert_through_gate(raw, *pools):
    """Asserts that the gate forwarded this answer once, charging exactly `pools`."""
    headers = raw.headers
    assert headers["x-tidegate-source"] == "upstream"
    assert headers["x-tidegate-attempts"] == "1"
    assert headers["x-tidegate-route"]
    assert headers["x-tidegate-wait-ms"].isdigit()
    assert re.search(r"\btidegate;dur=[\d.]+", headers["server-timing"])
    assert pools_of(headers) == set(pools)


def pools_of(headers):
    """The names of the pools that the request was charged to."""
    return {name for name in re.split(r"[,\s]+", headers.get("x-tidegate-pools", "")) if name}
