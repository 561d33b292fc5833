// How a report looks: the style of its pages and what moves in plots. Colors of curves: svg.cpp.

#pragma once

#include <string_view>

namespace edmund {

// Colors come in one set for light and one for dark screens; plots use the same variables.
inline constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--paper:#fff;--page:#f6f7f9;--ink:#1f2630;--muted:#5a6270;--grid:#e3e6ea;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--paper:#1b2027;--page:#13161b;--ink:#e4e8ee;--muted:#9aa4b2;--grid:#323a45;--accent:#56b4e9;
--series0:#4ba3dc;--series1:#f08c46;--series2:#2fc29a;--series3:#dd9cc0;--series5:#9fd4f2}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 22px 60px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 4px}
h2{font-size:1.25rem;margin:0 0 8px}
p{max-width:75ch;margin:8px 0}
.subtitle,.lead,figcaption,.caption{color:var(--muted)}
.subtitle{margin:0 0 10px}
.lead{margin:-4px 0 12px}
nav{font-size:.9rem;margin:14px 0 20px;display:flex;flex-wrap:wrap;gap:4px 16px}
a{color:var(--accent);text-decoration:none}
a:hover{text-decoration:underline}
section{background:var(--paper);border:1px solid var(--grid);border-radius:10px;padding:18px 20px;margin:0 0 18px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:14px 22px;align-items:start}
figure{margin:12px 0}
.columns figure{margin:0}
figure svg,figure img{display:block;max-width:100%;height:auto}
figure svg{background:none!important}
figure img:not([width]){width:min(100%,640px)}
img{image-rendering:pixelated}
figcaption,.caption{font-size:.88rem;margin-top:6px;max-width:75ch}
.columns>*{min-width:0}
.wide,figure{overflow-x:auto;background:linear-gradient(to left,var(--paper) 40%,transparent) right/48px 100% no-repeat local,
linear-gradient(to left,var(--grid),transparent) right/16px 100% no-repeat scroll}
.wide td:first-child,.wide th:first-child{position:sticky;left:0;background:var(--paper);z-index:1}
.wide td{white-space:nowrap}
.wide .long{white-space:normal;min-width:16em}
.plain{overflow-x:auto}
.mark{width:18px;height:10px;margin-right:7px;vertical-align:middle}
details{margin:8px 0}
summary{cursor:pointer;overflow-wrap:anywhere}
pre{overflow-x:auto;font-size:.85rem;line-height:1.45;margin:8px 0}
.pictures{font-size:.88rem}
.pictures th{font-weight:500;vertical-align:middle;border:0;white-space:normal;max-width:150px;overflow-wrap:break-word}
.pictures td{border:0;padding:3px 10px 3px 0}
.pictures img{max-width:none}
table{border-collapse:collapse;margin:10px 0;font-size:.94rem;font-variant-numeric:tabular-nums}
th,td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
thead th{border-bottom:2px solid var(--muted);white-space:nowrap}
.n{text-align:right;white-space:nowrap}
.facts th{font-weight:500;color:var(--muted);white-space:nowrap}
.facts td{overflow-wrap:anywhere}
@media (max-width:600px){main{padding:16px 10px 40px}section{padding:14px 12px}h1{font-size:1.5rem}
.wide tbody td:first-child,.wide th:first-child{min-width:88px;max-width:36vw;white-space:normal;overflow-wrap:break-word;padding-right:8px}
.facts tr,.facts th,.facts td{display:block;max-width:none;border:0;padding:0}.facts tr{border-bottom:1px solid var(--grid);padding:5px 0}}
@media print{body{background:#fff}section{break-inside:avoid;border:0;padding:0}nav{display:none}}
)";

// Keys of a plot show and hide its curves (with Shift: that curve alone), the wheel with Ctrl
// zooms, a double click takes all back.
inline constexpr std::string_view kScript = R"(
for (const plot of document.querySelectorAll('figure svg')) {
  const curves = [...plot.querySelectorAll('[data-series]')], keys = [...plot.querySelectorAll('[data-key]')];
  const whole = plot.getAttribute('viewBox');
  const show = (key, on) => {
    for (const c of curves) if (c.dataset.series === key.dataset.key) c.style.display = on ? '' : 'none';
    key.style.opacity = on ? 1 : 0.3;
  };
  for (const key of keys) {
    key.style.cursor = 'pointer';
    key.addEventListener('click', e => {
      if (e.shiftKey) for (const other of keys) show(other, other === key);
      else show(key, key.style.opacity === '0.3');
    });
  }
  plot.addEventListener('wheel', e => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    const [x, y, w, h] = plot.getAttribute('viewBox').split(' ').map(Number), box = plot.getBoundingClientRect();
    const px = (e.clientX - box.left) / box.width, py = (e.clientY - box.top) / box.height, f = e.deltaY < 0 ? 0.8 : 1.25;
    plot.setAttribute('viewBox', [x + px * w * (1 - f), y + py * h * (1 - f), w * f, h * f].join(' '));
  }, {passive: false});
  plot.addEventListener('dblclick', () => { plot.setAttribute('viewBox', whole); for (const key of keys) show(key, true); });
}
)";

}  // namespace edmund
