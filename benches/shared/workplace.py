"""Where everything lies. What is there from an earlier run is used again."""

import os


class Workplace:
    def __init__(self, work, quick, revu):
        self.quick = quick
        self.revu_program = revu
        self.work = work / ("quick" if quick else "full")
        self.mounts = self.work / "mounts"
        self.env = dict(os.environ, LC_ALL="C", XDG_CACHE_HOME=str(self.work / "cache"))

    def prepare(self):
        self.work.mkdir(exist_ok=True)
        self.mounts.mkdir(exist_ok=True)

    def path(self, name):
        return self.work / name

    def marked(self, name):
        """Whether a step was done in an earlier run."""
        return (self.work / f".{name}.done").exists()

    def mark(self, name):
        (self.work / f".{name}.done").touch()

    def key_file(self, where):
        return where.with_suffix(".key")

    def keep_key(self, where, text):
        """Writes the key of a repository where its owner alone can read it."""
        self.key_file(where).touch(mode=0o600)
        self.key_file(where).write_text(text)

    def revu(self, where):
        """The program on a repository of its own."""
        return [self.revu_program, "--repo", where, "--key-file", self.key_file(where)]
