"""Whom a row is measured for: how each is mounted, and where its snapshots are."""

import os

from mounted import Field, Revu, WithProcess
from steps import drop_caches, run


def all_of(place, without):
    fields = [Native(place), Squashfs(place), Restic(place), Floor(place), Revu(place, place.path("revu"))]
    return [field for field in fields if field.name not in without]


class Native(Field):
    name = "native"

    def roots(self):
        """The folders of the two snapshots, the newest last."""
        return [self.place.data]


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
