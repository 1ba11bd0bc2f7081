# SPDX-License-Identifier: MIT
"""Do the documents agree with the tree?

usage: docs.py SOURCE_ROOT FILE...    (FILEs: all files of the project, relative to SOURCE_ROOT)

  - every public function of holdfast.h and inline.h is explained: a comment stands above it, or above its group (functions in
    lines that follow each other), or behind it on the same line
  - every public function is in src/holdfast.map, and nothing else is
  - every relative link of every .md file leads somewhere, anchors included
  - no line of any text file ends in a space; every text file ends in a newline
  - every source file names its licence in its first lines
"""
import os
import re
import sys

DECLARED = re.compile(r"^HF_API\s[^;]*?\b(hf_\w+)\s*\(", re.M)
INLINED = re.compile(r"^HF_INLINE\b[^\n]*?\b(hf_\w+)\s*\(", re.M)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
LICENSED = (".c", ".h", ".py", ".sh", ".map", ".build")


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def public_functions(root):
    inline = read(root, "include/holdfast/inline.h")
    names = set(DECLARED.findall(read(root, "include/holdfast.h"))) | set(DECLARED.findall(inline))
    names |= {n for n in INLINED.findall(inline) if not n.endswith("_u")}
    return names | {f"hf_get_u{bits}" for bits in re.findall(r"^HF_DEFINE_GET_\((\d+)\)", inline, re.M)}


def unexplained(root):
    for name in ("include/holdfast.h", "include/holdfast/inline.h"):
        lines = read(root, name).splitlines()
        for at, line in enumerate(lines):
            if not re.match(r"HF_(API|INLINE)\b.*\(", line):
                continue
            above = at - 1
            while above >= 0 and re.match(r"HF_(API|INLINE)\b|typedef .*\(.*\);|extern ", lines[above]):
                above -= 1
            if not lines[above].rstrip().endswith("*/"):
                yield f"{name}:{at + 1}: no comment explains it: {line.strip()}"


def unmapped(root):
    text = re.sub(r"/\*.*?\*/", "", read(root, "src/holdfast.map"), flags=re.S)
    mapped = re.findall(r"\b(hf_\w+);", text)
    public = public_functions(root)
    for name in sorted(public - set(mapped)):
        yield f"src/holdfast.map: {name} is missing"
    for name in sorted(set(mapped) - public):
        yield f"src/holdfast.map: {name} is not in the public header"
    for name in sorted({n for n in mapped if mapped.count(n) > 1}):
        yield f"src/holdfast.map: {name} stands there twice"


def anchors(text):
    """The anchors that a forge makes of a document's headings."""
    headings = re.findall(r"^#+\s+(.*?)\s*#*$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(root, files):
    for name in (f for f in files if f.endswith(".md")):
        for link in LINK.finditer(FENCE.sub("", read(root, name))):
            target = link.group(1) or link.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            whole = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not os.path.exists(os.path.join(root, whole)):
                yield f"{name}: links to {target}, which does not exist"
            elif anchor and whole.endswith(".md") and anchor not in anchors(read(root, whole)):
                yield f"{name}: links to {target}, but {whole} has no such heading"


def untidy(root, files):
    for name in files:
        try:
            text = read(root, name)
        except UnicodeDecodeError:
            continue  # no text file
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: the line ends in a space"
        if text and not text.endswith("\n"):
            yield f"{name}: does not end in a newline"
        script = text.startswith("#!")
        if (script or name.endswith(LICENSED)) and "SPDX-License-Identifier: MIT" not in "\n".join(text.split("\n")[:5]):
            yield f"{name}: does not name its licence (SPDX-License-Identifier: MIT) in its first lines"


def main(arguments):
    root, files = arguments[0], arguments[1:]
    found = [*unexplained(root), *unmapped(root), *broken_links(root, files), *untidy(root, files)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
