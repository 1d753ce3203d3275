"""What more snapshots cost: to see them, to enter one, memory, and to remove half of them."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mounted import Revu
from repositories import CHANGED, FILES, SNAPSHOTS
from steps import drop_caches, say

# Copies that purge may take apart: in memory, since a disk takes minutes to forget 200,000 small files,
# and not twice the same.
MEMORY = Path("/dev/shm")


def measure(place, rounds):
    points = []
    for count in place.of(SNAPSHOTS):
        point = {"snapshots": count, "first": [], "again": [], "purge": []}
        where = place.snapshots(count)
        for _ in range(rounds):
            field = Revu(place, where)
            field.forget()
            point["first"].append(visit(field))
            point["again"].append(visit(field))
            point["purge"].append(purge(place, where, count))
        say(f"snapshots {count}: first {point['first'][0]}, again {point['again'][0]}, purge {point['purge'][0]}")
        points.append(point)
    return {"files": FILES, "changed": CHANGED, "points": points}


def visit(field):
    """A mount, the list of the snapshots, and the list of the one in the middle."""
    field.unmount()
    drop_caches()
    # The program is the same for one snapshot and for many: its own way from the disk would hide the rest.
    field.place.revu_program.read_bytes()
    try:
        begun = time.monotonic()
        field.mount()
        folder = field.point / "snapshots"
        names = sorted(os.listdir(folder))
        listed = time.monotonic()
        os.listdir(folder / names[len(names) // 2])
        entered = time.monotonic()
        return {
            "list_seconds": listed - begun,
            "enter_seconds": entered - listed,
            "resident_mib": field.memory(),
            # Without what is shared with the page cache: the program, files that it maps.
            "anonymous_mib": field.status("RssAnon"),
        }
    finally:
        field.unmount()


def purge(place, where, count):
    """Half of the snapshots removed from a copy of the repository."""
    keep = count // 2
    needed, free = blocks_of(where), shutil.disk_usage(MEMORY).free
    if free < needed * 1.1:
        sys.exit(f"{MEMORY} has room for {free >> 20} MiB, the copy of {where.name} needs {needed >> 20}")
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="revu-growth-") as folder:
        copy = Path(folder) / "repository"
        shutil.copytree(where, copy)
        shutil.copy(place.key_file(where), place.key_file(copy))
        command = [*place.revu(copy), "purge", "--keep-last", str(keep), "--quiet"]
        with tempfile.TemporaryFile() as errors:
            begun = time.monotonic()
            child = subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=errors, env=place.env
            )
            _, status, usage = os.wait4(child.pid, 0)
            took = time.monotonic() - begun
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                errors.seek(0)
                sys.exit(f"purge of {count} snapshots failed: {errors.read().decode(errors='replace')}")
        left = len(os.listdir(copy / "indexes"))
        if left != keep:
            sys.exit(f"purge was to keep {keep} of {count} snapshots, and {left} are there")
    cpu = usage.ru_utime + usage.ru_stime
    return {"seconds": took, "processor_seconds": cpu, "peak_mib": usage.ru_maxrss / 1024}


def blocks_of(folder):
    """Bytes that the files of a folder take."""
    return sum(
        os.lstat(os.path.join(place, file)).st_blocks * 512 for place, _, files in os.walk(folder) for file in files
    )
