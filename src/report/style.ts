// How a page looks: light and dark, on paper, and on a screen of 400 pixels.

/**
 * Colours: Okabe and Ito's, which the colour-blind can tell apart, darker on light paper and lighter on dark. A cell of a
 * matrix is at most 55 % of its colour, so that the text on it keeps a contrast of 4.5.
 */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1a1d21; --faint: #545b64; --line: #c9ced6; --shade: #f2f4f7;
  --c1: #0072b2; --c2: #b34700; --c3: #00775a; --c4: #9a4d80; --c5: #7a6200; --c6: #4b5563;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ed; --faint: #a4acb8; --line: #3d444e; --shade: #1f242a;
    --c1: #56b4e9; --c2: #f0a050; --c3: #3cc9a0; --c4: #e0a0c8; --c5: #e5d24a; --c6: #aab4c2;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 3rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
a { color: var(--c1); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: .8rem 0; padding: 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .3rem 2rem; margin: .6rem 0; }
dl div { display: flex; gap: .8rem; justify-content: space-between; border-bottom: 1px solid var(--line); }
dt { color: var(--faint); overflow-wrap: normal; } dd { margin: 0; text-align: right; }
figure { margin: 1.4rem 0; }
figcaption { max-width: 48rem; margin-bottom: .5rem; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem 1.4rem; align-items: flex-start; }
.picture { max-width: 100%; }
.name { font-weight: 600; font-size: .85rem; line-height: 1.3; }
svg { display: block; max-width: 100%; height: auto; }
svg text { white-space: pre; }
.scroll { overflow-x: auto; max-width: 100%; }
.picture.scroll svg { max-width: none; }
:focus-visible { outline: 3px solid var(--c1); outline-offset: 2px; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--faint); font-size: .9rem; }
details .scroll { max-height: 28rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: .4rem 0; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; }
th { font-weight: 600; } tbody th { font-weight: 400; }
.t { text-align: left; }
thead th { background: var(--shade); vertical-align: bottom; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit;
  text-decoration: underline dotted; text-underline-offset: .2em; }
th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
.warning { border-left: 4px solid var(--c2); padding: .2rem .8rem; background: var(--shade); }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media print {
  :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --faint: #444444; --line: #bbbbbb; --shade: #f2f4f7;
    --c1: #0072b2; --c2: #b34700; --c3: #00775a; --c4: #9a4d80; --c5: #7a6200; --c6: #4b5563; }
  body { padding: 0; max-width: none; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .picture, tr, figcaption, caption { break-inside: avoid; } figcaption, h2, caption, thead { break-after: avoid; }
  .scroll, details .scroll { overflow: visible; max-height: none; } .picture.scroll svg { max-width: 100%; }
  nav, details:not([open]), .unseen { display: none; }
}
`
