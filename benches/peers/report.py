"""The table, and all figures as JSON."""

import json
import statistics

from steps import machine

NAMES = ["native", "squashfs", "restic", "floor", "revu"]
# Whom revu is compared with.
PEERS = ["native", "squashfs", "restic"]


def number(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def markdown(results, place):
    lines = [
        f"{place.files():,} files and one of {place.large.stat().st_size / 1e9:.2f} GB; {machine()}.",
        "Medians of seconds, and revu's as a ratio of each.",
        "`floor` is FUSE alone: the same files from memory.",
        "",
        "| | native | squashfs | restic | floor | revu | revu / native | revu / squashfs | revu / restic |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results.values():
        medians = {name: statistics.median(all_) for name, all_ in row["figures"].items()}
        cells = [number(medians[name]) if name in medians else "" for name in NAMES]
        for name in PEERS:
            both = name in medians and "revu" in medians and medians[name]
            cells.append(f"{medians['revu'] / medians[name]:.2f}" if both else "")
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    lines += [
        "",
        "Processor seconds of the whole machine meanwhile, medians.",
        "",
        "| | native | squashfs | restic | floor | revu |",
        "|---|---|---|---|---|---|",
    ]
    for row in results.values():
        medians = {name: statistics.median(all_) for name, all_ in row["busy"].items()}
        cells = [number(medians[name]) if name in medians else "" for name in NAMES]
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def json_text(results, place):
    about = {"machine": machine(), "files": place.files(), "large": place.large.stat().st_size, "quick": place.quick}
    return json.dumps({"about": about, "rows": results}, indent=1) + "\n"
