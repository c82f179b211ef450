"""Prints what a batch of POSTs meets: ways of sending by upstream windows, and what of its targets the gate misses."""

import argparse
import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import openai
from programs import Mock
from ways import WAYS, direct, pool
from windows import LIMIT, WINDOWS, Batch

FOOTNOTES = """\
A cell: answered / refused by the upstream / seconds / multiple of the ideal in the head, where all were answered.
The ideal is that of a sender who cannot know since when the upstream counts, and whose calls take no time themselves;
here {limit} of them take the client alone {client:.2f} s, and that is in every time above.
* Who knew the clock's phase could be faster, but it cannot be seen: the multiple is of the trailing window's ideal."""

# Both are the SDK's own; None is what it takes unasked, and aiohttp costs it less than half as much a call.
TRANSPORTS = {"httpx": lambda: None, "aiohttp": openai.DefaultAioHttpClient}


@dataclass(frozen=True)
class Cell:
    """What became of one batch."""

    answered: int
    refused: int
    seconds: float

    def text(self, window, batch):
        """The cell as the table shows it."""
        ideal = window.ideal(batch)
        times = f"{self.seconds / ideal:.3f}x" if ideal and self.answered == batch.requests else "-"
        return f"{self.answered}/{self.refused}/{self.seconds:.2f}/{times}"

    def misses(self, window, batch):
        """What of the gate's targets is not reached."""
        ideal, most_refused = window.ideal(batch), int(window.refusals * batch.requests)
        if self.answered < batch.requests:
            yield f"{self.answered} of {batch.requests} answered"
        if self.refused > most_refused:
            yield f"{self.refused} refusals, at most {most_refused}"
        if self.seconds > window.times * ideal > 0:
            yield f"{self.seconds / ideal:.3f} times the ideal, at most {window.times}"


async def send(url, batch, transport, deadline):
    """Sends the batch with the SDK as it comes; returns how many were answered in what time, by the deadline.

    Before the clock starts the client has opened its connections, by asking for something that nobody limits.
    """
    turns, answered, key = iter(range(batch.requests)), 0, "sk-test"

    async def work():
        nonlocal answered
        for _ in turns:
            with suppress(openai.APIError):
                await client.beta.threads.create()
                answered += 1

    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, http_client=TRANSPORTS[transport]()) as client:
        await asyncio.gather(*(client.models.list() for _ in range(batch.at_once)))
        began = time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(work() for _ in range(batch.at_once))), deadline)
        return answered, time.monotonic() - began


def run_cell(way, window, batch, transport, *mock_options):
    """Sends the batch one way, against one window."""
    deadline = 30 + 4 * batch.minute * batch.requests / LIMIT
    with TemporaryDirectory() as folder:
        limits = Path(folder, "limits.toml")
        limits.write_text(pool(batch, 60))
        scaled = ("--config", str(limits), "--minute", f"{round(batch.minute * 1000)}ms")
        with Mock(*scaled, *window.mock, *mock_options) as mock, way(mock, window, batch) as url:
            answered, seconds = asyncio.run(send(url, batch, transport, deadline))
            return Cell(answered, mock.stats()["denied"], seconds)


def run_matrix(options, batch):
    """The cells of every way and window, one a seed; one after the other, and told as they come."""
    cells = {(way, window): {} for way in options.only for window in options.windows}
    for (way, window), of_seed in cells.items():
        for seed in options.seeds:
            chance = ("--seed", seed, "--arrival-jitter", options.arrival_jitter)
            of_seed[seed] = run_cell(WAYS[way][1], WINDOWS[window], batch, options.transport, *chance)
            print(f"{way}, {window}, seed {seed}: {of_seed[seed].text(WINDOWS[window], batch)}", file=sys.stderr)
    return cells


def time_client(batch, transport):
    """The seconds that the client itself needs for a limit's worth; the first time it also imports what it needs."""
    worth = replace(batch, requests=LIMIT)
    return [run_cell(direct, WINDOWS["fixed"], worth, transport).seconds for _ in range(2)][-1]


def table(options, batch, cells):
    """The matrix as text; of several seeds the worst, by refusals first and then by time."""
    windows = [WINDOWS[name] for name in options.windows]
    rows = [["", *(window.name for window in windows)], ["", *(f"{window.ideal(batch):.2f} s" for window in windows)]]
    for way in options.only:
        of_way = [cells[way, name].values() for name in options.windows]
        worst = [max(of_seed, key=lambda cell: (cell.refused, cell.seconds)) for of_seed in of_way]
        rows.append([WAYS[way][0], *(cell.text(window, batch) for cell, window in zip(worst, windows))])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def misses(batch, cells):
    """What the gate has missed, in any window with any seed."""
    for (way, window), of_seed in cells.items():
        for seed, cell in of_seed.items() if way == "tidegate" else ():
            yield from (f"{window}, seed {seed}: {miss}" for miss in cell.misses(WINDOWS[window], batch))


def some_of(names):
    """An option's type: names, with commas between them."""

    def parse(text):
        if unknown := set(text.split(",")) - names.keys():
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(names)}")
        return text.split(",")

    return parse


def parse_options():
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests/matrix/run", description=__doc__)
    add = parser.add_argument
    add("--minute", type=float, default=6.0, metavar="S", help="seconds of a minute; 60 is a real one [default: 6]")
    add("--requests", type=int, default=600, metavar="N", help="[default: 600]")
    add("--at-once", type=int, default=100, metavar="N", help="[default: 100]")
    add("--seeds", type=lambda text: text.split(","), default=["1"], metavar="N,…", help="of the mock [default: 1]")
    add("--arrival-jitter", default="0ms", metavar="TIME", help="of the mock, as in 100ms [default: 0ms]")
    add("--transport", choices=TRANSPORTS, default="httpx", help="of the SDK [default: httpx]")
    add("--only", type=some_of(WAYS), default=list(WAYS), metavar="WAY,…", help=", ".join(WAYS))
    add("--windows", type=some_of(WINDOWS), default=list(WINDOWS), metavar="WINDOW,…", help=", ".join(WINDOWS))
    return parser.parse_args()


def main():
    """Prints the matrix and what the gate has missed of its targets; the exit code says whether it has."""
    options = parse_options()
    batch = Batch(options.requests, options.at_once, options.minute)
    client = time_client(batch, options.transport)
    cells = run_matrix(options, batch)
    seeds = f"seed {options.seeds[0]}" if len(options.seeds) == 1 else f"the worst of {len(options.seeds)} seeds"
    print(
        f"\n{batch.requests} POSTs, {batch.at_once} at once over {options.transport}, {LIMIT} a minute of"
        f" {batch.minute:g} s, arrival jitter {options.arrival_jitter}, {seeds}\n"
    )
    print(table(options, batch, cells), FOOTNOTES.format(limit=LIMIT, client=client), sep="\n\n")
    if "tidegate" not in options.only:
        return 0
    missed = list(misses(batch, cells))
    print("\ntidegate misses:" if missed else "\ntidegate reaches every target", *missed, sep="\n  ")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
