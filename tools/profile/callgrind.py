"""What callgrind counted: instructions by function, and the difference of two runs."""

import re
from collections import Counter
from dataclasses import dataclass, field

NAMED = re.compile(r"\((\d+)\)(?: (.*))?")
HASH = re.compile(r"::h[0-9a-f]{16}$")


@dataclass
class Counts:
    """Instructions by function: its own, and with all that it calls."""

    own: Counter = field(default_factory=Counter)
    inclusive: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)
    """By function how often it is called, and by caller and function as well."""
    edges: Counter = field(default_factory=Counter)
    """By caller and function, what the function takes for the caller."""
    files: Counter = field(default_factory=Counter)
    """By source file, the instructions of its lines, wherever the compiler has put them."""

    @property
    def total(self):
        """All of them."""
        return sum(self.own.values())

    def slope(self, other, requests):
        """How many more each function took in the other run, for each of so many more requests."""

        def per(one, two):
            return Counter({name: (two[name] - one[name]) / requests for name in one.keys() | two.keys()})

        counted = ("own", "inclusive", "calls", "edges", "files")
        return Counts(*(per(getattr(self, what), getattr(other, what)) for what in counted))


def read(path):
    """Reads callgrind's output. Functions of one name are one, wherever the compiler has put copies of them.

    What a function calls of itself is not added to it again; in a longer circle it is, as in callgrind_annotate.
    """
    counts, names, function, callee = Counts(), {}, None, None
    sources, source = {}, None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if key in ("fn", "cfn"):
                number, name = NAMED.fullmatch(value).groups()
                if name is not None:
                    names[number] = HASH.sub("", name)
                if key == "fn":
                    function = names[number]
                else:
                    callee = names[number]
            elif key in ("fl", "fi", "fe", "cfi", "cfl"):
                number, name = NAMED.fullmatch(value).groups()
                if name is not None:
                    sources[number] = name
                if key[0] == "f":
                    source = sources[number]
            elif key == "calls":
                for called in (callee, (function, callee)):
                    counts.calls[called] += int(value.split()[0])
                counts.edges[function, callee] += int(next(lines).split()[1])
            elif line[:1] in "+-*0123456789" and function:
                cost = int(line.split()[1])
                counts.own[function] += cost
                counts.files[source] += cost
    counts.inclusive.update(counts.own)
    for (caller, callee), cost in counts.edges.items():
        if caller != callee:
            counts.inclusive[caller] += cost
    return counts
