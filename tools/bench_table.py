"""The text table of tools/bench: what each row costs in each column, and the ratios of these; the
floor, which is what the PV kernel and its programs execute by themselves on Paragon; and events."""

import bench_counts

TITLES = {"bare": "bare", "xen": "Xen", "floor": "floor", "paragon": "Paragon"}
KINDS = {"boot": "from the boot loader's jump to the first guest's first instruction",
         "micro": "hypercalls and traps, by the test guest", "linux": "Linux"}
RATIOS = (("xen", "bare"), ("paragon", "bare"), ("paragon", "xen"), ("paragon", "floor"))


def names_of(results, kind):
    """In the order of the first column that has each."""
    return list(dict.fromkeys(name for seen in results.values() for name in seen.get(kind, {})))


def missing(results):
    """What is not there of the rows that another column has."""
    for kind in KINDS:
        for name in names_of(results, kind):
            yield from (f"{column}, {kind}: {name} is missing" for column, seen in results.items()
                        if kind in seen and name not in seen[kind])


def number(value):
    return "-" if value is None else f"{value:,}"


def ratio(costs, above, below):
    if not costs.get(below) or costs.get(above) is None:
        return "-"
    return f"{costs[above] / costs[below]:.2f}"


def costs_of(results, kind, name):
    return {column: seen[kind][name] for column, seen in results.items()
            if name in seen.get(kind, {})}


def with_floor(results, counts):
    """The columns of the table, in its order."""
    ours = counts.get("paragon", {}).get("linux", {})
    floor = {row: bench_counts.floor(seen) for row, seen in ours.items()}
    columns = {**results, **({"floor": {"linux": floor}} if floor else {})}
    return {column: columns[column] for column in TITLES if column in columns}


def part(columns, kind):
    """The lines of one kind of rows."""
    names = names_of(columns, kind)
    shown = [column for column in columns if kind in columns[column]]
    ratios = [pair for pair in RATIOS if set(pair) <= set(shown)]
    width = max(map(len, names), default=0)
    yield f"Instructions: {KINDS[kind]}"
    yield (" " * width + "".join(f"{TITLES[column]:>12}" for column in shown) +
           "".join(f"{TITLES[above] + '/' + TITLES[below]:>15}" for above, below in ratios))
    for name in names:
        costs = costs_of(columns, kind, name)
        yield (f"{name:{width}}" +
               "".join(f"{number(costs.get(column)):>12}" for column in shown) +
               "".join(f"{ratio(costs, *pair):>15}" for pair in ratios))
    yield ""


def table(results, counts):
    """Its lines."""
    columns = with_floor(results, counts)
    for kind in KINDS:
        if names_of(columns, kind):
            yield from part(columns, kind)
    for kind, title in KINDS.items():
        yield from bench_counts.table(counts, kind, title, TITLES)
