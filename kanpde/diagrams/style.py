"""How the page of a diagram looks and what it does, besides what all pages share."""

from __future__ import annotations

# Diagram and panel beside each other on a desk; on a phone the panel stays in sight below the diagram.
STYLE = """
body { max-width: 84rem; }
footer { max-width: 52rem; font-size: .9rem; }
h1 { font-size: 1.25rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: .9rem 0 .3rem; }
main { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); align-items: start; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
.scroll > div { margin: 0 auto; max-width: 100rem; }
#diagram g[id$=-curve], #diagram g[id$=-line], #diagram text { pointer-events: none; }
#diagram [role=button] { cursor: pointer; }
#diagram [role=button]:focus { outline: none; }
#diagram [role=button]:hover path { fill: #e8f1fa !important; }
#diagram [role=button]:focus-visible path { stroke: #0b5cad !important; stroke-width: 2.5 !important; }
#diagram .on[id$=-box] path { fill: #fff3e0 !important; stroke: #d55e00 !important; stroke-width: 1.6 !important; }
#diagram .on[id$=-line] path { stroke: #d55e00 !important; stroke-opacity: 1 !important; stroke-width: 1.6 !important; }
#diagram .on[id$=-curve] path { stroke-opacity: 1 !important; }
#panel { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: .4rem .75rem;
  position: sticky; bottom: 0; max-height: 50vh; overflow-y: auto; }
.head { display: flex; justify-content: space-between; align-items: center; gap: .5rem; min-height: 2.8rem; }
.steps { flex: none; }
.steps button { font: inherit; font-size: 1.3rem; line-height: 1; width: 2.5rem; height: 2.5rem; cursor: pointer;
  border: 1px solid var(--line); border-radius: 6px; background: var(--head); color: var(--ink); }
button:focus-visible, label:focus-within { outline: 2px solid var(--link); outline-offset: 2px; }
fieldset { border: 0; margin: .3rem 0; padding: 0; display: flex; gap: .4rem; }
legend { position: absolute; clip-path: inset(50%); }
label { position: relative; border-radius: 6px; cursor: pointer; }
label input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
label span { display: block; min-width: 2.75rem; padding: .3rem .75rem; text-align: center;
  border: 1px solid var(--line); border-radius: 6px; }
label input:checked + span { background: var(--link); color: var(--ground); border-color: var(--link); }
label input:disabled + span { opacity: .4; }
#plot { display: block; width: 100%; max-height: 27vh; }
#plot text { fill: var(--soft); font-size: 12px; }
#plot line { stroke: var(--line); }
#plot line.zero { stroke: var(--soft); }
#plot rect { fill: none; stroke: var(--line); }
#plot path { fill: none; stroke: var(--link); stroke-width: 2.2; stroke-linejoin: round; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; }
th, td { text-align: left; padding: .2rem .5rem .2rem 0; font-weight: 400; overflow-wrap: anywhere; }
th { color: var(--soft); }
td:last-child, th:last-child { text-align: right; white-space: nowrap; padding-right: 0; }
main + footer { color: var(--soft); }
.notes { padding-left: 1.2rem; overflow-wrap: anywhere; }
[hidden] { display: none; }
@media (min-width: 60rem) {
  body { padding: 1.25rem 2rem 3rem; }
  main { grid-template-columns: minmax(0, 1fr) 24rem; }
  h1 { font-size: 1.5rem; }
  #plot { max-height: none; }
  #panel { padding: .75rem; top: 1rem; bottom: auto; max-height: calc(100vh - 2rem); }
}
@media print { #panel { position: static; } .scroll { overflow: visible; } }
"""

# Boxes share one stop of the tab key, arrows lead from one to the next; the panel shows the one that was met last.
SCRIPT = """
const { edges } = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const part = (k, name) => at(`figure-edge${k}-${name}`);
const plot = at("plot"), radios = [...document.querySelectorAll("[name=curve]")];
const signs = { value: "φ", slope: "φ′", bend: "φ″" };
const box = { left: 52, right: 330, top: 22, bottom: 176 };
let current = -1, kind = "value";

const written = number => number === null ? "–" : String(Number(number.toPrecision(4))).replaceAll("-", "−");
const made = (name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  plot.append(element);
};
const ticks = (low, high) => {
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough * 0.999), found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found.map(value => Math.abs(value) < step * 1e-6 ? 0 : value);
};
const padded = (low, high) => {
  const half = (high - low) / 2, least = 1e-9 * Math.max(Math.abs(low), Math.abs(high));
  const pad = half > least ? 0.12 * half : Math.max(Math.abs(low), 1) / 2;
  return [low - pad, high + pad];
};
const drawn = edge => {
  plot.replaceChildren();
  const values = edge.curves[kind], known = values.filter(v => v !== null);
  if (!known.length) return;
  const [left, right] = edge.range;
  const [low, high] = padded(Math.min(...known), Math.max(...known));
  const x = v => box.left + (v - left) / (right - left) * (box.right - box.left);
  const y = v => box.bottom - (v - low) / (high - low) * (box.bottom - box.top);
  for (const t of ticks(low, high)) {
    made("line", { x1: box.left, x2: box.right, y1: y(t), y2: y(t), class: t === 0 ? "zero" : "" });
    made("text", { x: box.left - 6, y: y(t) + 4, "text-anchor": "end" }, written(t));
  }
  for (const t of ticks(left, right)) {
    made("line", { x1: x(t), x2: x(t), y1: box.top, y2: box.bottom, class: t === 0 ? "zero" : "" });
    made("text", { x: x(t), y: box.bottom + 15, "text-anchor": "middle" }, written(t));
  }
  made("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top });
  made("text", { x: (box.left + box.right) / 2, y: box.bottom + 30, "text-anchor": "middle" }, edge.axis);
  made("text", { x: box.left, y: box.top - 7, "text-anchor": "start" }, signs[kind]);
  let pen = "M";
  const way = values.map((v, k) => {
    if (v === null) { pen = "M"; return ""; }
    const point = `${pen}${x(left + k / (values.length - 1) * (right - left)).toFixed(2)},${y(v).toFixed(2)}`;
    pen = "L";
    return point;
  });
  made("path", { d: way.join("") });
  plot.setAttribute("aria-label", `${signs[kind]} of the edge ${edge.name}`);
};
const told = edge => {
  const known = edge.curves.value.filter(v => v !== null);
  const span = (low, high) => `${written(low)} … ${written(high)}`;
  const facts = {
    importance: `${written(100 * edge.importance)} % of the largest in its layer`,
    arguments: span(...edge.range),
    values: known.length ? span(Math.min(...known), Math.max(...known)) : "–",
  };
  at("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    detail.textContent = value;
    return [term, detail];
  }));
  at("candidates").hidden = !edge.candidates.length;
  at("candidates").querySelector("tbody").replaceChildren(...edge.candidates.map(([formula, error]) => {
    const row = document.createElement("tr"), code = document.createElement("code");
    code.textContent = formula;
    row.insertCell().append(code);
    row.insertCell().textContent = error === null ? "–" : error.toExponential(1).replaceAll("-", "−");
    return row;
  }));
};
const show = k => {
  if (k === current) return;
  if (current >= 0) {
    for (const name of ["box", "line", "curve"]) part(current, name).classList.remove("on");
    part(current, "box").setAttribute("aria-pressed", "false");
    part(current, "box").setAttribute("tabindex", "-1");
  }
  current = k;
  const edge = edges[k];
  for (const name of ["box", "line", "curve"]) part(k, name).classList.add("on");
  part(k, "box").setAttribute("aria-pressed", "true");
  part(k, "box").setAttribute("tabindex", "0");
  for (const radio of radios) radio.disabled = !(radio.value in edge.curves);
  if (!(kind in edge.curves)) kind = "value";
  for (const radio of radios) radio.checked = radio.value === kind;
  at("edge").textContent = edge.name;
  drawn(edge);
  told(edge);
};
const step = by => (current + by + edges.length) % edges.length;
const keys = { ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1),
  ArrowUp: () => step(-1), Home: () => 0, End: () => edges.length - 1 };

edges.forEach((edge, k) => {
  const element = part(k, "box");
  element.setAttribute("role", "button");
  element.setAttribute("tabindex", "-1");
  element.setAttribute("aria-pressed", "false");
  element.setAttribute("aria-label", `${edge.name}, importance ${written(100 * edge.importance)} %`);
  for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, () => show(k));
  element.addEventListener("keydown", event => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    part(keys[event.key](), "box").focus();
  });
});
for (const radio of radios) radio.addEventListener("change", () => {
  kind = radio.value;
  drawn(edges[current]);
});
const seen = k => { show(k); part(k, "box").scrollIntoView({ block: "nearest", inline: "center" }); };
at("previous").addEventListener("click", () => seen(step(-1)));
at("next").addEventListener("click", () => seen(step(1)));
show(edges.reduce((best, edge, k) => edge.importance > edges[best].importance ? k : best, 0));
"""
