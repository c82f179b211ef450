"""Reads Rust sources well enough to measure them: types, inherent impls, functions and imports, without tests and comments.

This is no compiler. It relies on formatted sources (`cargo fmt`), looks at no macro's expansion, and takes a name for what the
nearest declaration or re-export of it says.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

HIDDEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/"""  # comments
    r"""|b?r(\#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^'\\\n])'""",  # texts and characters; lifetimes stay
    re.DOTALL,
)
TEST = re.compile(r"#\[(?:cfg\((?:all\()?test\b|test\b|tokio::test)[^\n]*\n(?:\s*#\[[^\n]*\n)*")
WORD = r"[A-Za-z_]\w*"
TYPE = re.compile(rf"^[ \t]*(?:pub(?:\([^)]*\))? )?(?:unsafe )?(struct|enum|union|trait|type) ({WORD})", re.MULTILINE)
IMPL = re.compile(r"^([ \t]*)(?:unsafe )?impl\b", re.MULTILINE)
FUNCTION = re.compile(rf"^[ \t]*(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe |extern \S+ )*fn ({WORD})", re.MULTILINE)
VALUE = re.compile(rf"^(?:pub(?:\([^)]*\))? )?(?:const|static|macro_rules!) (?:mut )?({WORD})", re.MULTILINE)
USE = re.compile(r"^[ \t]*(pub(?:\([^)]*\))? )?use ([^;]+);", re.MULTILINE)
MODULE = re.compile(rf"^[ \t]*(?:pub(?:\([^)]*\))? )?mod ({WORD});", re.MULTILINE)
PATH = re.compile(rf"(?<![\w:])((?:{WORD}::)+{WORD})")


def masked(text):
    """The same text with blanks for comments and literals: what is left is code, at the same place."""
    return HIDDEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def closing(code, opened):
    """Where the brace ends that is opened here."""
    depth = 0
    for at in range(opened, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return len(code) - 1


def body(code, start):
    """Where the body of an item begins, or its end where it has none."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] in "([":
            depth += 1
        elif code[at] in ")]":
            depth -= 1
        elif depth == 0 and code[at] in "{;":
            return at
    return len(code) - 1


def without_tests(code):
    """The same code with blanks for what is there for tests only."""
    at = 0
    while found := TEST.search(code, at):
        begun = body(code, found.end())
        end = closing(code, begun) if code[begun] == "{" else begun
        code = code[: found.start()] + re.sub(r"[^\n]", " ", code[found.start() : end + 1]) + code[end + 1 :]
        at = end
    return code


def paths(tree, before=()):
    """The paths that a use names, with the name that each gets: `a::{b, c as d}` is a::b and a::c as d."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        path, _, alias = tree.partition(" as ")
        parts = [*before, *(part for part in path.strip().split("::") if part)]
        if parts and parts[-1] == "self":
            parts.pop()
        if parts:
            yield parts, alias.strip() or parts[-1]
        return
    before = [*before, *(part for part in head.strip().split("::") if part)]
    depth, begun = 0, 0
    rest = rest[: rest.rindex("}")]
    for at, char in enumerate(rest + ","):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            if rest[begun:at].strip():
                yield from paths(rest[begun:at], before)
            begun = at + 1


@dataclass(frozen=True)
class Block:
    """Some lines of a file that belong together: a type, an impl or a function."""

    name: str
    file: str
    line: int
    lines: int
    is_public: bool = False


@dataclass
class File:
    """A source file: its path in the repository, and its module in the crate."""

    path: str
    module: tuple
    text: str
    is_root: bool = False

    @cached_property
    def code(self):
        """The code alone: no comments, no literals, no tests."""
        return without_tests(masked(self.text))

    @cached_property
    def lines(self):
        """How many lines are not there for tests only."""
        whole, code = masked(self.text).splitlines(), self.code.splitlines()
        return sum(1 for before, now in zip(whole, code) if before == now or now.strip())

    def _block(self, name, start, end, is_public=False):
        line = self.code.count("\n", 0, start) + 1
        return Block(name, self.path, line, self.code.count("\n", start, end) + 1, is_public)

    @cached_property
    def types(self):
        """Types and traits that are declared here, but associated ones."""
        blocks = []
        for found in TYPE.finditer(self.code):
            kind, name = found.groups()
            is_public = found.group().lstrip().startswith("pub ")
            if kind != "type" or not found.group()[0].isspace():
                blocks.append(self._block(name, found.start(), found.end(), is_public))
        return blocks

    @cached_property
    def impls(self):
        """Inherent impls, by the name of their type."""
        blocks = []
        for found in IMPL.finditer(self.code):
            begun = body(self.code, found.end())
            head = self.code[found.end() : begun]
            if head.startswith("<"):
                depth = 0
                for at, char in enumerate(head):
                    depth += {"<": 1, ">": -1}.get(char, 0)
                    if depth == 0:
                        head = head[at + 1 :]
                        break
            if not re.search(r"\bfor\b", head.split(" where ")[0]):
                name = re.match(rf"\s*(?:{WORD}::)*({WORD})", head)
                if name:
                    blocks.append(self._block(name[1], found.start(), closing(self.code, begun)))
        return blocks

    @cached_property
    def functions(self):
        """Functions with a body."""
        blocks = []
        for found in FUNCTION.finditer(self.code):
            begun = body(self.code, found.end())
            if self.code[begun] == "{":
                start = found.end() - len(found.group().lstrip())
                blocks.append(self._block(found[1], start, closing(self.code, begun)))
        return blocks

    @cached_property
    def declared(self):
        """The names of what is declared at the top of this file."""
        names = {block.name for block in self.types} | set(VALUE.findall(self.code))
        return names | {found[1] for found in FUNCTION.finditer(self.code) if not found.group()[0].isspace()}

    @cached_property
    def children(self):
        """The modules below this one."""
        return set(MODULE.findall(self.code))

    @cached_property
    def uses(self):
        """Each `use`: its path, the name it gets, and whether it passes that on."""
        return [
            (tuple(path), name, bool(public))
            for public, tree in USE.findall(self.code)
            for path, name in paths(re.sub(r"\s+", " ", tree))
        ]


@dataclass
class Crate:
    """The files of a crate, by their modules."""

    name: str
    files: dict = field(default_factory=dict)

    def absolute(self, file, path):
        """The path from the root of the crate; None where it leads elsewhere."""
        if path[0] == "crate":
            return path[1:]
        module = file.module
        if path[0] in ("self", "super"):
            while path and path[0] in ("self", "super"):
                module, path = (module[:-1] if path[0] == "super" else module), path[1:]
            return (*module, *path)
        if path[0] in file.children:
            return (*module, *path)
        return None

    def owner(self, path, seen=frozenset()):
        """The file that declares what this path names; None where it is none of this crate."""
        module, rest = path, ()
        while module not in self.files:
            if not module:
                return None
            module, rest = module[:-1], (module[-1], *rest)
        file = self.files[module]
        if not rest:
            return None  # A module as such: what is used of it is named where it is used.
        if rest[0] in file.declared or (module, rest) in seen:
            return file
        seen = seen | {(module, rest)}
        globs = []
        for used, name, _ in file.uses:
            target = self.absolute(file, used)
            if target is not None and name == rest[0]:
                return self.owner((*target, *rest[1:]), seen)
            if target is not None and name == "*":
                globs.append(target[:-1])
        return next((owner for glob in globs if (owner := self.owner((*glob, *rest), seen))), None)

    def imports(self):
        """By file, the other files that it takes something from. A re-export alone takes nothing."""
        edges = {}
        for file in self.files.values():
            inlined = {tuple(found.split("::")) for found in PATH.findall(USE.sub("", file.code))}
            modules = {name: used for used, name, _ in file.uses}
            # `use super::bucket;` and then `bucket::Bucket`.
            inlined |= {(*modules[path[0]], *path[1:]) for path in inlined if path[0] in modules}
            words = set(re.findall(WORD, USE.sub("", file.code)))
            plain = {used for used, name, public in file.uses if not public or name in words}
            targets = set()
            for path in plain | inlined:
                target = self.absolute(file, path)
                owner = self.owner(target) if target else None
                if owner and owner is not file:
                    targets.add(owner.path)
            edges[file.path] = targets
        return edges


def circles(edges):
    """Groups of files each of which leads to all others of its group (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def crates(root):
    """The crates of the workspace at this folder."""
    folders = {"tidegate": root / "src"}
    folders |= {f"tidegate-{path.parent.name}": path for path in sorted(root.glob("crates/*/src"))}
    return [read_crate(name, folder, root) for name, folder in folders.items()]


def read_crate(name, folder, root):
    """A crate, but for what is there for its tests only."""
    crate = Crate(name)
    for path in sorted(Path(folder).rglob("*.rs")):
        parts = path.relative_to(folder).with_suffix("").parts
        if "tests" in parts:
            continue
        module = parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts
        if parts == ("main",):
            module = ("(main)",)
        crate.files[module] = File(str(path.relative_to(root)), module, path.read_text(encoding="utf-8"))
    return crate
