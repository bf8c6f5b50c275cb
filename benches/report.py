"""From samples to ratios, and those as a table, as JSON and as a plot."""

import json
from html import escape
from statistics import median

BASES = ["direct", "relay", "small"]


def spread(values):
    return {"median": median(values), "min": min(values), "max": max(values)}


def summarise(samples, measurements):
    """`samples[key][name]` is a list with one sample per repetition. Ratios are made within a
    repetition, where the machine was in the same mood, and only then put together."""
    summary = {}
    for measurement in measurements:
        by_name = samples[measurement.key]
        entry = {"title": measurement.title, "unit": measurement.unit, "endpoints": {}}
        for name, own in by_name.items():
            of = {"value": spread([sample["value"] for sample in own])}
            for base in (base for base in BASES if base in by_name):
                pairs = list(zip(own, by_name[base], strict=True))
                ratios = [a["value"] / b["value"] for a, b in pairs if b["value"]]
                of[f"to_{base}"] = spread(ratios or [0.0])
                of[f"minus_{base}"] = spread([a["value"] - b["value"] for a, b in pairs])
            for extra in ("cpu_secs_per_100k", "cpu_secs_per_gb", "p99_us", "reader_busy"):
                if extra in own[0]:
                    of[extra] = spread([sample[extra] for sample in own])
            entry["endpoints"][name] = of
        summary[measurement.key] = entry
    return summary


def table(results):
    names = results["endpoints"]
    proxies = [name for name in names if name != "direct"]
    summary = results["summary"]
    groups = results["groups"]
    lines = [
        f"Keyhole benchmarks: medians of {results['options']['reps']} interleaved repetitions, "
        "[lowest..highest] ratio of a repetition",
        *(f"  {note}" for note in results["notes"]),
        "",
        "Throughput, as a share of a direct connection (1.00: costs nothing)",
    ]
    rows = [["", "direct", *proxies, "keyhole : relay"]]
    for key in groups["loads"] + groups["bulks"]:
        entry = summary[key]
        at = entry["endpoints"]
        unit = {"statements/s": "/s"}.get(entry["unit"], f" {entry['unit']}")
        cells = [share(at[name]["to_direct"]) for name in proxies]
        direct = f"{at['direct']['value']['median']:,.0f}{unit}"
        rows.append([entry["title"], direct, *cells, share(at["keyhole"]["to_relay"])])
    lines += columns(rows)

    lines += ["", "Bulk from a source faster than PostgreSQL, as a share of reading it directly"]
    rows = [["", "direct", "relay", "8 KiB relay", "keyhole", "keyhole : relay",
             "keyhole : 8 KiB relay"]]
    for key in groups["fasts"]:
        at = summary[key]["endpoints"]
        cells = [share(at[name]["to_direct"]) for name in ("relay", "small", "keyhole")]
        direct = f"{at['direct']['value']['median']:,.0f} MB/s"
        ratios = [share(at["keyhole"][f"to_{base}"]) for base in ("relay", "small")]
        rows.append([summary[key]["title"], direct, *cells, *ratios])
    lines += columns(rows)

    lines += ["", "Memory of a session at rest, KiB"]
    for key in groups["idles"]:
        at = summary[key]["endpoints"]
        # The first time counts: afterwards a process has memory left over from the time before.
        cells = [f"{name} {at[name]['value']['max']:.1f}" for name in at if name != "direct"]
        lines.append(f"  {summary[key]['title']}: {', '.join(cells)}")

    lines += ["", "Latency of one client, microseconds (median; added to a direct connection)"]
    rows = [["", "direct", *proxies, "keyhole - relay"]]
    for key in groups["latencies"]:
        at = summary[key]["endpoints"]
        cells = [added(at[name]["minus_direct"]) for name in proxies]
        direct = f"{at['direct']['value']['median']:.1f}"
        rows.append([summary[key]["title"], direct, *cells, added(at["keyhole"]["minus_relay"])])
    lines += columns(rows)

    lines += ["", "CPU seconds of the proxy: per 100,000 statements; bulk: per GB"]
    rows = [["", *proxies, "keyhole : relay"]]
    for key in groups["loads"] + groups["bulks"]:
        at = summary[key]["endpoints"]
        kind = "cpu_secs_per_100k" if key in groups["loads"] else "cpu_secs_per_gb"
        cost = [at[name][kind]["median"] for name in proxies]
        relay, keyhole = (at[name][kind]["median"] for name in ("relay", "keyhole"))
        ratio = f"{keyhole / relay:.2f}" if relay else "-"
        rows.append([summary[key]["title"], *(f"{secs:.2f}" for secs in cost), ratio])
    rows.append(["peak memory, MiB", *(f"{results['rss_peak_mib'][p]:.0f}" for p in proxies), ""])
    lines += columns(rows)
    return "\n".join(lines)


def share(of):
    return f"{of['median']:.2f} [{of['min']:.2f}..{of['max']:.2f}]"


def added(of):
    return f"{of['median']:+.1f} [{of['min']:+.1f}..{of['max']:+.1f}]"


def columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield ("  " + "  ".join([first, *rest])).rstrip()


def write_json(path, results):
    path.write_text(json.dumps(results, indent=1) + "\n")


# The plot: three groups of horizontal bars.

COLOURS = {"relay": "#9aa5b1", "pgbouncer": "#6c8ebf", "keyhole": "#d9822b"}
WIDTH, LEFT, RIGHT = 900, 270, 90
BAR, GAP, TITLE = 12, 12, 40


class Svg:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, text, style=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>')

    def rect(self, x, y, width, fill):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{BAR - 2}" '
            f'fill="{fill}"/>'
        )

    def line(self, x1, y1, x2, y2, colour):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
        )

    def document(self):
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y}" '
            f'viewBox="0 0 {WIDTH} {self.y}" font-family="sans-serif" font-size="12" '
            f'fill="#1f2933">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
        )


def plot(results):
    svg = Svg()
    summary, groups = results["summary"], results["groups"]
    proxies = [name for name in results["endpoints"] if name != "direct"]
    legend(svg, proxies)
    measured = [(summary[key]["title"], summary[key]["endpoints"]) for key in
                groups["loads"] + groups["bulks"]]
    rows = [(title, {p: at[p]["to_direct"] for p in proxies}) for title, at in measured]
    bars(svg, "Throughput, share of a direct connection (longer is better)", rows, 2, mark=1.0)
    rows = [
        (summary[key]["title"], {p: summary[key]["endpoints"][p]["minus_direct"] for p in proxies})
        for key in groups["latencies"]
    ]
    bars(svg, "Added latency, one client, microseconds (shorter is better)", rows, 1)
    rows = [
        (summary[key]["title"],
         {p: summary[key]["endpoints"][p]["cpu_secs_per_100k"] for p in proxies})
        for key in groups["loads"]
    ]
    bars(svg, "CPU seconds of the proxy per 100,000 statements (shorter is better)", rows, 2)
    svg.y += 10
    return svg.document()


def legend(svg, proxies):
    x = LEFT
    for name in proxies:
        svg.rect(x, 12, 12, COLOURS[name])
        svg.text(x + 17, 21, name)
        x += 110
    svg.text(x, 21, "thin line: lowest to highest repetition", 'fill="#7b8794"')
    svg.y = 30


def bars(svg, title, rows, digits, mark=None):
    svg.text(12, svg.y + 24, title, 'font-weight="bold" font-size="14"')
    svg.y += TITLE
    top = svg.y
    values = [of["max"] for _, cells in rows for of in cells.values()]
    longest = max([*values, mark or 0]) or 1

    def place(value):
        return LEFT + max(value, 0) / longest * (WIDTH - LEFT - RIGHT)

    for label, cells in rows:
        middle = svg.y + len(cells) * BAR / 2 + 4
        svg.text(LEFT - 10, middle, label, 'text-anchor="end"')
        for name, of in cells.items():
            svg.rect(LEFT, svg.y, place(of["median"]) - LEFT, COLOURS[name])
            centre = svg.y + BAR / 2 - 1
            svg.line(place(of["min"]), centre, place(of["max"]), centre, "#1f2933")
            at = place(max(of["median"], of["max"])) + 6
            svg.text(at, svg.y + BAR - 2, f"{of['median']:.{digits}f}", 'font-size="11"')
            svg.y += BAR
        svg.y += GAP
    if mark is not None:
        svg.line(place(mark), top - 4, place(mark), svg.y - GAP + 4, "#1f2933")
