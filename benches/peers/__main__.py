"""Side by side: native ext4, kernel squashfs, restic's mount and revu's, in one run.

Called by scripts/bench, which installs the peers and builds revu.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "shared"))

import contestants
import data
import report
import rows


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small set of data in one round, some two minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured (default 3, with --quick 1)")
    parser.add_argument("--without", action="append", default=[], choices=["squashfs", "restic", "floor"], help="leave out a peer")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="only rows whose names begin so")
    parser.add_argument("--work", type=Path, default=None, metavar="DIR", help="where the data is built, and kept for the next run")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="also write all figures there")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("scripts/bench must be run as root: it drops the kernel's caches and mounts squashfs")
    rounds = args.rounds or (1 if args.quick else 3)
    work = args.work or Path(os.environ.get("TMPDIR", "/var/tmp")) / "revu-bench"
    work.mkdir(parents=True, exist_ok=True)
    revu = Path(os.environ["REVU"])

    place = data.Place(work, quick=args.quick, revu=revu)
    place.prepare(peers=[peer for peer in ("squashfs", "restic") if peer not in args.without])
    fields = contestants.all_of(place, args.without)
    results = rows.run(fields, place, rounds, args.only)
    print(report.markdown(results, place))
    if args.json:
        args.json.write_text(report.json_text(results, place))


main()
