"""What every measuring program does: say where it is, run a command, begin cold."""

import os
import platform
import subprocess
import sys
from pathlib import Path


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command; its output is shown only if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors, {memory:.0f} GiB of memory, Linux {platform.release().split('-')[0]}"
