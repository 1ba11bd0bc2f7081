# SPDX-License-Identifier: MIT
"""Adds up test cases over the builds of ./dev test.

usage: summary.py NAME=LOG|NAME=!REASON|NAME=?REASON...

LOG is what `meson test` left in meson-logs/testlog.json: a line for each test. One that printed TAP counts case by case; another
counts as one. !REASON is a build that failed, ?REASON one that was skipped. A test that printed TAP counts one failure more if it
was killed, printed fewer cases than it had planned, or ended badly with no case saying why.

Prints a row for each build, every case that failed and was skipped, and last "N passed, N failed, N skipped". The exit status is
0 if nothing failed and something passed.
"""
import collections
import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b\s*(\d*)\s*-?\s*(.*?)\s*(?:(?<!\\)#\s*(SKIP|TODO)\S*\s*(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*SKIP\S*\s*(.*))?$", re.I)
RESULTS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}

Case = collections.namedtuple("Case", "build test name outcome why")


def tap_cases(output):
    """[(name, outcome, why)], the number of cases planned (None: no plan seen), and the reason why all is skipped."""
    cases, planned, skipped = [], None, None
    lines = output.splitlines()
    for at, line in enumerate(lines):
        plan, case = PLAN.match(line), CASE.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            if plan.group(1) == "0":
                skipped = plan.group(2) or "no reason given"
        elif case:
            bad, number, name, directive, why = case.groups()
            if directive and directive.upper() == "SKIP":
                outcome = "skipped"  # cmocka 1.1.5 says "not ok 2 # SKIP name"
                name, why = (name, why) if name else (why, "")
            elif directive:
                outcome = "passed" if bad else "failed"
                why = why or "marked TODO, but passed"
            else:
                outcome = "failed" if bad else "passed"
            if outcome == "failed":
                why = "\n".join([why or ""] + comments_after(lines, at)).strip()
            cases.append((name or "case " + number, outcome, why or ""))
        elif line.startswith("Bail out!"):
            cases.append(("bail out", "failed", line[9:].strip()))
    return cases, planned, skipped


def comments_after(lines, at):
    """What a test says of a case follows it, in lines that begin with #."""
    comments = []
    for line in lines[at + 1 : at + 31]:
        if not line.startswith("#"):
            break
        comments.append(line[1:].strip())
    return comments


def test_cases(build, result):
    test = re.sub(r"\+no_\w+", "", result["name"].split(":", 1)[-1])  # "holdfast:unit+no_asan / pool" -> "unit / pool"
    outcome = RESULTS.get(result["result"], "failed")
    cases, planned, skipped = tap_cases(result.get("stdout") or "")
    for name, case_outcome, why in cases:
        yield Case(build, test, name, case_outcome, why)
    if cases:
        ended = result["result"].lower()
        if planned is not None and len(cases) < planned:
            why = f"{planned} cases planned, {len(cases)} seen: {ended}"
            yield Case(build, test, "(the rest)", "failed", with_last_words(why, result))
        elif result["returncode"] != 0 and not any(c[1] == "failed" for c in cases):
            why = f"{ended}, exit status {result['returncode']}"
            yield Case(build, test, "(the program)", "failed", with_last_words(why, result))
    elif outcome == "skipped" and result["returncode"] == 0 and skipped is None:
        yield Case(build, test, "(the program)", "failed", "printed no test case")
    else:
        ended = f"{result['result'].lower()}, exit status {result['returncode']}"
        why = with_last_words(ended, result) if outcome == "failed" else reason(result, skipped) if outcome == "skipped" else ""
        yield Case(build, test, "", outcome, why)


def with_last_words(why, result):
    """Why a program failed that names no case: how it ended, and what it said last."""
    lines = (result.get("stderr") or "").strip().splitlines() or (result.get("stdout") or "").strip().splitlines()
    return "\n".join([why] + lines[-12:])


def reason(result, skipped):
    """Why a test that speaks by exit status skipped itself: the last line it printed."""
    lines = ((result.get("stdout") or "") + (result.get("stderr") or "")).strip().splitlines()
    return skipped or (lines[-1].strip() if lines else "no reason given")


def build_cases(build, log):
    if log[0] in "!?":
        return [Case(build, "(the build)", "", "failed" if log[0] == "!" else "skipped", log[1:])]
    try:
        with open(log, encoding="utf-8") as lines:
            cases = [case for line in lines for case in test_cases(build, json.loads(line))]
    except OSError as error:
        return [Case(build, "(the build)", "", "failed", f"meson test left no log: {error.strerror}")]
    return cases or [Case(build, "(the build)", "", "failed", "no test ran")]


def show(title, cases):
    """One entry for what happened alike, but for addresses, in several builds."""
    alike = collections.OrderedDict()
    for case in cases:
        alike.setdefault((case.test, case.name, re.sub(r"0x[0-9a-f]{6,}", "0x", case.why)), []).append(case)
    if alike:
        print(f"{title}:")
    for (test, name, _), group in alike.items():
        names, why = [case.build for case in group], group[0].why
        lines = why.splitlines()
        where = f"{test}: {name}" if name else test
        print(f"  {' '.join(names)}: {where}" + (f" ({lines[0]})" if len(lines) == 1 else ""))
        for line in lines if len(lines) > 1 else []:
            print(f"      {line}")


def counts(cases):
    count = collections.Counter(case.outcome for case in cases)
    return count["passed"], count["failed"], count["skipped"]


def main(arguments):
    builds = collections.OrderedDict((name, build_cases(name, log)) for name, log in (a.split("=", 1) for a in arguments))
    cases = [case for of_build in builds.values() for case in of_build]
    show("skipped", [c for c in cases if c.outcome == "skipped"])
    show("failed", [c for c in cases if c.outcome == "failed"])
    print(f"{'build':<10}{'passed':>8}{'failed':>8}{'skipped':>9}")
    for name, of_build in builds.items():
        print("{:<10}{:>8}{:>8}{:>9}".format(name, *counts(of_build)))
    passed, failed, skipped = counts(cases)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
