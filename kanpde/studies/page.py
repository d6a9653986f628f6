"""A report as one HTML file that needs nothing else, and as Markdown with its figures beside it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kanpde.files import replacing
from kanpde.studies.charts import drawn
from kanpde.studies.document import Curve, Page, Plot, Section, Table, printable
from kanpde.studies.style import SCRIPT, STYLE
from kanpde.webpage import POLICY

__all__ = ["Curve", "Page", "Plot", "Section", "Table", "html", "markdown", "number", "write"]

# What stands below every figure, as far as the page knows it.
ORIGIN = ("command", "commit", "machine", "date")
_WIDE = 4  # columns; a table with more takes a row of its own


def html(page: Page) -> str:
    """The page as one HTML file: figures, styles and script are inside, and a policy forbids everything else."""
    parts = list(_numbered(page))
    title = _text(page.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{_paragraphs(page.summary)}
</header>
{_contents(parts)}
<main>
{"".join(_section(part, page.about) for part in parts)}</main>
<footer>
<h2 id="about">About this page</h2>
{_about(page.about)}
</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def markdown(page: Page, figures: str) -> tuple[str, dict[str, str]]:
    """The page as Markdown, and its figures.

    Args:
        page: what to write.
        figures: the directory of the figures, relative to that of the text.

    Returns:
        The text, and for each figure the name of its file in the directory and its content.
    """
    parts = list(_numbered(page))
    plots = [entry for part in parts for entry in part.entries if isinstance(entry.item, Plot)]
    blocks = [f"# {_marked(page.title)}", *map(_marked, page.summary)]
    for part in parts:
        blocks += [f"## {_marked(part.section.title)}", *map(_marked, part.section.text)]
        blocks += [block for entry in part.entries for block in _blocks(entry, figures, page.about)]
    blocks += ["## About this page", "\n".join(f"- {_marked(k)}: {_quoted(v)}" for k, v in page.about.items())]
    text = "\n\n".join(block for block in blocks if block) + "\n"
    return text, {entry.file: _picture(entry) for entry in plots}


def write(page: Page, path: Path) -> list[Path]:
    """Writes a page in both forms, each file whole or not at all; the texts come after the figures they link.

    Figures of an earlier page of the name, which nothing links any more, are removed.

    Args:
        page: what to write.
        path: without a suffix: path.html, path.md and the directory path for the figures of the latter.

    Returns:
        The files.

    Raises:
        StoreError: one cannot be written.
    """
    text, figures = markdown(page, path.name)
    contents = {path / name: content for name, content in figures.items()}
    contents |= {path.with_name(f"{path.name}.md"): text, path.with_name(f"{path.name}.html"): html(page)}
    for file, content in contents.items():
        with replacing(file) as part:
            part.write_text(content, encoding="utf-8")
    for old in path.glob("fig[0-9][0-9]-*.svg"):
        if old.name not in figures:
            old.unlink()
    return list(contents)


@dataclass(frozen=True)
class _Entry:
    """A plot or a table with its number among its kind."""

    item: Plot | Table
    number: int

    @property
    def kind(self) -> str:
        return "Figure" if isinstance(self.item, Plot) else "Table"

    @property
    def anchor(self) -> str:
        return f"{self.kind.lower()}-{self.number}"

    @property
    def file(self) -> str:
        return f"fig{self.number:02}-{_slug(self.item.title)}.svg"


@dataclass(frozen=True)
class _Part:
    """A section with its anchor and its numbered plots and tables."""

    section: Section
    anchor: str
    entries: tuple[_Entry, ...]


def _numbered(page: Page) -> Iterator[_Part]:
    """The sections of a page; plots and tables are counted throughout."""
    counts = {Plot: 0, Table: 0}
    for place, section in enumerate(page.sections, 1):
        entries = []
        for item in section.items:
            counts[type(item)] += 1
            entries.append(_Entry(item, counts[type(item)]))
        yield _Part(section, f"s{place}-{_slug(section.title)}", tuple(entries))


def _slug(text: str) -> str:
    """A title as a part of a file name or an anchor: at most 40 lower-case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", printable(text)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "untitled"


def number(value: Any) -> str:
    """A cell as one reads it.

    Example:
        >>> [number(value) for value in (4.81e-11, 0.0512, 1234.5, 12, None, float("nan"))]
        ['4.8e-11', '0.051', '1200', '12', '–', 'NaN']
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral) or not isinstance(value, Real):
        return str(value)
    return _digits(float(value))


def _digits(value: float) -> str:
    """Two digits that mean something."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    mantissa, exponent = f"{value:.1e}".split("e")
    if value == 0:
        return "0"
    if -3 <= int(exponent) <= 3:
        return f"{float(f'{value:.1e}'):.{max(0, 1 - int(exponent))}f}"
    return f"{mantissa}e{int(exponent)}"


# HTML


def _text(text: str) -> str:
    return escape(printable(text))


def _rich(text: str) -> str:
    """A text with `code` in backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{_rich(text)}</p>" for text in texts)


def _contents(parts: Iterable[_Part]) -> str:
    lines = [f'<li><a href="#{part.anchor}">{_text(part.section.title)}</a>{_listed(part)}</li>' for part in parts]
    lines.append('<li><a href="#about">About this page</a></li>')
    return (
        '<nav aria-labelledby="contents">\n<h2 id="contents">Contents</h2>\n<ol>\n'
        + "\n".join(lines)
        + "\n</ol>\n</nav>"
    )


def _listed(part: _Part) -> str:
    links = [f'<li><a href="#{e.anchor}">{e.kind} {e.number}: {_text(e.item.title)}</a></li>' for e in part.entries]
    return f"<ul>{''.join(links)}</ul>" if links else ""


def _section(part: _Part, about: Mapping[str, str]) -> str:
    figures = "".join(_figure(entry, about) for entry in part.entries)
    items = f'<div class="items">\n{figures}</div>\n' if figures else ""
    heading = f'<h2 id="{part.anchor}">{_text(part.section.title)}</h2>'
    return (
        f'<section aria-labelledby="{part.anchor}">\n{heading}\n{_paragraphs(part.section.text)}\n{items}</section>\n'
    )


def _figure(entry: _Entry, about: Mapping[str, str]) -> str:
    item = entry.item
    body = f'<div class="card">{_picture(entry)}</div>' if isinstance(item, Plot) else _table(item)
    kind = "plot" if isinstance(item, Plot) else "wide" if len(item.columns) > _WIDE else "narrow"
    origin = _origin(about, lambda text: f"<code>{_text(text)}</code>", lambda text: f"<span>{_text(text)}</span>")
    title = f"<h3><span>{entry.kind} {entry.number}.</span> {_text(item.title)}</h3>"
    caption = f"<p>{_rich(item.caption)}</p>" if item.caption else ""
    source = f'<p class="origin">{origin}</p>' if origin else ""
    return (
        f'<figure id="{entry.anchor}" class="{kind}">\n{title}\n{body}\n'
        f"<figcaption>{caption}{source}</figcaption>\n</figure>\n"
    )


def _picture(entry: _Entry) -> str:
    """A plot as an <svg> element that says what it is to who cannot see it."""
    plot = entry.item
    assert isinstance(plot, Plot)
    names = ", ".join(curve.label for curve in plot.curves if curve.label)
    spoken = f"{plot.title}: {plot.y} against {plot.x}" + (f", for {names}" if names else "")
    return drawn(plot, entry.anchor).replace("<svg ", f'<svg role="img" aria-label="{_text(spoken)}" ', 1)


def _table(table: Table) -> str:
    numeric = [_is_numeric(row[column] for row in table.rows) for column in range(len(table.columns))]
    heads = "".join(
        f'<th scope="col"{_right(n)}>{_rich(name)}</th>' for name, n in zip(table.columns, numeric, strict=True)
    )
    rows = "\n".join(f"<tr>{_cells(row, numeric)}</tr>" for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(table.title)}">\n<table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _is_numeric(cells: Iterable[Any]) -> bool:
    """Whether a column is set to the right: all that it holds are numbers."""
    return all(cell is None or isinstance(cell, Real) for cell in cells)


def _right(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _cells(row: Sequence[Any], numeric: Sequence[bool]) -> str:
    """The cells of a row; the first is its head."""
    tags = ['th scope="row"', *["td"] * (len(row) - 1)]
    cells = zip(tags[: len(row)], row, numeric, strict=True)
    return "".join(f"<{tag}{_right(n)}{_key(cell)}>{_rich(number(cell))}</{tag[:2]}>" for tag, cell, n in cells)


def _key(cell: Any) -> str:
    """What a cell is sorted by, in all its digits: `data-v`, or `data-none` where there is no value."""
    if cell is None or (isinstance(cell, Real) and math.isnan(cell)):
        return ' data-none=""'
    if not isinstance(cell, Real):
        return ""
    return f' data-v="{repr(float(cell)).replace("inf", "Infinity")}"'


def _about(about: Mapping[str, str]) -> str:
    rows = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in about.items())
    return f"<dl>\n{rows}\n</dl>"


def _origin(about: Mapping[str, str], code: Callable[[str], str], plain: Callable[[str], str]) -> str:
    """Command, commit, machine and date, as far as they are known, in one line."""
    known = [(name, about[name]) for name in ORIGIN if about.get(name)]
    return " · ".join(code(value) if name in ("command", "commit") else plain(value) for name, value in known)


# Markdown


def _blocks(entry: _Entry, figures: str, about: Mapping[str, str]) -> Iterator[str]:
    """A plot or a table as paragraphs."""
    yield f"### {entry.kind} {entry.number}. {_marked(entry.item.title)}"
    if isinstance(entry.item, Plot):
        yield f"![{_marked(entry.item.title)}]({quote(printable(figures))}/{entry.file})"
    else:
        yield _grid(entry.item)
    yield _marked(entry.item.caption)
    yield _origin(about, _quoted, _marked)


def _grid(table: Table) -> str:
    """A table in pipes."""
    rules = [
        "---:" if _is_numeric(row[column] for row in table.rows) else "---" for column in range(len(table.columns))
    ]
    rows = [[_marked(number(cell)) for cell in row] for row in (table.columns, *table.rows)]
    # A pipe parts cells even inside of code, unless it is escaped.
    lines = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (lines[0], rules, *lines[1:]))


def _marked(text: str) -> str:
    """A text on one line that Markdown shows as it stands, but for `code` in backticks."""
    pieces = re.split(r"(`[^`]+`)", " ".join(printable(text).split()))
    shown = "".join(piece if place % 2 else _escaped(piece) for place, piece in enumerate(pieces))
    # A sign or a number that would begin a list, a heading or a rule.
    return re.sub(r"^(\d*)([-+=#]+|[.)])(?=\s|$)", r"\1\\\2", shown)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]~$])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    """A text as code, whatever backticks it holds."""
    line = " ".join(printable(text).split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"
