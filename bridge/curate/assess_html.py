"""An assessment as one HTML file: plots by hand, light and dark, and nothing that is fetched from anywhere.

Texts come from data and are shown as data: escaped, without control characters, and under a policy that lets the page
run and fetch nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from bridge.curate.assess import Assessment, Balance, Score
from bridge.curate.findings import Finding, findings, percent
from bridge.curate.spread import Spread

_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --card: #fff; --ink: #1f2328; --soft: #6b7078; --line: #e3e1dc;
  --bar: #3b6ea8; --other: #a8c1dd; --look: #c2571a; --good: #3f7d54; --note: #8a7a2f; }
@media (prefers-color-scheme: dark) { :root { --page: #16181c; --card: #1f2227; --ink: #e6e6e3; --soft: #9aa0a8;
  --line: #343941; --bar: #7fb0e6; --other: #3f5a78; --look: #f0925a; --good: #7cc495; --note: #d6c368; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 4px; }
p { margin: 4px 0 12px; } .soft, figcaption { color: var(--soft); font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 12px; margin: 20px 0; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 24px; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile.look b { color: var(--look); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 16px; }
section { min-width: 0; overflow-x: auto; } section.wide { grid-column: 1 / -1; }
ul { list-style: none; margin: 8px 0 0; padding: 0; }
li { display: grid; grid-template-columns: 18px 1fr auto; gap: 8px; padding: 6px 0; border-top: 1px solid var(--line); }
li:first-child { border-top: 0; } li code, td code { overflow-wrap: anywhere; }
li.look > b { color: var(--look); } li.note > b { color: var(--note); } li.good > b { color: var(--good); }
code { font: 12.5px ui-monospace, monospace; color: var(--soft); }
figure { margin: 8px 0 0; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } svg text.name { fill: var(--ink); }
.bar { fill: var(--bar); } .other { fill: var(--other); } .low { fill: var(--look); } .axis { stroke: var(--line); }
.mark { stroke: var(--ink); stroke-dasharray: 3 3; }
svg text.marked { fill: var(--ink); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 12.5px;
  margin-top: 8px; }
th, td { text-align: right; padding: 3px 3px; border-top: 1px solid var(--line); font-weight: 400;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); border: 0; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--soft); font-size: 13px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 4px 0 12px; }
@media print { body { background: none; } section, .tile { break-inside: avoid; } }
"""

_MARKS = {"look": "!", "note": "i", "good": "✓"}
_WIDE, _HIGH = 520, 170


def page(assessment: Assessment, title: str) -> str:
    """The page for an assessment; the same assessment gives the same bytes.

    >>> from bridge.curate.assess import assess
    >>> from bridge.records import Record
    >>> found = page(assess([Record("a", {"prompt": "<script>", "response": "4"})]), "<b>sums</b>.jsonl")
    >>> "<b>sums" in found, "&lt;b&gt;sums&lt;/b&gt;.jsonl" in found, "<script" in found
    (False, True, False)
    """
    a = assessment
    found = findings(a)
    sections = [
        _section("What to look at", _listed(found), width="wide"),
        *(_lengths(a, side) for side in ("prompt", "response")),
        _section("Duplicates", _duplicates(a)),
        _section("Repetition within responses", _repetition(a)),
        *(_section(f"Scores: {name}", _score(score)) for name, score in a.scores.items()),
        *(_section(f"Balance by {name}", _balance(balance, a.records)) for name, balance in a.balance.items()),
        *([_section("Languages", _languages(a))] if a.languages else []),
        _section("How texts begin", _openings(a)),
        *([_section("Personal data", _pii(a))] if a.pii else []),
        *([_section("Toxicity of responses", _toxicity(a.toxicity))] if a.toxicity else []),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_safe(title)}: assessment</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_safe(title)}</h1>\n"
        f'<p class="soft">{a.records:,} records, {a.responses:,} responses</p>\n'
        f'<div class="tiles">\n{_tiles(a)}</div>\n'
        f'<div class="grid">\n{"".join(sections)}</div>\n</main>\n</body>\n</html>\n'
    )


def _safe(text: object) -> str:
    """Any text for the page. What cannot be seen, or changes the order of other characters, becomes a mark."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in str(text)))


def _short(text: str, limit: int = 30) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _section(title: str, body: str, *, width: str = "half") -> str:
    return f'<section class="{width}">\n<h2>{_safe(title)}</h2>\n{body}</section>\n'


def _tiles(a: Assessment) -> str:
    words = a.lengths["response"]["words"].percentiles.get("50", 0)
    many = max(1, a.records)
    exact, near = a.duplicates["exact"].count, a.duplicates["near"].count if "near" in a.duplicates else None
    tiles = [
        ("records", f"{a.records:,}", False),
        ("words in the median response", f"{words:,.0f}", False),
        ("exact duplicates", percent(exact / many), exact > 0),
        *([] if near is None else [("near duplicates", percent(near / many), near / many > 0.01)]),
        ("empty responses", f"{a.empty_response.count:,}", a.empty_response.count > 0),
        *((f"{name}, mean", f"{score.spread.mean:.2f}", False) for name, score in list(a.scores.items())[:1]),
        *([("personal data (kinds)", f"{len(a.pii):,}", True)] if a.pii else []),
    ]
    return "".join(
        f'<div class="tile{" look" if look else ""}"><b>{_safe(value)}</b>{_safe(name)}</div>\n'
        for name, value, look in tiles
    )


def _listed(found: Iterable[Finding]) -> str:
    rows = []
    for finding in found:
        keys = f" <code>{_safe(_short(', '.join(finding.keys[:3]), 60))}</code>" if finding.keys else ""
        remedy = f"<br><code>{_safe(finding.remedy)}</code>" if finding.remedy else ""
        share = "" if finding.share is None else percent(finding.share)
        rows.append(
            f'<li class="{finding.level}"><b aria-label="{finding.level}">{_MARKS[finding.level]}</b>'
            f"<span>{_safe(finding.text)}{keys}{remedy}</span><span>{_safe(share)}</span></li>\n"
        )
    return f"<ul>\n{''.join(rows)}</ul>\n"


def _lengths(a: Assessment, side: str) -> str:
    words, characters = a.lengths[side]["words"], a.lengths[side]["characters"]
    marks = [(f"median {words.percentiles['50']:,.0f}", words.percentiles["50"])] if words.count else []
    if words.count and words.percentiles["95"] > 1.5 * words.percentiles["50"]:
        marks.append((f"95 % {words.percentiles['95']:,.0f}", words.percentiles["95"]))
    body = _histogram(words, f"{side}: words", marks)
    return _section(f"Length of {side}s, in words", body + _figures({"words": words, "characters": characters}))


def _figures(spreads: Mapping[str, Spread]) -> str:
    head = ("", "mean", "deviation", "least", "5 %", "25 %", "median", "75 %", "95 %", "most")
    percents = ("5", "25", "50", "75", "95")
    rows = []
    for name, s in spreads.items():
        figures = (s.mean, s.deviation, s.low, *(s.percentiles.get(p, 0.0) for p in percents), s.high)
        rows.append((name, *map(_number, figures)))
    return _table(head, rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{_safe(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n{body}</tbody></table>\n"


def _duplicates(a: Assessment) -> str:
    exact = a.duplicates["exact"].count
    near = a.duplicates["near"].count if "near" in a.duplicates else 0
    parts = [("different", a.records - exact - near, "bar"), ("near", near, "other"), ("exact", exact, "low")]
    rows = [
        ("the whole record, exactly", a.duplicates["exact"]),
        *([("the whole record, nearly", a.duplicates["near"])] if "near" in a.duplicates else []),
        ("the prompt, exactly", a.duplicates["prompt"]),
        ("the response, exactly", a.duplicates["response"]),
    ]
    many = max(1, a.records)
    figures = _table(
        ("the same as another one", "records", "share"),
        [(name, f"{noticed.count:,}", percent(noticed.count / many)) for name, noticed in rows],
    )
    return _stacked(parts) + figures


def _repetition(a: Assessment) -> str:
    said = (
        f'<p class="soft">Share of word trigrams that stand in the same response before. '
        f"{a.repetition.count:,} responses are long enough for it.</p>\n"
    )
    return said + (_histogram(a.repetition, "repetition", [], low=0.3, above=True) if a.repetition.count else "")


def _score(score: Score) -> str:
    spread = score.spread
    said = (
        f'<p class="soft">{spread.count:,} scores, mean {spread.mean:.2f}, median {spread.percentiles["50"]:g}; '
        f"{percent(score.below / spread.count)} below {score.threshold:g}</p>\n"
    )
    return said + _histogram(spread, "scores", [], low=score.threshold)


def _balance(balance: Balance, records: int) -> str:
    groups = dict(list(balance.groups.items())[:12])
    rest = records - sum(groups.values())
    said = f"{len(balance.groups) + (1 if balance.others else 0):,} groups, evenness {balance.evenness:.2f}"
    return f'<p class="soft">{said}</p>\n' + _bars(groups | ({"(others)": rest} if rest else {}), records)


def _languages(a: Assessment) -> str:
    counts = dict(list(a.languages["response"].items())[:8])
    said = f"{a.other_language.count:,} records answer in another language than that of the prompt; und: cannot be told"
    return f'<p class="soft">Of responses. {said}.</p>\n' + _bars(counts, sum(a.languages["response"].values()))


def _openings(a: Assessment) -> str:
    parts = []
    for side, total in (("response", a.responses), ("prompt", a.records)):
        counts = dict(list(a.openings[side].items())[:6])
        parts.append(f'<p class="soft">First words of {side}s</p>\n')
        parts.append(_bars(counts, total) if counts else "<p>No two begin alike.</p>\n")
    return "".join(parts)


def _pii(a: Assessment) -> str:
    said = "Found by patterns and checksums: an aid for whoever looks through them, and no guarantee."
    return f'<p class="soft">{said}</p>\n' + _bars({kind: n.count for kind, n in a.pii.items()}, a.records)


def _toxicity(score: Score) -> str:
    said = (
        "By a model of your own choice. Such models see words more than what is meant, score dialects and quotations "
        "too high and irony too low, and mostly know only English."
    )
    return f'<p class="soft">{said}</p>\n' + _histogram(score.spread, "toxicity", [], low=score.threshold, above=True)


# -- plots


def _histogram(
    spread: Spread,
    name: str,
    marks: Sequence[tuple[str, float]],
    *,
    low: float | None = None,
    above: bool = False,
) -> str:
    """Bars of equal width, whatever their bins; bars on the wrong side of ``low`` stand out."""
    if not spread.count:
        return "<p>There are none.</p>\n"
    edges, bins = spread.edges, spread.bins
    top, base, step = max(bins), _HIGH - 24, (_WIDE - 8) / len(bins)
    room = base - (8 + 14 * len(marks))
    drawn = [f'<line class="axis" x1="4" y1="{base}" x2="{_WIDE - 4}" y2="{base}"/>']
    for index, count in enumerate(bins):
        height = room * count / top
        is_below = low is not None and (edges[index] + 0.5 < low if _is_grade(edges) else edges[index + 1] <= low)
        wrong = low is not None and (edges[index] >= low if above else is_below)
        place = f"{_edge(edges, index)}: {count:,}"
        drawn.append(
            f'<rect class="{"low" if wrong else "bar"}" x="{4 + index * step + 1:.1f}" y="{base - height:.1f}" '
            f'width="{max(1.0, step - 2):.1f}" height="{height:.1f}" rx="2"><title>{_safe(place)}</title></rect>'
        )
    every = max(1, round(len(bins) / 8))
    middle = 'text-anchor="middle"' if _is_grade(edges) else ""
    for index in range(0, len(bins), every):
        x = 4 + (index + 0.5 * _is_grade(edges)) * step
        drawn.append(f'<text x="{x:.1f}" y="{_HIGH - 6}" {middle}>{_safe(_tick(edges, index))}</text>')
    for line, (label, value) in enumerate(marks):
        x = 4 + _place(edges, value) * step
        away, anchor = (-5, "end") if x > 0.75 * _WIDE else (5, "start")
        drawn.append(f'<line class="mark" x1="{x:.1f}" y1="{4 + 14 * line}" x2="{x:.1f}" y2="{base}"/>')
        drawn.append(
            f'<text class="marked" x="{x + away:.1f}" y="{13 + 14 * line}" text-anchor="{anchor}">{_safe(label)}</text>'
        )
    return _figure(drawn, _WIDE, _HIGH, f"Histogram of {name}: {spread.count:,} values, most in one bin {top:,}")


def _is_grade(edges: Sequence[float]) -> bool:
    """Whether each bin is one whole number."""
    return edges[0] % 1 == 0.5 and edges[1] - edges[0] == 1


def _tick(edges: Sequence[float], index: int) -> str:
    value = edges[index] + 0.5 * _is_grade(edges)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.2f}"


def _edge(edges: Sequence[float], index: int) -> str:
    if _is_grade(edges):
        return _tick(edges, index)
    last = edges[index + 1] - (1 if float(edges[index + 1]).is_integer() and edges[-1] > 1 else 0)
    return f"{_tick(edges, index)} to {last:,g}" if last > edges[index] else _tick(edges, index)


def _place(edges: Sequence[float], value: float) -> float:
    """Where a value stands, in bins from the left."""
    for index in range(len(edges) - 1):
        if value < edges[index + 1]:
            return index + max(0.0, value - edges[index]) / (edges[index + 1] - edges[index])
    return len(edges) - 1.0


def _bars(counts: Mapping[str, int], total: int) -> str:
    """A bar for each group, its name before it and its count behind it."""
    high, top = 24 * len(counts) + 4, max(counts.values(), default=1) or 1
    left = 16 + 6.5 * max((len(_short(name)) for name in counts), default=0)
    drawn = []
    for row, (name, count) in enumerate(counts.items()):
        y, width = 24 * row + 4, (_WIDE - left - 100) * count / top
        drawn.append(
            f'<text class="name" x="{left - 8:.1f}" y="{y + 13}" text-anchor="end">{_safe(_short(name))}'
            f"<title>{_safe(name)}</title></text>"
            f'<rect class="bar" x="{left:.1f}" y="{y}" width="{max(1.0, width):.1f}" height="17" rx="2"/>'
            f'<text x="{left + 6 + width:.1f}" y="{y + 13}">{count:,} ({_safe(percent(count / max(1, total)))})</text>'
        )
    return _figure(drawn, _WIDE, high, f"{len(counts)} groups")


def _stacked(parts: Sequence[tuple[str, int, str]]) -> str:
    """One bar of all, and what its parts are."""
    total = max(1, sum(count for _, count, _ in parts))
    x, drawn, legend = 0.0, [], []
    for name, count, kind in parts:
        width = _WIDE * count / total
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="0" width="{width:.1f}" height="22">'
            f"<title>{_safe(name)}: {count:,}</title></rect>"
        )
        x += width
        colour = {"bar": "--bar", "other": "--other", "low": "--look"}[kind]
        legend.append(f'<span class="key" style="background: var({colour})"></span>{_safe(name)} {count:,}')
    caption = f"<figcaption>{''.join(legend)}</figcaption>"
    return _figure(drawn, _WIDE, 22, "Different, near and exact", caption)


def _figure(drawn: Iterable[str], wide: int, high: int, label: str, caption: str = "") -> str:
    inside = "\n".join(drawn)
    return (
        f'<figure><svg viewBox="0 0 {wide} {high}" role="img" aria-label="{_safe(label)}">\n{inside}\n</svg>'
        f"{caption}</figure>\n"
    )
