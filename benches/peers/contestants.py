"""Whom a row is measured for: how each is mounted, and where its snapshots are."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from data import drop_caches, run


def all_of(place, without):
    fields = [Native(place), Squashfs(place), Restic(place), Floor(place), Revu(place)]
    return [field for field in fields if field.name not in without]


class Native:
    name = "native"

    def __init__(self, place):
        self.place = place

    def mount(self):
        pass

    def unmount(self):
        pass

    def close(self):
        """After the last row."""
        self.unmount()

    def roots(self):
        """The folders of the two snapshots, the newest last."""
        return [self.place.data]

    def root(self):
        return self.roots()[-1]

    def cold(self):
        """Begins anew, with nothing of it in any cache but those on disk."""
        self.unmount()
        drop_caches()
        self.mount()

    def cpu(self):
        """Processor seconds of the process behind the mount."""
        return 0.0

    def memory(self):
        """Resident memory of the process behind the mount, MiB."""
        return None


class Squashfs(Native):
    name = "squashfs"

    def __init__(self, place):
        super().__init__(place)
        self.point = place.mounts / "squashfs"
        self.point.mkdir(exist_ok=True)

    def mount(self):
        run("mount", "-t", "squashfs", "-o", "loop,ro", self.place.path("image.squashfs"), self.point)

    def unmount(self):
        if os.path.ismount(self.point):
            run("umount", self.point)

    def roots(self):
        return [self.point]


class WithProcess(Native):
    process = None

    def __init__(self, place):
        super().__init__(place)
        self.point = place.mounts / self.name
        self.point.mkdir(exist_ok=True)

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    def mount(self):
        self.process = subprocess.Popen(
            [str(part) for part in self.command()],
            env=self.place.env,
            cwd=self.place.work,
            stdout=subprocess.DEVNULL,
            stderr=open(self.place.path(f"{self.name}.log"), "ab"),
        )
        until = time.monotonic() + 120
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{self.name} did not mount; see {self.place.path(self.name)}.log")
            time.sleep(0.002)

    def unmount(self):
        if os.path.ismount(self.point):
            run("fusermount3", "-u", self.point)
        if self.process is not None:
            self.process.wait(60)
            self.process = None

    def cpu(self):
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return None


class Restic(WithProcess):
    name = "restic"

    def command(self):
        return ["restic", "mount", "-q", "--no-lock", "-r", self.place.path("restic"), self.point]

    def ready(self):
        return os.path.ismount(self.point) and (self.point / "ids").is_dir()

    def roots(self):
        folder = self.point / "snapshots"
        return sorted(one / "data" for one in folder.iterdir() if not one.is_symlink())


class Floor(WithProcess):
    """The same files from memory over FUSE, and no other work: examples/fuse_floor.rs."""

    name = "floor"

    def command(self):
        return [os.environ["REVU_FLOOR"], self.place.data, self.point]

    def ready(self):
        return os.path.ismount(self.point)

    def mount(self):
        # It takes a while to load, and what it has loaded is in no cache that could be dropped.
        if self.process is None:
            super().mount()

    def cold(self):
        self.mount()
        drop_caches()

    def unmount(self):
        pass

    def close(self):
        super().unmount()

    def roots(self):
        return [self.point]


class Revu(WithProcess):
    name = "revu"

    def command(self):
        return [*self.place.revu(self.repository()), "mount", "-f", self.point]

    def repository(self):
        return self.place.path("revu")

    def ready(self):
        return os.path.ismount(self.point)

    def roots(self):
        folder = self.point / "snapshots"
        return sorted(one for one in folder.iterdir())

    def forget(self):
        """As if it had never been here."""
        shutil.rmtree(Path(self.place.env["XDG_CACHE_HOME"]) / "revu", ignore_errors=True)
