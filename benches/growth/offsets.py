"""Whether it matters where in a large file one reads: the first bytes, and the rate after them."""

import os
import time

from mounted import Revu
from steps import say

PIECE = 1 << 20
OFFSETS = 9


def measure(place, rounds):
    field = Revu(place, place.large())
    try:
        field.cold()
        size = (field.root() / "large").stat().st_size
        window = min(64 << 20, size // 16)
        # The beginning, the last possible place, and what lies evenly between them.
        offsets = [(size - window) * nth // (OFFSETS - 1) // PIECE * PIECE for nth in range(OFFSETS)]
        points = [{"offset": offset, "first_ms": [], "mb_per_s": []} for offset in offsets]
        for _ in range(rounds):
            for point in points:
                field.cold()
                first, rate = read(field.root() / "large", point["offset"], window)
                point["first_ms"].append(first)
                point["mb_per_s"].append(rate)
    finally:
        field.unmount()
    for point in points:
        say(f"offset {point['offset'] >> 20} MiB: {point['first_ms']} ms to the first piece, {point['mb_per_s']} MB/s")
    return {"size": size, "window": window, "points": points}


def read(path, offset, window):
    """Milliseconds until the first 4 KiB are there, and MB/s of the window from its begin to its end."""
    file = os.open(path, os.O_RDONLY)
    try:
        begun = time.perf_counter()
        os.pread(file, 4096, offset)
        first = time.perf_counter() - begun
        at, end = offset, offset + window
        while at < end:
            got = len(os.pread(file, min(PIECE, end - at), at))
            assert got > 0, f"{path} ends at {at}"
            at += got
        return first * 1e3, window / 1e6 / (time.perf_counter() - begun)
    finally:
        os.close(file)
