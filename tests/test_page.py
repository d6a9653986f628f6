"""Reports: whatever a study puts into its page comes out readable, once, and cannot break the page."""

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.axes
import matplotlib.figure
import numpy as np
import pytest

from kanpde.errors import ProblemError, StoreError
from kanpde.plots import svg
from kanpde.studies.charts import _decade_ticks, _draw, _number, _prepared, drawn
from kanpde.studies.document import LOGARITHMIC, STYLES, printable
from kanpde.studies.page import Curve, Page, Plot, Section, Table, html, markdown, number, write

ABOUT = {
    "command": "kanpde compare problems/poisson_paper.py --seeds 5",
    "commit": "0123456789ab",
    "machine": "Linux x86_64, 2 cores",
    "date": "2026-11-28T16:00:00+00:00",
    "kanpde": "0.1.0",
}
HOSTILE = "</script><b onload=\"x()\">&amp; 'q' $x_{1$ `a|b` *no* \\ ]]> \x00\x1b\ud800 <!-- [l](u)"


def power(label: str, factor: float, rate: float, group: str, style: str = "line") -> Curve:
    x = tuple(float(n) for n in (10, 20, 40, 80, 160, 320))
    y = tuple(factor * n**-rate for n in x)
    return Curve(label, x, y, tuple(v / 2 for v in y), tuple(3 * v for v in y), style, group)


def theory(label: str, factor: float, rate: float) -> Curve:
    return Curve(label, (10.0, 320.0), (factor * 10**-rate, factor * 320**-rate), style="theory")


def fallen(seed: int, group: str) -> Curve:
    seconds = np.geomspace(0.1, 60, 80)
    return Curve(
        f"{group}, seed {seed}",
        tuple(seconds),
        tuple(1e-9 + seconds ** (-1.0 - seed) * (1 if group == "KAN" else 30)),
        style="step",
        group=group,
    )


def synthetic_page() -> Page:
    """A page with everything that studies put into one."""
    against_parameters = Plot(
        "Error against parameters",
        "parameters",
        "relative L2 error",
        (
            power("KAN, degree 3", 5, 4, "KAN"),
            power("KAN, degree 5", 50, 6, "KAN"),
            power("MLP, tanh", 3, 2, "MLP"),
            power("finite differences, fourth order", 2, 3, "conventional", "points"),
            power("another", 1, 1, "else"),
            theory("k + 1 = 4", 40, 4),
            theory("k − 1 = 2", 40, 2),
        ),
        "Medians over five seeds; bands are quartiles. `theory` is grey.",
        marks=((100, "interpolation threshold"), (150, "plateau")),
    )
    against_time = Plot(
        "Error against time",
        "seconds",
        "relative L2 error",
        tuple(fallen(seed, group) for group in ("KAN", "MLP") for seed in (0, 1, 2)),
        "The best network so far.",
    )
    degrees = (1.0, 2.0, 3.0, 4.0)
    bars = Plot(
        "Error by degree",
        "degree of the splines",
        "median relative L2 error",
        (
            Curve(
                "grid extension",
                degrees,
                (1e-2, 1e-4, 3e-6, 1e-7),
                (5e-3, 5e-5, 1e-6, 0.0),
                (2e-2, 2e-4, 1e-5, 2e-7),
                "bars",
                "KAN",
            ),
            Curve("one grid", degrees, (2e-2, 1e-3, 2e-4, 1e-4), style="bars", group="MLP"),
        ),
        log="y",
    )
    wide = Table(
        "At equal parameters",
        ("network", "optimiser", "parameters", "relative L2", "H1", "maximum", "seconds", "memory, MB", "status"),
        (
            ("KAN", "Gauss-Newton", 360, 4.8e-11, 2e-9, 1.3e-10, 21.3, 412, "converged"),
            ("MLP", "Gauss-Newton", 361, 3.1e-8, None, float("nan"), 34.0, 398, "converged"),
            ("MLP", "Adam", 361, 2.4e-3, 0.12, 0.051, 180.0, 377, "time is up"),
            ("finite differences, fourth order", None, 10000, 1.7e-6, 1e-4, 2e-5, 0.6, 120, "done"),
        ),
        "Medians over five seeds.",
    )
    narrow = Table("Fitted exponents", ("curve", "exponent", "±"), (("KAN", -4.1, 0.2), ("MLP", -1.9, 0.4)))
    return Page(
        "Kolmogorov-Arnold networks and multilayer perceptrons on Poisson's equation",
        ("Both reach the same accuracy; `KAN` needs fewer parameters and more time.", "A second paragraph."),
        (
            Section(
                "Comparison",
                ("At equal points, conditions and tuning budget.",),
                (against_parameters, against_time, wide),
            ),
            Section("Ablation", ("The basis alone is changed.",), (bars, narrow)),
        ),
        ABOUT,
    )


class Elements(HTMLParser):
    """The start tags of a page with their attributes, and its text outside of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.raw = tag if tag in ("style", "script") else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self.raw:
            self.raw = ""

    def handle_data(self, data: str) -> None:
        if not self.raw:
            self.words.append(data)

    def values(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.tags if attribute in attributes]

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def paged(*items: Plot | Table) -> Page:
    return Page("page", (), (Section("section", (), items),), {})


def texts(picture: str) -> list[str]:
    """The texts of a figure, in their order."""
    return [node.text or "" for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]


def axes_of(plot: Plot) -> matplotlib.axes.Axes:
    figure = matplotlib.figure.Figure(dpi=30, layout="constrained")
    _draw(figure, plot, _prepared(plot))
    return figure.axes[0]


@pytest.fixture(scope="module")
def whole() -> str:
    return html(synthetic_page())


def test_contents_lead_to_every_section_figure_and_table(whole: str) -> None:
    page = Elements(whole)
    links = [link.removeprefix("#") for tag, a in page.tags if tag == "a" for link in [a["href"] or ""]]
    assert links == ["s1-comparison", "figure-1", "figure-2", "table-1", "s2-ablation", "figure-3", "table-2", "about"]
    assert set(links) <= set(page.values("id"))


def test_ids_are_unique_and_figures_keep_their_own_links(whole: str) -> None:
    ids = Elements(whole).values("id")
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', whole)
    assert wanted
    assert {first or second for first, second in wanted} <= set(ids)


def test_headings_come_in_order(whole: str) -> None:
    levels = [int(tag[1]) for tag, _ in Elements(whole).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_page_is_accessible(whole: str) -> None:
    page = Elements(whole)
    assert ("html", {"lang": "en"}) in page.tags
    assert page.count("figure") == page.count("figcaption") == 5
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert [picture["role"] for picture in pictures] == ["img"] * 3
    assert str(pictures[0]["aria-label"]).startswith(
        "Error against parameters: relative L2 error against parameters, for KAN"
    )
    heads = [attributes["scope"] for tag, attributes in page.tags if tag == "th"]
    assert (heads.count("col"), heads.count("row")) == (9 + 3, 4 + 2)


def test_nothing_is_loaded_from_elsewhere(whole: str) -> None:
    page = Elements(whole)
    loaded = [*page.values("src"), *page.values("href"), *page.values("xlink:href")]
    assert not [link for link in loaded if not link.startswith(("#", "data:,"))]
    assert not re.findall(r"@import|url\((?!#)", whole)
    policies = [attributes["content"] for tag, attributes in page.tags if tag == "meta" and "http-equiv" in attributes]
    assert str(policies[0]).startswith("default-src 'none'")


def test_every_figure_says_where_it_comes_from(whole: str) -> None:
    parts = whole.split("<figure")[1:]
    assert len(parts) == 5
    for key in ("command", "commit", "machine", "date"):
        assert all(ABOUT[key] in part.split("<figcaption>")[1].split("</figcaption>")[0] for part in parts)
    assert "0.1.0" in whole.split("<footer>")[1]


def test_what_is_not_known_of_the_origin_is_left_out() -> None:
    page = Page("page", (), (Section("section", (), (Table("t", ("a",), ((1,),)),)),), {"commit": "abc"})
    assert '<p class="origin"><code>abc</code></p>' in html(page)
    assert '<p class="origin">' not in html(paged(Table("t", ("a",), ((1,),))))


def hostile_page() -> Page:
    curve = Curve(HOSTILE, (1.0, 2.0), (1.0, 2.0), group=HOSTILE)
    plot = Plot(HOSTILE, HOSTILE, HOSTILE, (curve, Curve(HOSTILE, (1.0, 2.0), (1.0, 2.0), style="theory")), HOSTILE)
    plot = Plot(HOSTILE, HOSTILE, HOSTILE, plot.curves, HOSTILE, marks=((1.5, HOSTILE),))
    table = Table(HOSTILE, (HOSTILE, "b"), ((HOSTILE, HOSTILE),), HOSTILE)
    return Page(
        HOSTILE, (HOSTILE,), (Section(HOSTILE, (HOSTILE,), (plot, table)),), {"command": HOSTILE, HOSTILE: HOSTILE}
    )


def test_hostile_texts_stay_texts() -> None:
    text = html(hostile_page())
    page = Elements(text)
    assert page.count("b") == 0
    assert page.count("script") == page.count("title") == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert text.isprintable() or not re.findall("[\x00\x1b\ud800]", text)
    shown = "".join(page.words)
    assert shown.count("</script><b onload=\"x()\">&amp; 'q' $x_{1$") >= 10
    assert "<code>a|b</code>" in text


def test_hostile_texts_stay_texts_in_files(tmp_path: Path) -> None:
    files = write(hostile_page(), tmp_path / "a (b) #c")
    assert [file.name for file in files][:1] == ["fig01-script-b-onload-x-amp-q-x-1-a-b-no-l-u.svg"]
    assert any("$x_{1$" in text for text in texts(files[0].read_text(encoding="utf-8")))
    text = files[1].read_text(encoding="utf-8")
    assert "](a%20%28b%29%20%23c/fig01-" in text
    assert "<b" not in re.sub("`` .* ``|`[^`]*`", "", text)
    assert "\\*no\\*" in text
    row = next(line for line in text.splitlines() if line.startswith("| &lt;"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (4.8123e-11, "4.8e-11"),
        (-4.8e-11, "-4.8e-11"),
        (0.25, "0.25"),
        (9.96, "10"),
        (0.00996, "0.010"),
        (0.00123, "0.0012"),
        (0.000123, "1.2e-4"),
        (123.4, "120"),
        (9999.0, "1.0e4"),
        (0.0, "0"),
        (None, "–"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (12345678, "12345678"),
        (True, "yes"),
        ("as it is", "as it is"),
        (np.float64(0.25), "0.25"),
        (np.int64(7), "7"),
    ],
)
def test_cells(cell: object, shown: str) -> None:
    assert number(cell) == shown


def test_cells_are_sorted_by_all_their_digits() -> None:
    cells = (1 / 3, None, math.nan, math.inf, 12, "text")
    text = html(paged(Table("t", ("name", "value"), tuple(("row", cell) for cell in cells))))
    keys = re.findall(r"<td( class=\"n\")?( data-[^>]*)?>", text)
    assert [key for _, key in keys] == [
        f' data-v="{1 / 3!r}"',
        *[' data-none=""'] * 2,
        ' data-v="Infinity"',
        ' data-v="12.0"',
        "",
    ]


def test_numbers_stand_to_the_right() -> None:
    text = html(paged(Table("t", ("a", "b", "c", "d"), (("x", 1.0, 1, 1.0), ("y", None, 2, "z")))))
    assert text.count('<td class="n"') == 4
    assert re.findall(r'<th scope="col"( class="n")?>(\w)', text) == [
        ("", "a"),
        (' class="n"', "b"),
        (' class="n"', "c"),
        ("", "d"),
    ]


def test_tables_in_markdown() -> None:
    text, _ = markdown(paged(Table("t", ("a", "b"), (("x|y", 1e-9), ("z", None)))), "figures")
    assert "| a | b |\n| --- | ---: |\n| x\\|y | 1.0e-9 |\n| z | – |" in text


def test_markdown_shows_texts_as_they_stand() -> None:
    page = Page(
        "page", ("- no list", "1. no list", "# no heading", "in_a_word and `in_code`"), (), {"command": "a `b`"}
    )
    blocks = markdown(page, "figures")[0].split("\n\n")
    assert blocks[1:5] == ["\\- no list", "1\\. no list", "\\# no heading", "in\\_a\\_word and `in_code`"]
    assert "- command: `` a `b` ``" in blocks[-1]


def test_markdown_links_the_figures_that_are_written(tmp_path: Path) -> None:
    files = write(synthetic_page(), tmp_path / "v1.2")
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "v1.2/fig01-error-against-parameters.svg",
        "v1.2/fig02-error-against-time.svg",
        "v1.2/fig03-error-by-degree.svg",
        "v1.2.md",
        "v1.2.html",
    ]
    links = re.findall(r"!\[[^]]*\]\(([^)]+)\)", files[3].read_text(encoding="utf-8"))
    assert [tmp_path / link for link in links] == files[:3]
    assert all(ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg" for file in files[:3])


def test_same_page_makes_the_same_bytes(whole: str) -> None:
    assert html(synthetic_page()) == whole


def test_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()
    with pytest.raises(StoreError, match=r"report\.md is a directory"):
        write(Page("page", (), (), {}), tmp_path / "report")


def test_empty_page() -> None:
    page = Elements(html(Page("", (), (Section(""),), {})))
    assert page.count("figure") == 0
    assert "s1-untitled" in page.values("id")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve("c", (1.0,), ()), "1, 0, 0 and 0 entries"),
        (lambda: Curve("c", (1.0,), (1.0,), (1.0, 2.0)), "1, 1, 2 and 0 entries"),
        (lambda: Curve("c", (), (), style="dots"), "no style is called 'dots'"),
        (lambda: Plot("p", "x", "y", (), log="z"), "log is 'z'"),
        (lambda: Table("t", ("a", "b"), ((1, 2), (1,))), "row 1 has 1 cells and there are 2 columns"),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(ProblemError, match=re.escape(message)):
        make()


def test_printable_keeps_what_documents_can_hold() -> None:
    assert printable("a\tb\nc é ∂ \U0001f600") == "a\tb\nc é ∂ \U0001f600"
    assert printable("\x00\x0b\ud800\ufffe") == "\ufffd" * 4


@pytest.mark.parametrize("log", LOGARITHMIC)
@pytest.mark.parametrize("style", STYLES)
def test_whatever_has_no_place_is_left_out(style: str, log: str) -> None:
    x, y = (1.0, 0.0, -1.0, math.nan, 2.0, 3.0), (1.0, 1.0, 1.0, 1.0, math.inf, -2.0)
    ends = ((0.0, math.nan, 1.0, 1.0, 1.0, -3.0), (math.inf, 2.0, 2.0, 2.0, math.inf, -1.0))
    plot = Plot(
        "p",
        "x",
        "y",
        (Curve("c", x, y, *ends, style), Curve("none", (), (), style=style)),
        log=log,
        marks=((-1.0, "m"),),
    )
    axes = axes_of(plot)
    axes.figure.draw_without_rendering()
    assert ("m" in [text.get_text() for text in axes.texts]) == ("x" not in log)
    assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()


@pytest.mark.parametrize("style", STYLES)
def test_curves_without_data_are_named_as_such(style: str) -> None:
    nothing = Curve("c", (1.0, 2.0), (-1.0, math.nan), style=style)
    assert [text.get_text() for text in axes_of(Plot("p", "x", "y", (nothing,))).texts] == ["no data"]
    (legend,) = axes_of(Plot("p", "x", "y", (nothing, Curve("d", (1.0, 2.0), (1.0, 2.0))))).figure.legends
    assert ("c (no data)" in [text.get_text() for text in legend.get_texts()]) == (style != "theory")


def test_curve_is_where_its_numbers_are() -> None:
    axes = axes_of(Plot("p", "x", "y", (power("a", 5, 4, ""),)))
    np.testing.assert_allclose(10 ** axes.lines[0].get_xdata(), (10, 20, 40, 80, 160, 320))
    np.testing.assert_allclose(
        10 ** axes.lines[0].get_ydata(), [5 * n**-4 for n in (10.0, 20.0, 40.0, 80.0, 160.0, 320.0)]
    )


def test_bars_stand_side_by_side_from_zero_or_from_the_bottom() -> None:
    bars = tuple(Curve(name, (1.0, 2.0), (2.0, 4.0), style="bars") for name in "ab")
    patches = axes_of(Plot("p", "x", "y", bars, log="")).patches
    np.testing.assert_allclose([patch.get_x() for patch in patches], (0.6, 1.6, 1.0, 2.0))
    np.testing.assert_allclose([patch.get_height() for patch in patches], (2, 4, 2, 4))
    axes = axes_of(Plot("p", "x", "y", bars, log="y"))
    assert {patch.get_y() for patch in axes.patches} == {axes.get_ylim()[0]}
    np.testing.assert_allclose([p.get_y() + p.get_height() for p in axes.patches], np.log10((2, 4, 2, 4)))


def test_axes_hold_the_bands() -> None:
    low, high = axes_of(Plot("p", "x", "y", (power("a", 5, 4, ""),))).get_ylim()
    assert low < math.log10(2.5 * 320**-4)
    assert high > math.log10(15 * 10**-4)


@pytest.mark.parametrize("style", ["line", "step", "points", "bars"])
def test_bands_without_an_end_reach_the_end_of_the_axes(style: str) -> None:
    axes = axes_of(Plot("p", "x", "y", (Curve("a", (1.0, 2.0), (1.0, 10.0), (0.0, 5.0), (math.inf, 20.0), style),)))
    corners = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert (corners[:, 1].min(), corners[:, 1].max()) == axes.get_ylim()


def test_theory_is_cut_at_the_data_and_named_where_it_ends() -> None:
    steep = Plot(
        "p", "x", "y", (Curve("a", (1.0, 100.0), (1.0, 0.1)), Curve("steep", (1.0, 100.0), (1.0, 1e-8), style="theory"))
    )
    axes = axes_of(steep)
    assert axes.get_ylim()[0] > -1.2
    (name,) = [text for text in axes.texts if text.get_text() == "steep"]
    x, y = name.xy
    assert (x, y) == pytest.approx((0.165, 0), abs=0.02)


def test_names_of_theories_keep_apart() -> None:
    theories = tuple(theory(f"k = {k}", 1 + k / 100, 2) for k in range(3))
    axes = axes_of(Plot("p", "x", "y", (power("a", 1, 2, ""), *theories)))
    heights = sorted(text.xy[1] for text in axes.texts)
    assert len(heights) == 3
    assert np.diff(heights).min() > 0.07


def test_names_of_theories_on_several_lines_keep_apart() -> None:
    theories = (theory("of one line", 1.01, 2), theory("a name that takes three lines or so", 1, 2))
    axes = axes_of(Plot("p", "x", "y", (power("a", 1, 2, ""), *theories)))
    heights = [text.xy[1] for text in axes.texts]
    assert axes.texts[0].get_text().count("\n") == 2
    assert heights[1] - heights[0] > 0.14


def test_each_of_few_bars_has_its_tick() -> None:
    for log, count in itertools.product(("", "xy"), (5, 20)):
        places = tuple(float(3 * k) for k in range(1, count + 1))
        axes = axes_of(Plot("p", "x", "y", (Curve("a", places, places, style="bars"),), log=log))
        axes.figure.draw_without_rendering()
        shown = [label.get_text() for label in axes.get_xticklabels()]
        assert (shown == [f"{place:.0f}" for place in places]) == (count == 5)


def test_labels_of_marks_keep_apart() -> None:
    plot = Plot(
        "p", "x", "y", (power("a", 1, 2, ""),), marks=((100, "interpolation threshold"), (110, "plateau"), (11, "c"))
    )
    rows = {text.get_text(): text.xyann[1] for text in axes_of(plot).texts}
    assert rows["plateau"] > rows["interpolation threshold"] == rows["c"]


def test_groups_share_a_colour_and_keep_it() -> None:
    groups = ("KAN", "else", "KAN", "MLP", "", "")
    lines = _prepared(Plot("p", "x", "y", tuple(Curve(str(k), (1.0,), (1.0,), group=g) for k, g in enumerate(groups))))
    colours = [line.colour for line in lines]
    assert colours[0] == colours[2]
    assert len(set(colours)) == 5
    assert lines[0].marker != lines[2].marker
    assert lines[0].dash != lines[2].dash
    alone = _prepared(Plot("p", "x", "y", (Curve("a", (1.0,), (1.0,), group="MLP"),)))
    assert alone[0].colour == colours[3]


def test_legend_lies_below_the_axes() -> None:
    """Every text of the legend is lower on the page than the name of the abscissa."""
    many = tuple(power(f"curve number {k}", 1 + k, 2, "") for k in range(9))
    nodes = list(
        ElementTree.fromstring(drawn(Plot("p", "abscissa", "y", many), "p")).iter("{http://www.w3.org/2000/svg}text")
    )
    heights = {node.text: float(node.attrib["y"]) for node in nodes}
    assert all(heights[f"curve number {k}"] > heights["abscissa"] for k in range(9))


def test_labels_may_begin_with_an_underscore() -> None:
    assert "\u2060_a" in texts(drawn(Plot("p", "x", "y", (Curve("_a", (1.0,), (1.0,)),)), "p"))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-9.5, 0.5, [1e-8, 1e-6, 1e-4, 1e-2, 1.0]),
        (0.9, 3.1, [10, 100, 1000]),
        (0.9, 1.4, [10, 20]),
        (0.01, 2.99, [3, 10, 30, 100, 300]),
        (-0.05, 0.05, [0.9, 1.0, 1.1]),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, ticks: list[float]) -> None:
    found = _decade_ticks(low, high)
    assert 3 <= len(found) <= 7
    assert set(np.round(ticks, 12)) <= set(np.round(found, 12))


def test_log_axes_have_three_to_seven_ticks() -> None:
    """Wherever they lie and however long they are, to the largest number there is."""
    generator = np.random.default_rng(0)
    middles, spans = generator.uniform(-16, 8, 500), 10 ** generator.uniform(np.log10(0.12), 1.5, 500)
    for low, high in [*zip(middles - spans / 2, middles + spans / 2, strict=True), (0.0, 323.0), (307.9, 308.2)]:
        ticks = _decade_ticks(low, high)
        assert 3 <= len(ticks) <= 7
        assert low - 1e-9 <= np.log10(ticks[0]) < np.log10(ticks[-1]) <= high + 1e-9 or high > 308


@pytest.mark.parametrize(
    ("value", "plain", "shown"),
    [
        (0.05, True, "0.05"),
        (-2.0, True, "−2"),
        (1e-9, True, "10⁻⁹"),
        (2e-9, True, "2·10⁻⁹"),
        (-3e7, True, "−3·10⁷"),
        (100.0, False, "10²"),
        (1.0, False, "1"),
        (0.1 + 0.2, True, "0.3"),
    ],
)
def test_ticks_read_well(value: float, plain: bool, shown: str) -> None:
    assert _number(value, plain) == shown


def test_svg_keeps_its_texts_and_leaves_no_state_behind() -> None:
    before = dict(matplotlib.rcParams)
    picture = svg((2, 2), lambda figure: figure.text(0.5, 0.5, 'a "id="x" $b_1$ < 数'), "one")
    assert texts(picture) == ['a "id="x" $b_1$ < 数']
    assert dict(matplotlib.rcParams) == before
    assert all(name.startswith("one-") for name in Elements(picture).values("id"))


def test_figures_that_nothing_links_any_more_are_removed(tmp_path: Path) -> None:
    curve = Curve("u", (1.0, 2.0), (1.0, 2.0))
    about = {"command": "c"}
    for titles in (("one", "two"), ("three",)):
        plots = tuple(Plot(title, "x", "y", (curve,)) for title in titles)
        write(Page("study", (), (Section("part", (), plots),), about), tmp_path / "study")
        (tmp_path / "study" / "mine.svg").touch()
    assert sorted(p.name for p in (tmp_path / "study").iterdir()) == ["fig01-three.svg", "mine.svg"]
