"""Something that can be mounted and read: by the kernel alone, or with a process behind it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from steps import drop_caches, run


class Field:
    name = None

    def __init__(self, place):
        self.place = place

    def mount(self):
        pass

    def unmount(self):
        pass

    def close(self):
        """After the last row."""
        self.unmount()

    def cold(self):
        """Begins anew, with nothing of it in any cache but those on disk."""
        self.unmount()
        drop_caches()
        self.mount()

    def roots(self):
        """The folders of the snapshots, the newest last."""
        raise NotImplementedError

    def root(self):
        return self.roots()[-1]

    def cpu(self):
        """Processor seconds of the process behind the mount."""
        return 0.0

    def memory(self):
        """Resident memory of the process behind the mount, MiB."""
        return None


class WithProcess(Field):
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
        with open(self.place.path(f"{self.name}.log"), "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()],
                env=self.place.env,
                cwd=self.place.work,
                stdout=subprocess.DEVNULL,
                stderr=log,
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
        return self.status("VmRSS")

    def status(self, name):
        """A line of the process's status that is in kB, as MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        return None


class Revu(WithProcess):
    name = "revu"

    def __init__(self, place, repository, options=()):
        super().__init__(place)
        self.at = repository
        self.options = options

    def command(self):
        return [*self.place.revu(self.repository()), "mount", "-f", *self.options, self.point]

    def repository(self):
        return self.at

    def ready(self):
        return os.path.ismount(self.point)

    def roots(self):
        """The folders of the snapshots, the newest last."""
        folder = self.point / "snapshots"
        return sorted(one for one in folder.iterdir())

    def forget(self):
        """As if it had never been here."""
        shutil.rmtree(Path(self.place.env["XDG_CACHE_HOME"]) / "revu", ignore_errors=True)
