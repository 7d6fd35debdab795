#!/usr/bin/env bash
# rich 15.0.0 breaks lines at no-break spaces, so that an amount is torn in two on a narrow terminal.
#
# U+00A0 (no-break space) and U+202F (narrow no-break space) exist to keep what is on both sides of
# them on one line: "16 686.98", "100 %", "5 km". rich splits text into words with \S+ of Python's re,
# for which both are white space, and wraps there like at any other space; the same split decides the
# least width that a table's column may be given. Python's own textwrap breaks at neither. Whoever
# writes thousands with a no-break space, as the SI asks for, still reads "16" at the end of a line
# and "686.98" on the next one. What helps is a character that Python does not call white space
# (U+E000 of the private use area), put back into a space when the line is written.
#
# Source: seen with amounts in a paragraph on a narrow terminal; rich 15.0.0 from PyPI, rich/_wrap.py
# (re_word); Unicode Standard Annex 14, class GL.
#
# Output seen:
#   textwrap, U+00A0: ['pay', '16\xa0686.98', 'now']
#   rich,     U+00A0: ['pay 16\xa0', '686.98 now']
#   rich,     U+202F: ['pay 16\u202f', '686.98 now']
#   rich,     U+E000: ['pay ', '16\ue000686.98 ', 'now']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check rich==15.0.0
cat >run.py <<'PYTHON'
import io
import sys
import textwrap

from rich.console import Console

WIDTH = 12


def shown(space: str) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(f"pay 16{space}686.98 now", highlight=False)
    return out.getvalue().rstrip("\n").split("\n")


found = {name: shown(space) for name, space in (("A0", "\xa0"), ("202F", "\u202f"), ("E000", "\ue000"))}
print("textwrap, U+00A0:", textwrap.wrap("pay 16\xa0686.98 now", WIDTH))
for name, lines in found.items():
    print(f"rich,     U+{name:0>4}:", ascii(lines).replace('"', "'"))
torn = all(any(line.strip().endswith("16") for line in found[name]) for name in ("A0", "202F"))
whole = any("16\ue000686.98" in line for line in found["E000"])
sys.exit(0 if torn and whole else 1)
PYTHON
env/bin/python run.py
