// Part of the scripts that let the reader choose one of a plot's dots. Places are shares of the plot's plane, so that
// no script computes a plot.
const drawn = (svg, name) => [...svg.querySelectorAll(`[id*="-${name}"]`)];
const plane = (svg) => drawn(svg, "plane")[0].getBBox();
const place = (area, [x, y]) => [area.x + x * area.width, area.y + (1 - y) * area.height];
const shape = (parent, tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
};
const ringOn = (svg) => shape(svg, "circle", { r: 6, fill: "none", stroke: "#CC3311", "stroke-width": 2 });
const moved = (circle, [x, y]) => {
  circle.setAttribute("cx", x);
  circle.setAttribute("cy", y);
};

// Makes a plot a slider over dots: click one, or step through them in the given order with the arrow keys.
function chooser(plot, { what, at, order, chosen, told, show }) {
  let current = chosen;
  const choose = (index) => {
    current = index;
    plot.setAttribute("aria-valuenow", order.indexOf(index));
    plot.setAttribute("aria-valuetext", told(index));
    show(index);
  };
  plot.setAttribute("role", "slider");
  plot.setAttribute("tabindex", "0");
  plot.setAttribute("aria-label", `${what}: left and right arrow keys choose another`);
  plot.setAttribute("aria-valuemin", 0);
  plot.setAttribute("aria-valuemax", order.length - 1);
  plot.querySelector("title").textContent = "Click a dot, or use the arrow keys";
  plot.addEventListener("click", (event) => {
    const from = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    const area = plane(plot);
    const distance = (index) => {
      const [x, y] = place(area, at(index));
      return Math.hypot(x - from.x, y - from.y);
    };
    choose(order.reduce((best, index) => (distance(index) < distance(best) ? index : best)));
    plot.focus({ preventScroll: true });
  });
  plot.addEventListener("keydown", (event) => {
    const last = order.length - 1;
    const now = order.indexOf(current);
    const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: last }[event.key];
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(order[Math.min(last, Math.max(0, next))]);
  });
  choose(current);
}
