#!/usr/bin/env python3
"""Writes the tables of docs/costs.md anew, and its picture, from what `make bench` has measured.

    bench_docs.py build/bench docs/costs.md

A table is known by the begin of its first line.
"""

import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_counts  # noqa: E402
import bench_table  # noqa: E402

RATIOS = {"micro": (("paragon", "xen"),), "linux": (("paragon", "xen"), ("paragon", "floor"))}
BEGINS = {"micro": "| operation | Xen |", "linux": "| operation | bare |",
          "events": "| operation | entries |"}


def markdown(titles, rows):
    yield "| operation | " + " | ".join(titles) + " |"
    yield "|---|" + "--:|" * len(titles)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def costs(columns, kind):
    shown = [column for column in columns if kind in columns[column]]
    titles = [bench_table.TITLES[column] for column in shown]
    titles += [f"{bench_table.TITLES[a]}/{bench_table.TITLES[b]}" for a, b in RATIOS[kind]]
    rows = []
    for name in bench_table.names_of(columns, kind):
        cells = bench_table.costs_of(columns, kind, name)
        rows.append([name, *(bench_table.number(cells.get(column)) for column in shown),
                     *(bench_table.ratio(cells, *pair) for pair in RATIOS[kind])])
    return markdown(titles, rows)


def events(counts):
    columns = [seen["linux"] for seen in counts.values() if "linux" in seen]
    rows = [[name, *(" / ".join(bench_counts.short(seen[name][event]) for seen in columns)
                     for event, _ in bench_counts.EVENTS)] for name in columns[0]]
    return markdown([title.removesuffix(" loads") for _, title in bench_counts.EVENTS], rows)


def replaced(lines, tables):
    """The lines, with the new tables in place of the old ones."""
    new, inside = [], False
    for line in lines:
        inside = inside and line.startswith("|")
        found = [kind for kind, begin in BEGINS.items() if line.startswith(begin)]
        if found:
            new += tables.pop(found[0])
            inside = True
        if not inside:
            new.append(line)
    if tables:
        sys.exit(f"bench_docs.py: no table begins with {BEGINS[next(iter(tables))]}")
    return new


def main():
    measured, docs = sys.argv[1:]
    with open(os.path.join(measured, "table.json"), encoding="utf-8") as file:
        table = json.load(file)
    columns = bench_table.with_floor(table["instructions"], table["counts"])
    if len(columns) != len(bench_table.TITLES):
        sys.exit("bench_docs.py: not all columns were measured: run make bench without COLUMNS=")
    tables = {**{kind: costs(columns, kind) for kind in RATIOS}, "events": events(table["counts"])}
    with open(docs, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(docs, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in replaced(lines, tables))
    shutil.copyfile(os.path.join(measured, "table.svg"), docs.replace(".md", ".svg"))


main()
