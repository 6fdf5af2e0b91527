// Lets the reader move through the inputs: a slider each, and the emulator along every input from where the others are.
// Evaluates a copy of the emulator: trend plus a weighted sum of correlations with its points.
(() => {
  "use strict";
  const section = document.currentScript.closest("section");
  const { inputs, outputs } = JSON.parse(section.querySelector("[data-live=slices]").textContent);
  const figures = [...section.querySelectorAll("figure[data-view=slices]")];
  const status = section.querySelector(".live");
  const WIDTH = 200, HEIGHT = 120;

  const doubles = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Float64Array(bytes.buffer);
  };
  const correlations = {
    matern32: (r) => (1 + r) * Math.exp(-r),
    matern52: (r) => (1 + r + (r * r) / 3) * Math.exp(-r),
    matern72: (r) => (1 + r + 0.4 * r * r + r ** 3 / 15) * Math.exp(-r),
    squared_exponential: (r) => Math.exp(-0.5 * r * r),
    rational_quadratic: (r) => (1 + 0.25 * r * r) ** -2,
    radial_matern52: (r) => (1 + r + (r * r) / 3) * Math.exp(-r),
  };

  // A formula's values along one input, the others at the steps `at`.
  const formula = ({ family, terms, owner, z, rates, floors, weights, coefficients, steps }) => {
    [z, rates, floors, weights, coefficients] = [z, rates, floors, weights, coefficients].map(doubles);
    steps = steps.map(doubles);
    const width = owner.length, n = weights.length, k = correlations[family], radial = family.startsWith("radial");
    const first = owner.map((j) => owner.indexOf(j)), own = owner.map((j) => owner.filter((other) => other === j).length);
    const place = (c, step) => steps[owner[c]][step * own[c] + c - first[c]];
    const start = radial ? 0 : 1;
    const join = radial ? (sum, r) => sum + r * r : (product, r, c) => product * (floors[c] + (1 - floors[c]) * k(r));
    const finish = radial ? (sum) => k(Math.sqrt(sum)) : (product) => product;
    return (along, at) => {
      const columns = [...owner.keys()];
      const others = columns.filter((c) => owner[c] !== along), mine = columns.filter((c) => owner[c] === along);
      const base = new Float64Array(n).fill(start);
      for (const c of others) {
        const x = place(c, at[owner[c]]);
        for (let i = 0; i < n; i++) base[i] = join(base[i], rates[c] * Math.abs(x - z[i * width + c]), c);
      }
      return inputs[along].values.map((_, step) => {
        const x = columns.map((c) => place(c, owner[c] === along ? step : at[owner[c]]));
        let value = 0;
        terms.forEach((term, t) => (value += coefficients[t] * term.reduce((p, c) => p * (2 * x[c] - 1), 1)));
        for (let i = 0; i < n; i++) {
          let joined = base[i];
          for (const c of mine) joined = join(joined, rates[c] * Math.abs(x[c] - z[i * width + c]), c);
          value += weights[i] * finish(joined);
        }
        return value;
      });
    };
  };
  for (const output of outputs) {
    output.mean = formula(output.mean);
    output.logStd = formula(output.logStd);
  }

  const element = (parent, tag, attributes = {}, text = "") => {
    const made = parent.appendChild(document.createElement(tag));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const shape = (parent, tag, attributes) => {
    const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const digits = (value) => Number(value.toPrecision(3)).toString();

  // The static drawings stay for print.
  figures.forEach((figure) => figure.classList.add("replaced"));
  const panel = document.createElement("div");
  panel.className = "slices";
  status.after(panel);
  let shown = outputs[0];
  if (outputs.length > 1) {
    const choice = element(element(panel, "label", {}, "Output "), "select");
    outputs.forEach((output) => element(choice, "option", {}, output.label));
    choice.addEventListener("change", () => {
      shown = outputs[choice.selectedIndex];
      draw();
    });
  }
  const at = inputs.map((input) => input.at);
  const grid = element(panel, "div", { class: "grid" });
  const slices = inputs.map((input, j) => {
    const slice = element(grid, "div", { class: "slice" });
    const svg = shape(slice, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    const band = shape(svg, "path", { fill: "#0077BB33" });
    const line = shape(svg, "path", { fill: "none", stroke: "#0077BB", "stroke-width": 1.5 });
    const dot = shape(svg, "circle", { r: 4, fill: "#CC3311" });
    shape(svg, "path", { d: `M0.5,0V${HEIGHT - 0.5}H${WIDTH}`, fill: "none", stroke: "#888888" });
    const top = shape(svg, "text", { x: 4, y: 10, "font-size": 10, fill: "#444444" });
    const bottom = shape(svg, "text", { x: 4, y: HEIGHT - 4, "font-size": 10, fill: "#444444" });
    const label = element(slice, "label", { for: `slice-${j}` });
    const slider = element(slice, "input", { type: "range", id: `slice-${j}`, min: 0, max: input.values.length - 1, step: 1 });
    slider.value = at[j];
    slider.addEventListener("input", () => {
      at[j] = Number(slider.value);
      draw();
    });
    return { band, line, dot, top, bottom, label, slider };
  });

  function draw() {
    const [low, high] = shown.range;
    const y = (value) => HEIGHT * (1 - (Math.min(Math.max(value, low), high) - low) / (high - low || 1));
    inputs.forEach((input, j) => {
      const { band, line, dot, top, bottom, label, slider } = slices[j];
      const mean = shown.mean(j, at), half = shown.logStd(j, at).map((value) => 1.96 * Math.exp(value));
      const x = (step) => 6 + ((WIDTH - 12) * step) / (input.values.length - 1 || 1);
      const path = (values) => values.map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
      const upper = path(mean.map((m, i) => m + half[i])), lower = path(mean.map((m, i) => m - half[i]));
      line.setAttribute("d", `M${path(mean).join("L")}`);
      band.setAttribute("d", `M${[...upper, ...lower.reverse()].join("L")}Z`);
      dot.setAttribute("cx", x(at[j]));
      dot.setAttribute("cy", y(mean[at[j]]));
      top.textContent = digits(high);
      bottom.textContent = digits(low);
      label.textContent = `${input.label}: ${input.values[at[j]]}`;
      slider.setAttribute("aria-valuetext", input.values[at[j]]);
      if (j === 0) {
        const [m, h] = [mean[at[j]], half[at[j]]];
        const told = `${shown.label} here: ${digits(m)}, with 95% probability between ${digits(m - h)} and ${digits(m + h)}.`;
        status.textContent = `${told} ${shown.note}`.trim();
      }
    });
  }
  draw();
})();
