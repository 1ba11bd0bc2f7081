# SPDX-License-Identifier: MIT
"""Does every file of src/ know only what lies below it?

usage: layers.py SOURCE_ROOT

Reads the floors from tools/dev/layers.txt. Wrong are: an #include of a higher floor, a file on no floor or on two, an #include "..."
of something that is neither in src/ nor the public header, and atomics outside src/atomics.h (the public inline.h has its own, as
it stands alone).
"""
import fnmatch
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
ATOMICS = re.compile(r"<stdatomic\.h>|\b__atomic_\w+|\b__sync_\w+|\b_Atomic\b")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def floors(path):
    """[(name, patterns)], lowest first."""
    with open(path, encoding="utf-8") as lines:
        rows = [line.split("#", 1)[0].split() for line in lines]
    return [(row[0], row[1:]) for row in rows if row]


def without_comments(text):
    return COMMENT.sub(lambda comment: "\n" * comment.group(0).count("\n"), text)


def complaints(root):
    house = floors(os.path.join(root, "tools", "dev", "layers.txt"))
    source = os.path.join(root, "src")
    files = sorted(name for name in os.listdir(source) if name.endswith((".c", ".h")))
    floor_of = {}
    for name in files:
        on = [i for i, (_, patterns) in enumerate(house) if any(fnmatch.fnmatch(name, p) for p in patterns)]
        if len(on) != 1:
            yield f"src/{name}: is on {'no floor' if not on else 'several floors'} of tools/dev/layers.txt"
        floor_of[name] = on[0] if on else None
    for name in files:
        with open(os.path.join(source, name), encoding="utf-8") as file:
            lines = without_comments(file.read()).splitlines()
        for number, line in enumerate(lines, 1):
            where = f"src/{name}:{number}"
            include = INCLUDE.match(line)
            if include and include.group(1) in floor_of:
                above, own = floor_of[include.group(1)], floor_of[name]
                if above is not None and own is not None and above > own:
                    yield f"{where}: {house[own][0]} includes {include.group(1)} of {house[above][0]}, a floor above"
            elif include and not include.group(1).startswith("holdfast"):
                yield f"{where}: includes {include.group(1)}, which is neither in src/ nor the public header"
            if name != "atomics.h" and ATOMICS.search(line):
                yield f"{where}: atomics belong into src/atomics.h: {line.strip()}"


def main(arguments):
    found = list(complaints(arguments[0]))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
