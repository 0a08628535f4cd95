"""The picture of tools/bench: for each row of Linux how many times the bare machine's cost it has
in each column, and below that the instructions of each hypercall and trap."""

import bench_table
import ways_svg

LABELS = 340    # pixels
COLOURS = {"Xen": "#c0504d", "Paragon": "#6aa84f"}


def rows_of(results, kind):
    """(row, {column: multiple of bare, or instructions where the bare machine has no such row})."""
    for name in bench_table.names_of(results, kind):
        costs = bench_table.costs_of(results, kind, name)
        base = costs.pop("bare", 1) or 1
        yield name, {bench_table.TITLES[column]: cost / base for column, cost in costs.items()}


def picture(results):
    lines, height = ways_svg.chart(list(rows_of(results, "linux")), COLOURS,
                                   "Linux: times the instructions on the bare machine",
                                   labels=LABELS)
    more, rest = ways_svg.chart(list(rows_of(results, "micro")), COLOURS,
                                "Hypercalls and traps: instructions", height, LABELS)
    return ways_svg.page(lines + more, height + rest, LABELS)
