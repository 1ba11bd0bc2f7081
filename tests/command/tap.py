# SPDX-License-Identifier: MIT
"""Tests as functions, TAP as output: what the tests of the command share.

Each function marked @test is a case; its name, with spaces, is the sentence that it proves. It fails by an exception.
"""
import os
import subprocess
import sys
import traceback

cases = []
command = os.path.abspath(sys.argv[1])


class Skip(Exception):
    """Raised by a case that can't be tried on this machine."""


def test(function):
    cases.append(function)
    return function


class Ended:
    """How a command ended."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"exit status {self.status}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


def holdfast(*arguments, environment=None, **options):
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.run([command, *arguments], **pipes, text=True, env={**os.environ, **(environment or {})}, **options)
    return Ended(process)


def equal(got, wanted, context=""):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}\n{context}")


def holds(condition, context=""):
    if not condition:
        raise AssertionError(str(context))


def main():
    print(f"1..{len(cases)}")
    failed = 0
    for number, case in enumerate(cases, 1):
        name = case.__name__.replace("_", " ")
        try:
            case()
            print(f"ok {number} - {name}")
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except Exception:  # a case may fail in any way, and the others still count
            failed += 1
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
