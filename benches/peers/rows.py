"""What is measured. A row is a name, who takes part, and one run of it that gives seconds."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import random_offsets
from steps import drop_caches, say

MEMORY = Path("/dev/shm")
# How often what is in the kernel's cache is read again, and after how many seconds no more.
REPEATS = 3
ENOUGH = 5
# It is in no file, so that grep reads everything and prints nothing.
PATTERN = "no line has this in it, neither here nor there"


class Watch:
    """Seconds by the clock, and processor seconds of the whole machine meanwhile."""

    # Of the last one.
    busy = 0.0

    def __enter__(self):
        self.begun, self.before = time.monotonic(), machine_times()[0]
        return self

    def __exit__(self, *_):
        self.took = time.monotonic() - self.begun
        Watch.busy = machine_times()[0] - self.before


def machine_times():
    """Processor seconds since the machine has started: of all programs and of the kernel; those that a virtual
    machine wanted and its host gave to others; all."""
    times = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, idle, iowait, irq, softirq, stolen = (int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in times)
    busy = user + nice + system + irq + softirq
    return busy, stolen, busy + idle + iowait + stolen


def timed(*command, place, cwd=None, good=(0,)):
    with Watch() as watch:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=place.env,
            cwd=cwd,
        )
    if done.returncode not in good:
        sys.exit(f"{command} failed with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return watch.took


class Row:
    """One line of the table."""

    def __init__(self, name, what, run, who=("native", "squashfs", "restic", "floor", "revu"), rounds=None):
        self.name, self.what, self.run, self.who, self.rounds = name, what, run, who, rounds


def cat(field):
    return timed("cat", field.root() / "large.tar", place=field.place)


def listing(field):
    return timed("ls", "-lR", field.root() / "tree", place=field.place)


def grep(field, parts=("tree",)):
    # To a file: grep stops at once where it sees that it writes to /dev/null.
    root = field.root()
    with tempfile.TemporaryFile() as out, Watch() as watch:
        running = [
            subprocess.Popen(["grep", "-r", PATTERN, root / part], stdout=out, stderr=subprocess.PIPE, env=field.place.env)
            for part in parts
        ]
        for one in running:
            one.wait()
            if one.returncode != 1:
                sys.exit(f"grep in {root} failed: {one.stderr.read().decode(errors='replace')}")
    return watch.took


def copy(field):
    target = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        return timed("cp", "-r", field.root() / "tree", target, place=field.place)
    finally:
        shutil.rmtree(target)


def random_reads(field):
    path = field.root() / "large.tar"
    file = os.open(path, os.O_RDONLY)
    try:
        offsets = random_offsets(os.fstat(file).st_size, 2000)
        with Watch() as watch:
            for offset in offsets:
                if len(os.pread(file, 4096, offset)) != 4096:
                    sys.exit(f"{path}: a short read")
        return watch.took
    finally:
        os.close(file)


def diff(field):
    one, other = (field.roots() * 2)[-2:]
    if field.name == "native":
        one, other = field.place.path("twin"), field.place.data
    return timed("diff", "-rq", one / "tree", other / "tree", place=field.place, good=(0, 1))


def cold(run):
    def measure(field):
        field.cold()
        return run(field)

    return measure


def first_time(run):
    def measure(field):
        if field.name == "revu":
            field.unmount()
            field.forget()
        field.cold()
        return run(field)

    return measure


def warm(run):
    """The quickest of some runs after the first. A kernel may have taken a part of its cache back meanwhile (a
    virtual machine's does, for its host: DAMON), and then a run is not what the row is about."""

    def measure(field):
        field.cold()
        run(field)
        runs, until = [], time.monotonic() + ENOUGH
        while not runs or (len(runs) < REPEATS and time.monotonic() < until):
            runs.append((run(field), Watch.busy))
        took, Watch.busy = min(runs)
        return took

    return measure


def four(field):
    """Four readers at once, each in its own part, against one that reads the parts in turn."""
    field.cold()
    tree = field.root() / "tree"
    folders = sorted((one for one in tree.iterdir() if one.is_dir()), key=size_of, reverse=True)[:4]
    parts = [f"tree/{one.name}" for one in folders]
    # Once before, so that a virtual disk has seen all of it in both.
    field.cold()
    grep(field, parts)
    field.cold()
    together = grep(field, parts)
    field.cold()
    alone = sum(grep(field, [part]) for part in parts)
    return together / alone


def size_of(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def backup(field):
    # Each into a folder of its own, and none is removed before the last: ext4 is slow at making files where
    # many were removed within the last minutes.
    place, where = field.place, field.place.fresh(f"first-{field.name}")
    if field.name == "native":
        return timed("find", place.data, "-printf", "%s %T@ %C@ %i %p\\n", place=place)
    place.fresh_repository(field.name, where)
    if field.name == "revu":
        field.forget()
    drop_caches()
    took = timed(*place.backup_command(field.name, where), place=place, cwd=place.work)
    return took


def backup_again(field):
    place, where = field.place, field.place.last(f"first-{field.name}")
    if field.name == "native":
        backup(field)
        return backup(field)
    if where is None:
        backup(field)
        where = place.last(f"first-{field.name}")
    command = place.backup_command(field.name, where)
    timed(*command, place=place, cwd=place.work)
    return timed(*command, place=place, cwd=place.work)


def restore(field):
    place, target = field.place, field.place.fresh("restored")
    drop_caches()
    if field.name == "revu":
        command = [*place.revu(place.path("revu")), "restore", "latest", "--to", target, "--quiet"]
    else:
        command = ["restic", "restore", "latest", "-q", "-r", place.path("restic"), "--target", target]
    took = timed(*command, place=place)
    os.sync()
    return took


def many_first(field):
    """From nothing to the list of many snapshots."""
    where = field.place.many()
    field.unmount()
    drop_caches()
    field.repository = lambda: where
    try:
        with Watch() as watch:
            field.mount()
            os.listdir(field.point / "snapshots")
        return watch.took
    finally:
        del field.repository


def many_enter(field):
    """The first list of one of them, seen once before by another process."""
    where = field.place.many()
    field.repository = lambda: where
    try:
        for nth in range(2):
            field.cold()
            folder = field.point / "snapshots"
            names = sorted(os.listdir(folder))
            with Watch() as watch:
                os.listdir(folder / names[len(names) // 2])
        return watch.took
    finally:
        del field.repository


ROWS = [
    Row("cat cold", "cat of the large file, cold", cold(cat)),
    Row("cat warm", "the same again", warm(cat)),
    Row("ls first", "`ls -lR`, cold; revu for the first time ever", first_time(listing)),
    Row("ls cold", "`ls -lR`, cold; revu with its cache", cold(listing)),
    Row("ls warm", "the same again", warm(listing)),
    Row("grep cold", "`grep -r`, cold", cold(grep)),
    Row("grep warm", "the same again", warm(grep)),
    Row("cp cold", "`cp -r` to memory, cold", cold(copy)),
    Row("random", "2,000 random reads of 4 KiB, cold", cold(random_reads)),
    Row("diff", "`diff -rq` of two snapshots, one file changed, cold", cold(diff), who=("native", "restic", "revu")),
    Row("four", "four `grep -r` at once, cold, as a share of one after the other", four, who=("native", "squashfs", "revu")),
    Row("memory", "resident memory after `ls`, `grep`, `cat`, MiB", None, who=("restic", "revu"), rounds=1),
    Row("backup first", "first snapshot", backup, who=("restic", "revu")),
    Row("backup again", "snapshot with nothing changed (native: `find -printf`)", backup_again, who=("native", "restic", "revu")),
    Row("many first", "mount to the list of many snapshots, cold", many_first, who=("revu",)),
    Row("many enter", "the first list of one of them, with the cache, cold", many_enter, who=("revu",)),
    Row("restore", "restore of the whole snapshot to disk, cold", restore, who=("restic", "revu")),
]


def memory(field):
    field.cold()
    listing(field)
    grep(field)
    cat(field)
    return field.memory()


ROWS[[row.name for row in ROWS].index("memory")].run = memory


def run(fields, place, rounds, only):
    """All rows, each field in turn, so that what the machine does meanwhile is everybody's."""
    results = {}
    if any(field.name == "native" for field in fields):
        twin(place)
    for row in ROWS:
        if only and not any(row.name.startswith(name) for name in only):
            continue
        taking_part = [field for field in fields if field.name in row.who]
        figures = {field.name: [] for field in taking_part}
        processor = {field.name: [] for field in taking_part}
        busy = {field.name: [] for field in taking_part}
        before = machine_times()
        for _ in range(row.rounds or rounds):
            for field in taking_part:
                figures[field.name].append(row.run(field))
                processor[field.name].append(field.cpu())
                busy[field.name].append(Watch.busy)
                field.unmount()
        _, stolen, all_ = (now - then for now, then in zip(machine_times(), before))
        results[row.name] = {
            "what": row.what,
            "figures": figures,
            "processor": processor,
            "busy": busy,
            "stolen": stolen / all_,
        }
        medians = ", ".join(f"{name} {statistics.median(all_):.3f}" for name, all_ in figures.items())
        say(f"{row.name}: {medians}")
    for field in fields:
        field.close()
        field.place.clear()
    return results


def twin(place):
    """A copy of the tree with one file changed, for the native side of the diff."""
    if place.marked("twin"):
        return
    shutil.rmtree(place.path("twin"), ignore_errors=True)
    place.path("twin").mkdir()
    with place.one_file_changed():
        subprocess.run(["cp", "-a", place.tree, place.path("twin")], check=True)
    place.mark("twin")
