"""The tables, and all figures as JSON."""

import json
import statistics

from steps import machine


def markdown(results, rounds):
    times = "once" if rounds == 1 else f"medians of {rounds} rounds"
    parts = [f"Each figure measured cold, {times}; {machine()}."]
    for name, part in results.items():
        parts.append("\n".join(TABLES[name](part)))
    return "\n\n".join(parts)


def snapshots(part):
    yield f"Snapshots of {part['files']:,} files each, {part['changed']} of them new in each:"
    yield ""
    yield from table(
        [
            "snapshots",
            "mount to their list, ever / again (ms)",
            "list of one of them, ever / again (ms)",
            "resident then, ever / again (MiB)",
            "of that anonymous (MiB)",
            "purge of half, in memory (s)",
            "its processor seconds",
            "its peak (MiB)",
        ],
        (
            [
                f"{point['snapshots']:,}",
                both(point, "list_seconds", 1e3),
                both(point, "enter_seconds", 1e3),
                both(point, "resident_mib", 1),
                both(point, "anonymous_mib", 1),
                number(of(point["purge"], "seconds")),
                number(of(point["purge"], "processor_seconds")),
                number(of(point["purge"], "peak_mib")),
            ]
            for point in part["points"]
        ),
    )


def folders(part):
    yield f"Folders, {part['lookups']:,} names at random in each kind, and their lists:"
    yield ""
    yield from table(
        ["entries", "stat of a name (µs)", "list, for each entry (µs)"],
        (
            [f"{point['entries']:,}", number(median(point["stat_us"])), number(median(point["list_us_per_entry"]))]
            for point in part["points"]
        ),
    )


def offsets(part):
    yield f"A file of {part['size'] / 2**30:g} GiB, {part['window'] >> 20} MiB read at each offset:"
    yield ""
    yield from table(
        ["offset (MiB)", "first 4 KiB (ms)", "MB/s"],
        (
            [f"{point['offset'] >> 20:,}", number(median(point["first_ms"])), number(median(point["mb_per_s"]))]
            for point in part["points"]
        ),
    )


def readers(part):
    yield f"{part['readers']} processes that read a large file each, at the same time:"
    yield ""
    yield from table(
        ["`--cache-size` (MiB)", "resident before (MiB)", "peak (MiB)", "peak beyond the cache (MiB)", "MB/s of all"],
        (
            [
                f"{one['cap_mib']:,}",
                number(of(one["runs"], "before_mib")),
                number(of(one["runs"], "peak_mib")),
                number(of(one["runs"], "peak_mib") - one["cap_mib"]),
                number(of(one["runs"], "mb_per_s")),
            ]
            for one in part["caps"]
        ),
    )


TABLES = {"snapshots": snapshots, "folders": folders, "offsets": offsets, "readers": readers}


def table(head, rows):
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def both(point, key, factor):
    return " / ".join(number(of(point[when], key) * factor) for when in ("first", "again"))


def of(rounds, key):
    return median([one[key] for one in rounds])


median = statistics.median


def number(value):
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def json_text(results, rounds, quick):
    return json.dumps({"about": {"machine": machine(), "rounds": rounds, "quick": quick}, **results}, indent=1) + "\n"
