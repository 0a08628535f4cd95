"""The picture of tools/ways: for each row a bar of each column, on a logarithmic scale, as a
multiple of what the operation costs on the bare machine, which is the line at 1."""

import math
from html import escape

COLOURS = {"emulate": "#c0504d", "trap": "#e0a030", "translate": "#4f81bd", "pv": "#6aa84f"}
LABELS, WIDTH, BAR, GAP, TOP = 230, 560, 9, 8, 46  # pixels
FONT = 'font-family="sans-serif" font-size="11"'


def text(x, y, words, anchor="start", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {FONT}>'
            f'{escape(words)}</text>')


def short(value):
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def factors(results):
    """(row, {column: multiple of bare}) of the rows that the bare machine has."""
    bare = results.get("bare", {}).get("rows", {})
    for name, cost in bare.items():
        columns = {column: seen["rows"][name] / cost for column, seen in results.items()
                   if column in COLOURS and cost and name in seen["rows"]}
        if columns:
            yield name, columns


def chart(rows, colours, title, top=0, labels=LABELS):
    """(lines, height) of bars on a logarithmic scale that begins at 1. rows: (name, {column:
    value}). labels: pixels for the names."""
    values = [value for _, columns in rows for value in columns.values()]
    decades = max(1, math.ceil(math.log10(max(values, default=10))))

    def x_of(value):
        return labels + WIDTH * math.log10(max(value, 1)) / decades

    shown = [column for column in colours if any(column in columns for _, columns in rows)]
    height = TOP + sum(len(columns) * BAR + GAP for _, columns in rows) + 20
    lines = [text(labels, top + 14, title)]
    for i, column in enumerate(shown):
        lines += [f'<rect x="{labels + 110 * i}" y="{top + 20}" width="9" height="9" '
                  f'fill="{colours[column]}"/>', text(labels + 110 * i + 13, top + 28, column)]
    for decade in range(decades + 1):
        x = x_of(10 ** decade)
        lines += [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + TOP - 4}" y2="{top + height - 16}" '
                  f'stroke="{"#222" if decade == 0 else "#ccc"}"/>',
                  text(x, top + height - 4, f"{10 ** decade:,}", "middle")]
    y = top + TOP
    for name, columns in rows:
        lines.append(text(labels - 6, y + len(columns) * BAR / 2 + 4, name, "end"))
        for column in shown:
            if column not in columns:
                continue
            end = x_of(columns[column])
            lines += [f'<rect x="{labels}" y="{y}" width="{max(end - labels, 1):.1f}" '
                      f'height="{BAR - 1}" fill="{colours[column]}"/>',
                      text(end + 3, y + BAR - 1, short(columns[column]), colour="#666")]
            y += BAR
        y += GAP
    return lines, height


def page(lines, height, labels=LABELS):
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{labels + WIDTH + 70}" '
           f'height="{height}"><rect width="100%" height="100%" fill="#fff"/>')
    yield from lines
    yield "</svg>"


def picture(results):
    yield from page(*chart(list(factors(results)), COLOURS,
                           "times the cost on the bare machine, in instructions"))
