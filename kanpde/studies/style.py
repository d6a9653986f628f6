"""How a report looks: its style sheet, and the script that sorts its tables."""

from __future__ import annotations

from kanpde import webpage

# One column on a phone, as many as fit elsewhere.
STYLE = (
    webpage.STYLE
    + """
header > p, section > p { max-width: 44rem; }
h1 { font-size: 1.75rem; margin: .5rem 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; scroll-margin-top: .75rem; }
h3 { font-size: 1rem; margin: .1rem .1rem .5rem; }
h3 span { color: var(--soft); font-weight: 500; }
a:focus-visible, button:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
nav { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: .75rem 1rem;
  margin: 1.5rem 0; }
nav h2 { font-size: 1rem; margin: 0 0 .4rem; }
nav ol, nav ul { margin: 0; padding-left: 1.3rem; }
nav ul { list-style: none; padding-left: .25rem; font-size: .9rem; }
nav li { break-inside: avoid; padding: .1rem 0; }
nav a { display: inline-block; padding: .12rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.25rem;
  align-items: start; margin: 1rem 0; }
figure { margin: 0; min-width: 0; scroll-margin-top: .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); padding: .5rem; }
figure.wide { grid-column: 1 / -1; }
figcaption { font-size: .9rem; }
figcaption p { margin: .5rem 0 0; }
.origin { color: var(--soft); font-size: .75rem; line-height: 1.45; overflow-wrap: anywhere; }
.origin code { background: none; padding: 0; }
.origin span { display: inline-block; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 5px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .875rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .65rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap;
  background: var(--card); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { background: var(--head); vertical-align: bottom; }
tbody th { font-weight: 500; white-space: normal; min-width: 7rem; max-width: 11rem; }
th:first-child { position: sticky; left: 0; z-index: 1; border-right: 1px solid var(--line); }
.n { text-align: right; }
th button { all: unset; cursor: pointer; }
th button:hover { color: var(--link); }
th button::after { content: " \\2195"; color: var(--soft); font-weight: 400; }
[aria-sort=ascending] button::after { content: " \\2191"; color: var(--link); }
[aria-sort=descending] button::after { content: " \\2193"; color: var(--link); }
footer { border-top: 1px solid var(--line); margin-top: 3rem; }
@media (min-width: 60rem) {
  body { padding: 1.5rem 2rem 4rem; }
  h1 { font-size: 2.1rem; }
  nav ol { columns: 2; column-gap: 2.5rem; }
  figure { padding: .75rem; }
  tbody th { min-width: 10rem; max-width: 18rem; }
}
@media print {
  :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --head: #eee; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .items { grid-template-columns: 1fr 1fr; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  th, td { white-space: normal; }
  th button::after { content: ""; }
}
"""
)

# A click on a head sorts by its column, a second one the other way round; cells without a value stay at the end.
SCRIPT = """
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.none === "" ? null : "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
};
const compare = (a, b) => typeof a !== typeof b ? (typeof a === "number" ? -1 : 1)
  : typeof a === "number" ? (a < b ? -1 : a > b ? 1 : 0) : a.localeCompare(b, "en", { numeric: true });
const sort = (table, column, sign) => {
  const body = table.tBodies[0];
  const rows = [...body.rows].map(row => [value(row, column), row]);
  rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
  body.append(...rows.map(([, row]) => row));
};
for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      sort(table, column, rising ? 1 : -1);
    });
  });
}
"""
