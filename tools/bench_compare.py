"""What costs more or less than in an earlier run of tools/bench, and the guard of `make test`: the
rows of Paragon against tests/bench/costs.json."""

import json

import bench_table

GROWTH = 1.03       # beyond this a row has grown


def pairs(old, new):
    """(column, kind, row, old cost or None, new cost or None) of each row of a column that both
    have."""
    for column in (column for column in new if column in old):
        both = {"old": old[column], "new": new[column]}
        for kind in bench_table.KINDS:
            for name in bench_table.names_of(both, kind):
                yield (column, kind, name, old[column].get(kind, {}).get(name),
                       new[column].get(kind, {}).get(name))


def change(before, now):
    """In words, or "" if there is none."""
    if before == now:
        return ""
    if before is None or now is None:
        return "gone" if now is None else "new"
    return f"{100 * (now - before) / before:+.1f} %" if before else "from 0"


def differences(old, new):
    """Lines, one for each row that has changed."""
    rows = [row for row in pairs(old, new) if row[3] != row[4]]
    width = max((len(name) for _, _, name, _, _ in rows), default=0)
    for column, kind, name, before, now in rows:
        yield (f"{column:8} {kind:6} {name:{width}}{bench_table.number(before):>12}"
               f"{bench_table.number(now):>12}  {change(before, now)}")
    yield f"{len(rows)} rows differ"


def grown(old, new):
    """Lines, one for each row that the guard refuses."""
    for _, kind, name, before, now in pairs(old, new):
        if now is None:
            yield f"{kind}: {name} is missing"
        elif before is None:
            yield f"{kind}: {name} is new, and its cost is not in the file"
        elif now > before * GROWTH:
            yield f"{kind}: {name} has grown from {before:,} to {now:,}, {change(before, now)}"


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["instructions"]
