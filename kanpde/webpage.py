"""What pages share: what a browser may load for them, their colours by day and night, and the style of their texts."""

from __future__ import annotations

# Nothing but what stands in the file itself.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'"

# Figures keep a white card, in the dark and on paper too.
STYLE = """
:root { color-scheme: light dark; --ground: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #5b6068; --line: #d9dbde;
  --head: #eef0f2; --link: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161a; --card: #1c1f24; --ink: #e6e7e9; --soft: #a4a9b1; --line: #363b43; --head: #262a31;
    --link: #7db8f5; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; padding: 1rem .75rem 3rem; max-width: 68rem; overflow-wrap: break-word;
  background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
p { margin: .6rem 0; }
a { color: var(--link); }
code { font: .88em ui-monospace, Menlo, Consolas, monospace; background: var(--head); border-radius: 3px;
  padding: .1em .3em; overflow-wrap: anywhere; }
.card { background: #fff; border-radius: 5px; }
.card svg { display: block; width: 100%; height: auto; }
dl { display: grid; grid-template-columns: fit-content(40%) minmax(0, 1fr); gap: .3rem 1rem; margin: 0;
  font-size: .875rem; }
dt { color: var(--soft); min-width: 0; overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
"""
