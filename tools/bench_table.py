"""The text table of tools/bench: what each row costs in each column, and the ratios of these."""

TITLES = {"bare": "bare", "xen": "Xen", "paragon": "Paragon"}
KINDS = {"micro": "hypercalls and traps, by the test guest", "linux": "Linux"}
RATIOS = (("xen", "bare"), ("paragon", "bare"), ("paragon", "xen"))


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


def table(results):
    """Its lines."""
    ratios = [pair for pair in RATIOS if set(pair) <= results.keys()]
    width = max((len(name) for kind in KINDS for name in names_of(results, kind)), default=0)
    for kind, title in KINDS.items():
        names = names_of(results, kind)
        if not names:
            continue
        yield f"Instructions: {title}"
        yield (" " * width + "".join(f"{TITLES[column]:>12}" for column in results) +
               "".join(f"{TITLES[above] + '/' + TITLES[below]:>14}" for above, below in ratios))
        for name in names:
            costs = costs_of(results, kind, name)
            yield (f"{name:{width}}" +
                   "".join(f"{number(costs.get(column)):>12}" for column in results) +
                   "".join(f"{ratio(costs, *pair):>14}" for pair in ratios))
        yield ""
