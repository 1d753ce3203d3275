"""The repositories that are measured. Each is built by an example that writes its objects straight."""

import os
import shutil
from pathlib import Path

from steps import run, say
from workplace import Workplace

# Every snapshot has so many files, and so many of them are new in each: 1 %.
FILES, CHANGED = 2_000, 20
SNAPSHOTS = {"full": [10, 100, 1_000, 10_000], "quick": [10, 100, 1_000]}
# Entries of a folder, and how many such folders: at least a thousand files of each kind to look up.
FOLDERS = {
    "full": [(10, 100), (100, 10), (1_000, 1), (10_000, 1), (100_000, 1)],
    "quick": [(10, 100), (100, 10), (1_000, 1), (10_000, 1)],
}
# MiB of the large file, and the parts that it is there as once more.
LARGE = {"full": 4_096, "quick": 512}
PARTS = 8


class Repositories(Workplace):
    def of(self, sizes):
        return sizes["quick" if self.quick else "full"]

    def snapshots(self, count):
        return self._built(f"snapshots-{count}", "many_snapshots", count, FILES, CHANGED)

    def folders(self):
        sizes = [f"{entries}:{count}" for entries, count in self.of(FOLDERS)]
        return self._built("folders", "wide_folders", *sizes)

    def large(self):
        return self._built("large", "large_files", self.of(LARGE), PARTS)

    def _built(self, name, example, *numbers):
        where = self.path(name)
        if not self.marked(name):
            say(f"building the repository {name}")
            shutil.rmtree(where, ignore_errors=True)
            key = run(Path(os.environ["REVU_EXAMPLES"]) / example, where, *numbers)
            self.keep_key(where, key)
            self.mark(name)
        return where
