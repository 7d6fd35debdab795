"""``docs/ARCHITECTURE.md`` is true: its diagram and its table are those of ``test_layers.py``, its
glossary knows every noun, and every file that it names is there.

    python tests/test_architecture.py      writes diagram and table anew
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_layers import MAY_IMPORT, PACKAGE

PROJECT = PACKAGE.parent
DOCUMENT = PROJECT / "docs" / "ARCHITECTURE.md"
BASE = ("units", "errors")  # everything may import them: no arrow of the diagram is one of these
DIAGRAM = re.compile(r"```mermaid\nflowchart TD\n.*?```", re.DOTALL)
TABLE = re.compile(r"\| layer \| what it is \| may import \|\n.*?(?=\n\n)", re.DOTALL)


def arrows() -> list[tuple[str, str]]:
    """The table without what follows from it: an arrow that a longer way shows too is left out."""
    may = {layer: targets - {layer, "", *BASE} for layer, targets in MAY_IMPORT.items() if layer}
    reached: dict[str, set[str]] = {}

    def reach(layer: str) -> set[str]:
        if layer not in reached:
            reached[layer] = set()
            for target in may.get(layer, set()):
                reached[layer] |= {target} | reach(target)
        return reached[layer]

    found = []
    for layer, targets in may.items():
        if layer in BASE:
            continue
        longer = {far for near in targets for far in reach(near)}
        found += [(layer, target) for target in sorted(targets - longer)]
    return found


def diagram() -> str:
    lines = [f"    {layer} --> {target}" for layer, target in arrows()]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def head_of(layer: str) -> str:
    """The first sentence of the package's or the module's own head, on one line."""
    path = PACKAGE / layer / "__init__.py"
    if not path.is_file():
        path = PACKAGE / f"{layer}.py"
    told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(told.split("\n\n")[0].split())


def table() -> str:
    rows = ["| layer | what it is | may import |", "|---|---|---|"]
    for layer, targets in MAY_IMPORT.items():
        if layer:
            names = ", ".join(sorted(targets - {layer, ""})) or "the standard library"
            rows.append(f"| `{layer}` | {head_of(layer)} | {names} |")
    return "\n".join(rows)


def classes() -> set[str]:
    files = [*sorted((PACKAGE / "model").glob("*.py")), PACKAGE / "protocols.py"]
    return {
        node.name
        for path in files
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def glossary() -> dict[str, tuple[str, str]]:
    """Term -> its meaning and the file that defines it."""
    text = DOCUMENT.read_text("utf-8").split("## Glossary", 1)[1]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([^`|]+)` \|$", text, re.MULTILINE)
    assert len({term for term, _, _ in rows}) == len(rows)  # each term once
    return {term.strip("` "): (meaning, path) for term, meaning, path in rows}


def test_the_diagram_is_that_of_the_layers() -> None:
    assert DIAGRAM.findall(DOCUMENT.read_text("utf-8")) == [diagram()]


def test_the_table_is_that_of_the_layers() -> None:
    assert TABLE.findall(DOCUMENT.read_text("utf-8")) == [table()]


def test_every_noun_is_in_the_glossary() -> None:
    assert len(classes()) > 50
    assert classes() - set(glossary()) == set()


def test_the_glossary_names_the_file_that_defines_a_term() -> None:
    for term, (_, path) in glossary().items():
        source = (PACKAGE / path).read_text("utf-8")
        if re.fullmatch(r"[A-Z][a-z]\w*", term):
            assert re.search(rf"^(class {term}\b|{term} = )", source, re.MULTILINE), (term, path)


def test_every_file_that_is_named_is_there() -> None:
    for name in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        text = (PROJECT / "docs" / name).read_text("utf-8")
        named = re.findall(r"`((?:dexmm|tests|scripts|bench|docs|contracts)/[\w./-]+)`", text)
        assert named, name
        for path in named:
            assert (PROJECT / path).exists(), f"{name} names {path}"


if __name__ == "__main__":
    text = DOCUMENT.read_text("utf-8")
    text = DIAGRAM.sub(lambda _: diagram(), text)
    DOCUMENT.write_text(TABLE.sub(lambda _: table(), text), "utf-8")
