"""The windows an upstream may count in: how the stand-in is told, what is ideal, and what the gate must reach."""

from dataclasses import dataclass
from math import ceil

LIMIT = 300


@dataclass(frozen=True)
class Batch:
    """So many POSTs, so many of them at once, against `LIMIT` in a minute of so many seconds."""

    requests: int
    at_once: int
    minute: float


@dataclass(frozen=True)
class Window:
    """One way to count `LIMIT` a minute; `burst` is the bucket's, and None where windows are counted.

    The targets are the gate's: refusals as a share of the batch, and seconds as a multiple of the ideal.
    """

    name: str
    mock: tuple[str, ...]
    burst: int | None = None
    refusals: float = 0.0
    times: float = 1.05

    def ideal(self, batch):
        """The seconds in which a sender who knows how the upstream counts, but not since when, can send the batch.

        Windows: a whole limit at once, and the last one when all but it have left the window. A bucket: its burst at
        once, and the rest at the rate. The answers take no time.

        Windows on a clock are held to the same: who knew their phase would go at once, again when the clock turns,
        which may be the next moment, and so on. But the phase cannot be seen from outside.
        """
        if self.burst is None:
            return (ceil(batch.requests / LIMIT) - 1) * batch.minute
        return max(batch.requests - self.burst, 0) / LIMIT * batch.minute


WINDOWS = {
    "fixed": Window("fixed", ("--window", "fixed")),
    "fixed-clock": Window("fixed, on a clock*", ("--window", "fixed-clock")),
    "sliding": Window("sliding", ("--window", "sliding")),
    "counting": Window("sliding, refusals count", ("--window", "sliding", "--count-denied")),
    "bucket": Window("bucket, burst 10", ("--window", "bucket", "--burst", "10"), burst=10, times=1.03),
    "one-by-one": Window("one by one", ("--window", "bucket", "--burst", "1"), burst=1, refusals=0.01, times=1.10),
}
