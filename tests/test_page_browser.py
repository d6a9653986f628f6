"""The report page in a real browser, on a phone and on a desk: it fits, it is legible, it works, it loads nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import DESK, PHONE, TEXTS, opened, requested, started
from selenium import webdriver
from selenium.webdriver.common.by import By
from test_page import hostile_page, synthetic_page

from kanpde.studies.page import write


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with started(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(synthetic_page(), tmp_path_factory.mktemp("page") / "report")[-1].as_uri()


def column(browser: webdriver.Chrome, table: int, place: int) -> list[str]:
    rows = "[...document.querySelectorAll('table')[arguments[0]].tBodies[0].rows]"
    return browser.execute_script(f"return {rows}.map(row => row.cells[arguments[1]].textContent)", table, place)


def head(browser: webdriver.Chrome, table: int, place: int) -> Any:
    return browser.find_elements(By.TAG_NAME, "table")[table].find_elements(By.CSS_SELECTOR, "thead th")[place]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_page_loads_itself_and_nothing_else(browser: webdriver.Chrome, address: str, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    assert browser.get_log("browser") == []
    assert requested(browser) == [address]
    assert browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_page_does_not_scroll_sideways(browser: webdriver.Chrome, address: str, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    root = "document.documentElement"
    inner, scroll, client = browser.execute_script(f"return [innerWidth, {root}.scrollWidth, {root}.clientWidth]")
    assert inner == size[0]
    assert scroll <= client


@pytest.mark.parametrize(("size", "columns"), [(PHONE, 1), (DESK, 2)], ids=["phone", "desk"])
def test_figures_are_seen(browser: webdriver.Chrome, address: str, size: tuple[int, int], columns: int) -> None:
    opened(browser, address, size)
    pictures = browser.find_elements(By.TAG_NAME, "svg")
    assert len(pictures) == 3
    assert all(picture.is_displayed() and picture.rect["width"] > 300 for picture in pictures)
    lefts = {picture.rect["x"] for picture in pictures}
    assert len(lefts) == columns


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_texts_of_figures_can_be_read(browser: webdriver.Chrome, address: str, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    texts = browser.execute_script(TEXTS)
    assert len(texts) > 40
    assert not [text for text, pixels, box, _ in texts if pixels < 8.8 or box < 8]
    assert not [(text, out) for text, _, _, out in texts if out > 1]


def test_tables_scroll_in_their_own_box_under_a_first_column_that_stays(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address, PHONE)
    box = browser.find_element(By.CSS_SELECTOR, ".wide .scroll")
    first, second = box.find_elements(By.CSS_SELECTOR, "tbody tr:first-child > *")[:2]
    before = first.rect["x"], second.rect["x"]
    browser.execute_script("arguments[0].scrollLeft = 150", box)
    assert browser.execute_script("return arguments[0].scrollLeft", box) == 150
    assert (first.rect["x"], second.rect["x"]) == (before[0], before[1] - 150)


def test_click_sorts_and_another_one_turns_round(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, DESK)
    for click, (shown, kept) in enumerate(
        [(["2.0e-9", "1.0e-4", "0.12", "–"], "ascending"), (["0.12", "1.0e-4", "2.0e-9", "–"], "descending")]
    ):
        head(browser, 0, 4).find_element(By.TAG_NAME, "button").click()
        assert column(browser, 0, 4) == shown, click
        assert head(browser, 0, 4).get_attribute("aria-sort") == kept
    head(browser, 0, 1).find_element(By.TAG_NAME, "button").click()
    assert column(browser, 0, 1) == ["Adam", "Gauss-Newton", "Gauss-Newton", "–"]
    assert head(browser, 0, 4).get_attribute("aria-sort") is None
    assert column(browser, 1, 0) == ["KAN", "MLP"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_contents_lead_into_view(browser: webdriver.Chrome, address: str, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    for place in range(8):
        browser.execute_script("scrollTo(0, 0)")
        link = browser.find_elements(By.CSS_SELECTOR, "nav a")[place]
        target = link.get_attribute("href").split("#")[1]
        link.click()
        top = browser.execute_script("return document.getElementById(arguments[0]).getBoundingClientRect().top", target)
        assert 0 <= top < size[1] - 40


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_follows_the_colour_scheme_and_figures_stay_white(
    browser: webdriver.Chrome, address: str, scheme: str, dark: bool
) -> None:
    opened(browser, address, DESK, scheme)
    script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor.match(/\\d+/g).map(Number)"
    assert (sum(browser.execute_script(script, "body")) < 300) == dark
    assert browser.execute_script(script, ".card") == [255, 255, 255]


def test_hostile_texts_do_nothing(browser: webdriver.Chrome, tmp_path: Path) -> None:
    file = write(hostile_page(), tmp_path / "report")[-1]
    opened(browser, file.as_uri(), PHONE)
    assert browser.get_log("browser") == []
    assert browser.find_elements(By.TAG_NAME, "b") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]
    assert "</script><b onload" in browser.title


def test_pictures_of_the_page_for_people(browser: webdriver.Chrome, address: str, tmp_path: Path) -> None:
    """Screenshots in both sizes and schemes, kept with the files of the test run."""
    shots = [(name, size, scheme) for name, size in (("phone", PHONE), ("desk", DESK)) for scheme in ("light", "dark")]
    for name, size, scheme in shots:
        opened(browser, address, size, scheme)
        assert browser.save_screenshot(str(tmp_path / f"{name}-{scheme}.png"))
    contents = {file.read_bytes() for file in tmp_path.glob("*.png")}
    assert len(contents) == 4
