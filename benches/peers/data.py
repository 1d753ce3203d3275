"""The data: Debian's sources of Linux 6.1 as a tree and as a tar, and what each peer makes of them."""

import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

from steps import run, say
from workplace import Workplace

SOURCE = "linux-source-6.1"
PASSPHRASE = "only for the benchmark"
# Snapshots, files in each, and files that change from one to the next.
MANY = {"full": (1000, 20_000, 200), "quick": (50, 1_000, 10)}


class Place(Workplace):
    """Where everything lies, and what it is made of."""

    def __init__(self, work, quick, revu):
        super().__init__(work, quick, revu)
        self.data = self.work / "data"
        self.tree = self.data / "tree"
        self.large = self.data / "large.tar"
        self.made = {}
        self.env |= {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": str(self.work / "cache" / "restic")}

    def prepare(self, peers):
        super().prepare()
        if not self.marked("data"):
            say("building the data")
            shutil.rmtree(self.data, ignore_errors=True)
            self._unpack()
            self.mark("data")
        if "squashfs" in peers and not self.marked("squashfs"):
            say("building the squashfs image")
            self.path("image.squashfs").unlink(missing_ok=True)
            run("mksquashfs", self.data, self.path("image.squashfs"), "-comp", "zstd", "-Xcompression-level", "3", "-no-progress", "-quiet")
            self.mark("squashfs")
        for name in ("revu", *(p for p in peers if p == "restic")):
            if not self.marked(name):
                say(f"building the repository of {name}")
                self.fresh_repository(name, self.path(name))
                self.backup(name, self.path(name))
                with self.one_file_changed():
                    self.backup(name, self.path(name))
                self.mark(name)

    def _unpack(self):
        packed = Path("/usr/src") / f"{SOURCE}.tar.xz"
        self.data.mkdir()
        plain = self.work / "source.tar"
        with open(plain, "wb") as out:
            subprocess.run(["xz", "-dcT0", packed], stdout=out, check=True)
        if self.quick:
            # One part of the tree, and a tar of that.
            part = f"{SOURCE}/drivers/net"
            run("tar", "-xf", plain, "-C", self.work, part)
            (self.work / part).rename(self.tree)
            shutil.rmtree(self.work / SOURCE)
            with tarfile.open(self.large, "w") as out:
                out.add(self.tree, "tree")
            plain.unlink()
        else:
            run("tar", "-xf", plain, "-C", self.work)
            (self.work / SOURCE).rename(self.tree)
            plain.rename(self.large)

    def one_file_changed(self):
        """While it lasts, one file of the tree has another end."""
        path = self.tree / ("ethernet/intel/e1000/e1000_main.c" if self.quick else "kernel/fork.c")
        return Changed(path)

    def fresh_repository(self, name, where):
        shutil.rmtree(where, ignore_errors=True)
        if name == "revu":
            # A key file: a passphrase is stretched, which takes a while each time on purpose.
            key = self.key_file(where)
            key.unlink(missing_ok=True)
            run(self.revu_program, "init", "--profile", "plain", "--new-key-file", key, where, env=self.env)
        else:
            run("restic", "init", "-r", where, env=self.env)

    def fresh(self, name):
        """A path at which there is nothing yet, until the end."""
        made = self.made.setdefault(name, [])
        made.append(self.path(f"{name}-{len(made)}"))
        self._remove(made[-1])
        return made[-1]

    def last(self, name):
        """The last path that was given for this name."""
        return self.made.get(name, [None])[-1]

    def clear(self):
        for paths in self.made.values():
            for path in paths:
                self._remove(path)
        self.made.clear()

    def _remove(self, path):
        shutil.rmtree(path, ignore_errors=True)
        self.key_file(path).unlink(missing_ok=True)

    def many(self):
        """The repository of many snapshots."""
        where = self.path("many")
        if not self.marked("many"):
            say("building a repository of many snapshots")
            shutil.rmtree(where, ignore_errors=True)
            numbers = MANY["quick" if self.quick else "full"]
            key = run(os.environ["REVU_MANY"], where, *numbers)
            self.keep_key(where, key)
            self.mark("many")
        return where

    def backup_command(self, name, where):
        if name == "revu":
            return [*self.revu(where), "snapshot", "--quiet", self.data]
        return ["restic", "backup", "-q", "-r", where, "data"]

    def backup(self, name, where):
        run(*self.backup_command(name, where), env=self.env, cwd=self.work)

    def files(self):
        return sum(len(files) for _, _, files in os.walk(self.tree))


class Changed:
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        meta = self.path.stat()
        self.before = (self.path.read_bytes(), (meta.st_atime_ns, meta.st_mtime_ns))
        with open(self.path, "ab") as out:
            out.write(b"/* one line more */\n")

    def __exit__(self, *_):
        content, times = self.before
        self.path.write_bytes(content)
        os.utime(self.path, ns=times)


def random_offsets(size, count):
    """The same for everybody."""
    chosen = random.Random(1)
    return [chosen.randrange(0, size - 4096) for _ in range(count)]
