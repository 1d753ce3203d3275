"""How revu's cost grows: with snapshots, entries of a folder, the offset in a file, and readers.

Called by scripts/growth, which builds revu and what draws the plots.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "shared"))

import folders
import offsets
import readers
import report
import snapshots
from repositories import Repositories

PARTS = {"snapshots": snapshots, "folders": folders, "offsets": offsets, "readers": readers}
EXAMPLES = """examples:
  scripts/growth --json growth.json --plots docs/plots     everything, as docs/performance.md shows it
  scripts/growth --quick                                   small numbers, to see whether it works
  scripts/growth --only folders --rounds 5                 one part
  cargo run --release --example plots -- docs/plots growth.json bench.json
                                                           the plots alone, also those of scripts/bench --json
"""


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/growth",
        description=__doc__.splitlines()[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, one round, two minutes at most")
    parser.add_argument("--rounds", type=int, default=None, metavar="N", help="how often each is measured (default 3)")
    parser.add_argument("--only", action="append", default=[], choices=list(PARTS), help="only this part; may be repeated")
    parser.add_argument("--work", type=Path, default=None, metavar="DIR", help="where the repositories are built, and kept for the next run")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="also write all figures there")
    parser.add_argument("--plots", type=Path, default=None, metavar="FOLDER", help="also draw them there, as SVG")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("scripts/growth must be run as root: it drops the kernel's caches")
    work = args.work or Path(os.environ.get("TMPDIR", "/var/tmp")) / "revu-bench" / "growth"
    work.mkdir(parents=True, exist_ok=True)

    place = Repositories(work.resolve(), quick=args.quick, revu=Path(os.environ["REVU"]))
    place.prepare()
    rounds = args.rounds or (1 if args.quick else 3)
    results = {name: part.measure(place, rounds) for name, part in PARTS.items() if not args.only or name in args.only}
    print(report.markdown(results, rounds))

    json_file = args.json or place.path("growth.json")
    json_file.write_text(report.json_text(results, rounds, args.quick))
    if args.plots:
        plots = Path(os.environ["REVU_EXAMPLES"]) / "plots"
        subprocess.run([plots, args.plots, json_file], check=True)


main()
