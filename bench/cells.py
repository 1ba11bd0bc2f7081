# SPDX-License-Identifier: MIT
"""What is measured: the subjects, and the cells (one workload with one set of settings) in groups that become one table and one plot.

A figure of a cell is one number that one process printed; `per_op` figures are better when low, `rate` figures when high.
"""
import dataclasses
import glob
import os
import subprocess

KIB = 1024


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str          # as shown
    adapter: str       # of the bench program
    preload: str = ""  # the library that replaces malloc
    kind: str = "peer" # holdfast; peer; unchecked (correct only on one thread); harness
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    key: str           # in results.csv
    label: str         # of the column
    options: tuple     # of the bench program
    metric: str
    unit: str
    better: str = "low"
    scale: float = 1.0
    share: float = 1.0 # of the measuring time
    rounds: float = 1.0
    leave_out: tuple = ()   # adapters
    only: tuple = ()        # adapters; empty: all
    slack: bool = False     # holdfast a second time, with its limit 5 % above the cap


@dataclasses.dataclass(frozen=True)
class Group:
    key: str
    title: str
    text: str
    cells: tuple
    in_quick: bool = True


def package_of(path):
    """The Debian package and version that a library came from; "" if none."""
    real = os.path.realpath(path)
    for name in dict.fromkeys((path, real, path.removeprefix("/usr"), real.removeprefix("/usr"))):
        found = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if found.returncode == 0:
            package = found.stdout.split(": ")[0].split(",")[0]
            shown = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], stdout=subprocess.PIPE, text=True)
            return f"{package.split(':')[0]} {shown.stdout}"
    return ""


def debian_peer(name, pattern):
    paths = sorted(glob.glob("/usr/lib/*/" + pattern))
    return Subject(name, "malloc", paths[0], version=package_of(paths[0])) if paths else None


def all_subjects(extra):
    """holdfast, the peers that are installed, those given as NAME=PATH, the pools written by hand, and the harness alone."""
    found = [Subject("holdfast", "holdfast", kind="holdfast")]
    missing = []
    for name, pattern in (("jemalloc", "libjemalloc.so.2"), ("mimalloc", "libmimalloc.so.2"), ("gperftools", "libtcmalloc_minimal.so.4")):
        peer = debian_peer(name, pattern)
        if peer:
            found.append(peer)
        else:
            missing.append(name)
    for given in extra:
        name, _, path = given.partition("=")
        path = os.path.abspath(path)
        if not name or not os.path.isfile(path):
            raise SystemExit(f"bench/run: --peer wants NAME=LIBRARY.so, and the file to be there; not '{given}'.")
        found.append(Subject(name, "malloc", path, version=path))
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "C library"
    found.append(Subject(libc.split()[0], "malloc", version=libc))
    found += [Subject("pool", "pool", version="bench/handmade.c: one mutex, one list per class"),
              Subject("stack", "stack", version="bench/handmade.c: lock-free tagged stacks"),
              Subject("floor", "floor", kind="unchecked", version="bench/handmade.c: thread-local lists, no checks"),
              Subject("harness", "none", kind="harness", version="no allocator: the loop, the call, the touch")]
    return found, missing


def size_name(size):
    return f"{size // KIB} KiB"


def pair_cells(quick, threads):
    sizes = (64 * KIB,) if quick else (4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB)
    return tuple(
        Cell(f"pair-{size // KIB}k-{threads}t", size_name(size) + ("" if threads == 1 else f", {threads} threads"),
             ("--workload", "pair", "--size", size, "--threads", threads), "cpu_ns", "ns") for size in sizes)


def zeroed_cells(quick):
    sizes = (64 * KIB,) if quick else (4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB)
    cells = [Cell(f"zeroed-{size // KIB}k-{threads}t", size_name(size) + ("" if threads == 1 else f", {threads} threads"),
                  ("--workload", "pair", "--size", size, "--threads", threads, "--zeroed"), "cpu_ns", "ns")
             for threads in ((1,) if quick else (1, 2)) for size in sizes]
    return tuple(cells)


def groups(quick):
    """Everything, in the order of the report."""
    size64 = ("--size", 64 * KIB)
    dirty = tuple(Cell(f"dirty8-{size // KIB}k", size_name(size), ("--workload", "pair", "--size", size, "--dirty", 8 * KIB), "cpu_ns", "ns")
                  for size in ((64 * KIB,) if quick else (16 * KIB, 64 * KIB, 256 * KIB)))
    batch = tuple(Cell(f"batch-{size // KIB}k-{order}", f"{size_name(size)}, {title}", ("--workload", "batch", "--size", size) + option,
                       "cpu_ns", "ns", share=1.5)
                  for size in ((64 * KIB,) if quick else (4 * KIB, 64 * KIB))
                  for order, title, option in (("fifo", "in order", ()), ("random", "random order", ("--random",))))
    handoff = tuple(Cell(f"handoff-{size // KIB}k", size_name(size), ("--workload", "handoff", "--size", size), "wall_ns", "ns",
                         share=2, leave_out=("floor",))
                    for size in ((64 * KIB,) if quick else (4 * KIB, 16 * KIB, 64 * KIB)))
    cap = 64 if quick else 256
    churn = []
    for threads in (1, 2):
        options = ("--workload", "churn", "--cap", cap, "--threads", threads)
        name = f"{threads} thread" + "s" * (threads > 1)
        churn.append(Cell(f"churn-{threads}t", f"misses per second, {name}", options, "ops_per_s", "k/s", "high", 1e-3, 9, 0.6,
                          leave_out=("none",), slack=True))
        churn.append(Cell(f"churn-{threads}t-peak", f"peak RSS over the cap, {name}", options, "peak_over_cap", "x", "low", 1, 9, 0.6,
                          leave_out=("none",), slack=True))
    shift_cap = 128 if quick else 512
    shift = tuple(Cell(f"shift-{metric.replace('_', '-')}", label, ("--workload", "shift", "--cap", shift_cap), metric, unit, "low", 1, 1, 0.6,
                       leave_out=("none",))
                  for metric, label, unit in (("peak_mib", "peak RSS", "MiB"), ("fill_ms", "first fill, 16 KiB pages", "ms"),
                                              ("refill_ms", "refill, 256 KiB pages", "ms")))
    touch = 128 if quick else 1024
    lifetime = tuple(Cell(f"lifetime-{metric.replace('_', '-')}", label, ("--workload", "lifetime", "--touch", touch), metric, unit, "low",
                          scale, 1, 0.6, only=("holdfast", "malloc"))
                     for metric, label, unit, scale in (("open_us", "open 1 TiB", "µs", 1), ("close_untouched_us", "close, nothing touched", "µs", 1),
                                                        ("close_touched_us", f"close after touching {touch} MiB", "ms", 1e-3)))
    sixteen = ("--threads", 16) + size64
    sixteen_cells = (Cell("crowd-pair", "pair on each", ("--workload", "pair") + sixteen, "ops_per_s", "M/s", "high", 1e-6, 5),
                     Cell("crowd-neighbour", "release what the neighbour allocated", ("--workload", "neighbour") + sixteen, "ops_per_s", "M/s",
                          "high", 1e-6, 5))
    return [
        Group("pair", "W1: allocate and release a page, not zeroed",
              "One page at a time, its first byte written. CPU time per pair, one thread.",
              pair_cells(quick, 1) + (Cell("pair-64k-batch32", "64 KiB, 32 at once", ("--workload", "pair", "--batch", 32) + size64, "cpu_ns", "ns"),)),
        Group("pair2", "W1 on two threads", "The same on two threads at once. CPU time per pair.", pair_cells(quick, 2)),
        Group("zeroed", "W1 zeroed", "The page must be zero, and its last owner said nothing of what it wrote. CPU time per pair; malloc peers: calloc.",
              zeroed_cells(quick)),
        Group("dirty", "W1 zeroed, 8 KiB written", "The last owner wrote only the first 8 KiB. holdfast can be told so; nobody else can. CPU time per pair.", dirty),
        Group("batch", "W2: batches of 1,024", "1,024 pages allocated, a byte of each touched, all released. CPU time per page.", batch),
        Group("handoff", "W3: allocate here, release there",
              "One thread allocates, another releases, a ring of 1,024 between them. Wall time per page; `harness` is the ring alone.", handoff),
        Group("churn", "W4: page-cache churn",
              f"Pages of 4 to 256 KiB under a cap of {cap} MiB; each operation throws random pages out until the new one fits, and fills it. "
              "`holdfast` has the cap as its hard limit, `holdfast +5 %` a limit 5 % above the cap; the others have none.", tuple(churn)),
        Group("crowd", "W6: sixteen threads", "More threads than processors. Pages of 64 KiB, all threads together, per second of wall time.", sixteen_cells),
        Group("shift", "W7: memory moves between classes",
              f"{shift_cap} MiB as pages of 16 KiB, touched and released; then the same as pages of 256 KiB.", shift),
        Group("lifetime", "Open and close",
              "An arena of 1 TiB with a pool. `bare` is mmap, munmap, and madvise(MADV_DONTNEED) over the same memory, with nothing to revoke.", lifetime),
    ]


# The rows of the access table: metric, what it is, the row without holdfast that it compares with.
ACCESS = [
    ("loop", "the loop alone (harness)", None),
    ("raw_load", "raw 8-byte load", None),
    ("bounds_load", "the same with a bounds check", "raw_load"),
    ("check", "hf_check", None),
    ("optimistic", "optimistic read: raw load, then hf_check", "raw_load"),
    ("get_u64", "hf_get_u64", "raw_load"),
    ("pin_unpin", "hf_pin and hf_unpin", None),
    ("pin_unpin_same_page_2_threads", "the same, two threads on one page", "pin_unpin"),
    ("raw_store", "raw 8-byte store", None),
    ("set_u64", "hf_set_u64", "pin_unpin"),
    ("write_8", "hf_write, 8 bytes", "pin_unpin"),
    ("raw_write_64", "memcpy, 64 bytes", None),
    ("write_64", "hf_write, 64 bytes", "raw_write_64"),
    ("read_64", "hf_read, 64 bytes", "raw_write_64"),
    ("raw_write_page", "memcpy, 4 KiB", None),
    ("write_page", "hf_write, 4 KiB", "raw_write_page"),
]
