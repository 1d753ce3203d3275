"""What larger folders cost: to look up a name that was never asked for, and to list them."""

import os
import random
import time

from mounted import Revu
from repositories import FOLDERS
from steps import say

LOOKUPS = 1_000


def measure(place, rounds):
    field = Revu(place, place.folders())
    points = [
        {"entries": entries, "folders": folders, "stat_us": [], "list_us_per_entry": []}
        for entries, folders in place.of(FOLDERS)
    ]
    try:
        for nth in range(rounds):
            chosen = random.Random(nth)
            root = fresh(field)
            for point in points:
                point["stat_us"].append(stat(root, point, chosen))
            root = fresh(field)
            for point in points:
                point["list_us_per_entry"].append(listing(root, point))
    finally:
        field.unmount()
    for point in points:
        say(f"folders of {point['entries']}: {point['stat_us']} us a stat, {point['list_us_per_entry']} us an entry listed")
    return {"lookups": LOOKUPS, "points": points}


def fresh(field):
    """The folder of the snapshot in a new mount. Its catalog is there, its entries are not in the kernel."""
    field.cold()
    root = field.root()
    os.listdir(root)
    return root


def stat(root, point, chosen):
    """Microseconds for each of a thousand names at random, of folders that are open already."""
    entries, folders = point["entries"], point["folders"]
    opened = [os.open(root / str(entries) / str(nth), os.O_RDONLY | os.O_DIRECTORY) for nth in range(folders)]
    try:
        names = [(opened[n // entries], name(n % entries)) for n in chosen.sample(range(entries * folders), LOOKUPS)]
        begun = time.perf_counter()
        for folder, file in names:
            os.stat(file, dir_fd=folder)
        return (time.perf_counter() - begun) / LOOKUPS * 1e6
    finally:
        for one in opened:
            os.close(one)


def listing(root, point):
    """Microseconds for each entry of all folders of this kind."""
    entries, folders = point["entries"], point["folders"]
    paths = [root / str(entries) / str(nth) for nth in range(folders)]
    begun = time.perf_counter()
    seen = sum(len(os.listdir(path)) for path in paths)
    took = time.perf_counter() - begun
    assert seen == entries * folders, f"{seen} entries in {folders} folders of {entries}"
    return took / seen * 1e6


def name(n):
    return f"20240501100000-{n:07}.sy"
