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
        medians, cells = of_all(row["figures"])
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
        _, cells = of_all(row["busy"])
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    worst = max(results.values(), key=lambda row: row["stolen"], default=None)
    if worst and worst["stolen"] >= 0.02:
        lines += [
            "",
            f"The host of this virtual machine gave up to {worst['stolen']:.0%} of its processors to others "
            f"({worst['what']}): measure again when it does not.",
        ]
    return "\n".join(lines)


def of_all(figures):
    """Medians by name, and as cells of the table."""
    medians = {name: statistics.median(all_) for name, all_ in figures.items()}
    return medians, [number(medians[name]) if name in medians else "" for name in NAMES]


def json_text(results, place):
    about = {"machine": machine(), "files": place.files(), "large": place.large.stat().st_size, "quick": place.quick}
    return json.dumps({"about": about, "rows": results}, indent=1) + "\n"
