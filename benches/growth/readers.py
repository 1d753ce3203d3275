"""Memory of the mount while eight processes read large files at the same time."""

import subprocess
import sys
import time

from mounted import Revu
from repositories import PARTS
from steps import say

INTERVAL = 0.02
# MiB for file content: a small cache, the usual one, and one that most of the files fit in.
CAPS = {"full": [64, 256, 1_024], "quick": [64, 256]}


def measure(place, rounds):
    where = place.large()
    caps = []
    for cap in place.of(CAPS):
        runs = []
        for _ in range(rounds):
            field = Revu(place, where, options=("--cache-size", f"{cap}M"))
            try:
                field.cold()
                runs.append(one_run(field))
            finally:
                field.unmount()
        say(f"cache of {cap} MiB: peaks of {[round(one['peak_mib']) for one in runs]} MiB")
        caps.append({"cap_mib": cap, "runs": runs})
    return {"readers": PARTS, "interval_seconds": INTERVAL, "caps": caps}


def one_run(field):
    root = field.root()
    parts = [root / f"part-{nth}" for nth in range(PARTS)]
    read = sum(part.stat().st_size for part in parts)
    before = field.memory()
    samples = []
    begun = time.monotonic()
    running = [subprocess.Popen(["cat", part], stdout=subprocess.DEVNULL) for part in parts]
    while any(one.poll() is None for one in running):
        samples.append([round(time.monotonic() - begun, 3), round(field.memory(), 1)])
        time.sleep(INTERVAL)
    took = time.monotonic() - begun
    if any(one.returncode for one in running):
        sys.exit(f"a reader of {root} failed")
    return {
        "before_mib": before,
        # What the kernel has noted: no sample misses it.
        "peak_mib": field.status("VmHWM"),
        "seconds": took,
        "mb_per_s": read / 1e6 / took,
        "samples": samples,
    }
