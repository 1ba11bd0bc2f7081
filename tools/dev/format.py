# SPDX-License-Identifier: MIT
"""Is every C file laid out as .clang-format says?

usage: format.py [--fix] FILE...

clang-format decides indentation, braces, which statement starts a line and the spaces between words. It has no eye for columns made
by hand and a taste of its own in where a long call is broken. So two files count as laid out alike when their *statement lines* are:

  - a line that ends inside ( ), [ ] or an initialiser's braces goes on with the next one; so does a macro's that ends in \\
  - runs of spaces inside a line count as one
  - a body of one statement stands behind its `if`, loop, label or function, or on a line of its own
  - a struct, union or enum on one line stays on one line

and, apart from that, no line is longer than 140 columns. What is between `clang-format off` and `on` is nobody's business.
--fix takes clang-format's lines where a file is laid out otherwise, and changes no other.
"""
import difflib
import re
import subprocess
import sys

LIMIT = 140
HEAD = re.compile(r"^ *(\} )?(else )?(if|while|for) \(.*\)$|^ *(\} )?else$")
LABEL = re.compile(r"^ *(case\b.*|default):( .*;)?$")
PLAIN = re.compile(r"^ *(?! |(if|else|while|for|do|switch)\b)[^{}]*;$")
# Names in C that clang-format takes for C++; it is shown other words of the same length.
KEYWORDS = "class new this delete private public protected template operator try catch using".split()
SHOWN = {word: word[:-1] + "_" for word in KEYWORDS}
ONE_LINE_TYPE = re.compile(r"^\s*(typedef |static )?(struct|union|enum)\b[^{(]*\{.*\}.*;")
TOKEN = re.compile(r'//.*|/\*.*?(?:\*/|$)|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[][(){}=,;]|[^\s\w]|\w+')


class Nesting:
    """Follows brackets over lines, knowing comments and strings."""

    def __init__(self):
        self.open = []  # what closes each open bracket; '' for a block's brace, which continues nothing
        self.comment = False
        self.last = ""

    def feed(self, line):
        if self.comment:
            if "*/" not in line:
                return
            line, self.comment = line.split("*/", 1)[1], False
        for token in TOKEN.findall(line):
            if token.startswith("//"):
                continue
            if token.startswith("/*"):
                self.comment = not token.endswith("*/") or token == "/*/"
                continue
            if token in "([":
                self.open.append(")" if token == "(" else "]")
            elif token == "{":
                self.open.append("}" if self.last in ("=", "(", ",", "{") or self.continues() else "")
            elif token in ")]}" and self.open:
                self.open.pop()
            self.last = token

    def continues(self):
        return not self.comment and bool(self.open) and self.open[-1] != ""


def statement_lines(lines):
    """[(first, after, text)]: the ranges of lines that belong together, and what they say in normal form."""
    found, nesting, macro = [], Nesting(), False
    first, text = 0, ""
    for at, line in enumerate(lines):
        if not text:
            first, text = at, " " * (len(line) - len(line.lstrip(" ")))
        body = re.sub(r"\s+", " ", line.strip())
        macro = body.endswith("\\") and (macro or body.startswith("#"))
        body = body[:-1].rstrip() if macro else body
        glue = "" if not text.strip() or text.endswith(("(", "[")) or body.startswith((")", "]")) else " "
        text += glue + body
        was_comment = nesting.comment
        nesting.feed(line)
        if macro or (nesting.continues() and not was_comment):
            continue
        found.append((first, at + 1, text.rstrip()))
        text = ""
    if text:
        found.append((first, len(lines), text.rstrip()))
    return found


def fold(statements):
    """Puts a body of one statement on its head's line, and all of a label's."""
    folded = []
    for first, after, text in statements:
        head = folded[-1][2] if folded else ""
        deeper = text.strip() and len(text) - len(text.lstrip()) > len(head) - len(head.lstrip())
        if deeper and (HEAD.match(head) or (LABEL.match(head) and PLAIN.match(text))):
            first, text = folded[-1][0], folded[-1][2] + " " + text.strip()
            folded.pop()
        elif len(folded) > 1 and text.strip() == "}" and folded[-2][2].endswith("{") and folded[-1][2].endswith(";"):
            if len(text) - 1 == len(folded[-2][2]) - len(folded[-2][2].lstrip(" ")):
                first, text = folded[-2][0], f"{folded[-2][2]} {folded[-1][2].strip()} }}"
                del folded[-2:]
        folded.append((first, after, text))
    return folded


def wrong_places(have, want):
    """The hunks [(from, to, replacement)] of `have` that are not right."""
    mine, theirs = fold(statement_lines(have)), fold(statement_lines(want))
    matcher = difflib.SequenceMatcher(None, [s[2] for s in mine], [s[2] for s in theirs], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        start, stop = bounds(mine, i, j, len(have))
        from_, to = bounds(theirs, k, m, len(want))
        if not one_line_types(have[start:stop], want[from_:to]):
            yield start, stop, want[from_:to]


def bounds(statements, i, j, end):
    start = statements[i][0] if i < len(statements) else end
    return start, statements[j - 1][1] if j > i else start


def one_line_types(mine, theirs):
    if not all(ONE_LINE_TYPE.match(line) for line in mine):
        return False
    return bool(mine) and re.sub(r"\s+", "", "".join(mine)) == re.sub(r"\s+", "", "".join(theirs))


def swap(text, words):
    return re.sub(r"\b(?:" + "|".join(words) + r")\b", lambda word: words[word.group(0)], text)


def clang_format(path):
    with open(path, encoding="utf-8") as file:
        text = swap(file.read(), SHOWN)
    command = ["clang-format-14", "--style=file", "--assume-filename=" + path]
    run = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return swap(run.stdout, {shown: word for word, shown in SHOWN.items()}).splitlines()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def rewrite(path, lines, places):
    for start, stop, theirs in reversed(places):
        lines[start:stop] = theirs
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{path}: {len(places)} places rewritten")


def report(path, lines, places):
    for start, stop, theirs in places:
        print(f"{path}:{start + 1}: laid out otherwise")
        print("".join(f"  - {line}\n" for line in lines[start:stop]) + "".join(f"  + {line}\n" for line in theirs), end="")


def main(arguments):
    fix = "--fix" in arguments
    wrong = 0
    for path in [a for a in arguments if a != "--fix"]:
        lines = read(path)
        places = list(wrong_places(lines, clang_format(path)))
        if fix and places:
            rewrite(path, lines, places)
        else:
            report(path, lines, places)
            wrong += len(places)
        for number, line in enumerate(read(path), 1):
            if len(line) > LIMIT:
                print(f"{path}:{number}: {len(line)} columns, {LIMIT} are the limit: {line.strip()[:60]}...")
                wrong += 1
    return 1 if wrong else 0


sys.exit(main(sys.argv[1:]))
