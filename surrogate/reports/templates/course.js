// Lets the reader choose a run on the course of an optimisation; its line across the inputs and its place beside the
// front follow, and it is told in words. Without it the page tells of the best run.
(() => {
  "use strict";
{% include "plot.js" %}
  const section = document.currentScript.closest("section");
  const { runs, chosen } = JSON.parse(section.querySelector("[data-live=course]").textContent);
  const svg = (view) => section.querySelector(`figure[data-view=${view}] svg`);
  const [course, parallel, front] = ["course", "parallel", "front"].map(svg);
  const status = section.querySelector(".live");
  const ring = ringOn(course);
  const line = shape(parallel, "polyline", { fill: "none", stroke: "#EE7733", "stroke-width": 3, "pointer-events": "none" });
  const mark = front && ringOn(front);

  function show(index) {
    const run = runs[index];
    moved(ring, place(plane(course), run.at));
    const area = plane(parallel);
    line.setAttribute("points", run.line.map((at) => place(area, at).join(",")).join(" "));
    if (mark) {
      mark.style.display = run.front ? "" : "none";
      if (run.front) moved(mark, place(plane(front), run.front));
    }
    if (status.textContent !== run.told) status.textContent = run.told;
  }

  chooser(course, {
    what: "Run in the order of proposal",
    at: (index) => runs[index].at,
    order: runs.map((_, index) => index),
    chosen,
    told: (index) => runs[index].told,
    show,
  });
})();
