"""What the plugin of tools/counts has counted in one boot, beside the rows of that boot."""

# As the plugin writes them: enum count of tools/counts/counts.c.
NAMES = ("program", "kernel", "hypervisor", "entries", "cr3", "cr4", "invlpg", "wrmsr", "locked",
         "cr3_keeps", "flushes", "tlb_misses", "tlb_misses_without_global")
# The events of the table: (name, title).
EVENTS = (("entries", "entries"), ("cr3_keeps", "CR3, keeping"), ("flushes", "flushes of all"),
          ("invlpg", "INVLPG"), ("wrmsr", "WRMSR"), ("locked", "locked"),
          ("tlb_misses", "TLB misses"), ("tlb_misses_without_global", "without G"))


def rows_of(path, per):
    """{row: {name: count of one operation}}. per: {row: operations in a sample}, in the order of
    the lines of the file, whose first is what measuring itself costs."""
    with open(path, encoding="ascii") as file:
        lines = [[int(word) for word in line.split()] for line in file]
    if len(lines) != len(per) + 1:
        return {}
    return {row: {name: round((count - empty) / n, 1)
                  for name, count, empty in zip(NAMES, line, lines[0])}
            for (row, n), line in zip(per.items(), lines[1:])}


def floor(counts):
    """What the guest executes by itself: its programs and its kernel."""
    return round(counts["program"] + counts["kernel"])


def short(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def table(counts, kind, title, titles):
    """The lines of one kind of rows; each cell has one number for each column of counts."""
    columns = {column: seen[kind] for column, seen in counts.items() if kind in seen}
    rows = list(dict.fromkeys(row for seen in columns.values() for row in seen))
    if not rows:
        return
    width = max(map(len, rows))
    yield f"Events, {' / '.join(titles[column] for column in columns)}: {title}"
    yield " " * width + "".join(f"{event:>20}" for _, event in EVENTS)
    for row in rows:
        cells = ["/".join(short(seen[row][name]) if row in seen else "-"
                          for seen in columns.values()) for name, _ in EVENTS]
        yield f"{row:{width}}" + "".join(f"{cell:>20}" for cell in cells)
    yield ""
