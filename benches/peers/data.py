"""The data: Debian's sources of Linux 6.1 as a tree and as a tar, and what each peer makes of them."""

import os
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

SOURCE = "linux-source-6.1"
PASSPHRASE = "only for the benchmark"
# Snapshots, files in each, and files that change from one to the next.
MANY = {"full": (1000, 20_000, 200), "quick": (50, 1_000, 10)}


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command; its output is shown only if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Place:
    """Where everything lies. What is there from an earlier run is used again."""

    def __init__(self, work, quick, revu):
        self.quick = quick
        self.revu_program = revu
        self.work = work / ("quick" if quick else "full")
        self.data = self.work / "data"
        self.tree = self.data / "tree"
        self.large = self.data / "large.tar"
        self.mounts = self.work / "mounts"
        self.env = dict(
            os.environ,
            LC_ALL="C",
            RESTIC_PASSWORD=PASSPHRASE,
            XDG_CACHE_HOME=str(self.work / "cache"),
            RESTIC_CACHE_DIR=str(self.work / "cache" / "restic"),
        )

    def path(self, name):
        return self.work / name

    def marked(self, name):
        """Whether a step was done in an earlier run."""
        return (self.work / f".{name}.done").exists()

    def mark(self, name):
        (self.work / f".{name}.done").touch()

    def prepare(self, peers):
        self.work.mkdir(exist_ok=True)
        self.mounts.mkdir(exist_ok=True)
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
            part = f"{SOURCE}/drivers/gpu"
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
        path = self.tree / ("drm/amd/amdgpu/amdgpu.h" if self.quick else "kernel/fork.c")
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

    def key_file(self, where):
        return where.with_suffix(".key")

    def revu(self, where):
        """The program on a repository of its own."""
        return [self.revu_program, "--repo", where, "--key-file", self.key_file(where)]

    def many(self):
        """The repository of many snapshots."""
        where = self.path("many")
        if not self.marked("many"):
            say("building a repository of many snapshots")
            shutil.rmtree(where, ignore_errors=True)
            numbers = MANY["quick" if self.quick else "full"]
            key = run(os.environ["REVU_MANY"], where, *numbers)
            self.key_file(where).touch(mode=0o600)
            self.key_file(where).write_text(key)
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


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def random_offsets(size, count):
    """The same for everybody."""
    chosen = random.Random(1)
    return [chosen.randrange(0, size - 4096) for _ in range(count)]
