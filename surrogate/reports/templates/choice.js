// Lets the reader choose another box on the trade-off; limits, rule and scatters follow.
// Without it the page shows the reported box.
(() => {
  "use strict";
{% include "plot.js" %}
  const section = document.currentScript.closest("section");
  const { boxes, chosen } = JSON.parse(section.querySelector("[data-live=choice]").textContent);
  const views = (name) => [...section.querySelectorAll(`figure[data-view=${name}]`)];
  const [tradeOff] = views("trade-off"), [limits] = views("limits"), scatters = views("scatter");
  const status = section.querySelector(".live");
  const plot = tradeOff.querySelector("svg");
  // From left to right on the plot, and down where several boxes have the same coverage.
  const order = boxes.map((_, i) => i).sort((a, b) => boxes[a].at[0] - boxes[b].at[0] || boxes[b].at[1] - boxes[a].at[1]);
  const cell = (row, tag, content) => {
    const element = row.appendChild(document.createElement(tag));
    element.append(content);
    return element;
  };
  const bar = (parts) => {
    const whole = document.createElement("span");
    whole.className = "bar";
    for (const [low, high] of parts) {
      const part = whole.appendChild(document.createElement("span"));
      part.style.left = `${100 * low}%`;
      part.style.width = `${100 * (high - low)}%`;
    }
    return whole;
  };

  // The static drawing of the reported box gives way to marks that move.
  drawn(plot, "mark").forEach((part) => part.remove());
  const ring = ringOn(plot);
  const label = shape(plot, "text", { fill: "#CC3311", "font-size": 10, "text-anchor": "end" });
  limits.querySelector("svg").remove();
  cell(limits.querySelector("thead tr"), "th", "within the whole range").scope = "col";
  const layers = scatters.map((figure) => {
    const svg = figure.querySelector("svg");
    drawn(svg, "frame").forEach((part) => part.remove());
    const layer = shape(svg, "g", { fill: "#0077BB22", stroke: "#0077BB", "stroke-width": 1.5, "pointer-events": "none" });
    const runs = ["other", "interest"].map((name) => drawn(svg, name).flatMap((g) => [...g.querySelectorAll("use")]));
    if (boxes[0].inside) figure.querySelector("figcaption").append("; faded runs lie outside of it");
    return { layer, runs, svg, title: svg.querySelector("title") };
  });

  function show(index) {
    const box = boxes[index];
    const [x, y] = place(plane(plot), box.at);
    moved(ring, [x, y]);
    label.setAttribute("x", x - 8);
    label.setAttribute("y", y + 14);
    label.textContent = `box ${index}`;
    if (status.textContent !== box.told) status.textContent = box.told;

    limits.querySelector("figcaption").textContent = `Limits of box ${index} within the inputs’ ranges`;
    const body = limits.querySelector("tbody");
    body.replaceChildren();
    for (const limit of box.limits) {
      const row = body.insertRow();
      cell(row, "th", limit.input).scope = "row";
      cell(row, "td", limit.box);
      cell(row, "td", limit["whole range"]);
      cell(row, "td", bar(limit.parts));
    }
    if (!box.limits.length) cell(body.insertRow(), "td", "no limits: every run").colSpan = 4;

    // One bit a run, those of no interest first, as they are drawn.
    const bits = box.inside && [...atob(box.inside)].map((byte) => byte.charCodeAt(0));
    layers.forEach(({ layer, runs, svg, title }, i) => {
      const area = plane(svg);
      layer.replaceChildren();
      for (const [x0, y0, x1, y1] of box.frames[i]) {
        const [left, top] = place(area, [x0, y1]);
        shape(layer, "rect", { x: left, y: top, width: (x1 - x0) * area.width, height: (y1 - y0) * area.height });
      }
      runs.flat().forEach((run, k) => {
        if (bits) run.style.opacity = (bits[k >> 3] >> (7 - (k & 7))) & 1 ? 1 : 0.25;
      });
      title.textContent = `${title.textContent.split(" Shown: ")[0]} Shown: box ${index}.`;
    });
  }

  chooser(plot, {
    what: "Box on the trade-off",
    at: (index) => boxes[index].at,
    order,
    chosen,
    told: (index) => boxes[index].figures,
    show,
  });
})();
