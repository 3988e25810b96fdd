// charts.js: line charts of the last minutes and stacked bars, as SVG. Colours come from console.css by class
// (series-1, series-2 ...), so that they follow the theme.
//
// A chart is drawn in pixels for the width that it has, again whenever that changes, so that its text keeps
// its size. For screen readers it is an image whose label tells the newest figures; the legend below it has
// the same figures as text, and while the pointer is over the chart, those of that moment.

import {draw, element, replace} from "./dom.js";

const HEIGHT = 190;
const MARGIN = {left: 68, right: 12, top: 10, bottom: 24};
const LINES = 4; // horizontal ones, at most
const SPANS = [60, 120, 300]; // seconds that a chart may reach back: the least that shows all points

/** The least 1, 2 or 5 times a power of ten (for bytes: a power of two) that is at least the value. */
function roundUp(value, binary) {
  if (binary) return 2 ** Math.ceil(Math.log2(Math.max(value, 1)));
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999999);
}

/* A scale: where a value lies between the foot (0) and the top (1) of the chart, and the marked values. */
function linearScale(most, {binary, least}) {
  const top = roundUp(Math.max(most, least), binary);
  const ticks = Array.from({length: LINES + 1}, (_, i) => (top * i) / LINES);
  return {place: (value) => value / top, ticks};
}

function logScale(values, {least}) {
  const found = values.filter((v) => v > 0);
  const low = Math.floor(Math.log10(Math.min(least, ...found)));
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(least, ...found))));
  const ticks = Array.from({length: high - low + 1}, (_, i) => 10 ** (low + i));
  return {place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low), ticks};
}

/** A chart of several lines.
 *    series   names of the lines
 *    format   a value as text
 *    log      whether the scale is logarithmic; binary: whether it has powers of two
 *    least    the smallest top of the scale (log: a value that it always has)
 */
export class LineChart {
  constructor({title, hint, series, format, log = false, binary = false, least = 1}) {
    Object.assign(this, {
      title,
      series,
      format,
      log,
      binary,
      least,
      points: [],
      seconds: SPANS[0],
      hover: null,
    });
    this.svg = draw("svg", {class: "chart", role: "img", height: HEIGHT, "aria-label": title});
    this.values = series.map(() => element("strong", null, "–"));
    const keys = series.map((name, i) =>
      element(
        "li",
        null,
        element("span", {class: `swatch series-${i + 1}`, "aria-hidden": "true"}),
        `${name} `,
        this.values[i],
      ),
    );
    this.moment = element("span", {class: "muted"});
    this.node = element(
      "section",
      {class: "card", "aria-label": title},
      element("h2", null, title),
      hint && element("p", {class: "hint"}, hint),
      this.svg,
      element("ul", {class: "legend"}, keys, element("li", null, this.moment)),
    );
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => {
      this.hover = null;
      this.redraw();
    });
    new ResizeObserver(() => this.redraw()).observe(this.node);
  }

  /** points: [{at: seconds, values: [...]}], the newest last; a value may be null. */
  show(points) {
    this.points = points;
    this.redraw();
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    this.hover = (1 - Math.min(1, Math.max(0, share))) * this.seconds; // seconds ago
    this.redraw();
  }

  redraw() {
    const width = this.svg.clientWidth || this.node.clientWidth;
    if (!width || !this.points.length) return;
    const now = this.points.at(-1).at;
    this.seconds = SPANS.find((span) => span >= now - this.points[0].at) ?? SPANS.at(-1);
    const shown = this.points.filter((p) => now - p.at <= this.seconds);
    const values = shown.flatMap((p) => p.values).filter((v) => v !== null);
    const scale = this.log ? logScale(values, this) : linearScale(Math.max(0, ...values), this);
    const x = (at) => MARGIN.left + (1 - (now - at) / this.seconds) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => HEIGHT - MARGIN.bottom - scale.place(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const chosen =
      this.hover === null
        ? shown.at(-1)
        : shown.reduce((a, b) =>
            Math.abs(now - b.at - this.hover) < Math.abs(now - a.at - this.hover) ? b : a,
          );
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    replace(
      this.svg,
      this.grid(scale, width, y),
      this.series.map((_, i) => this.line(shown, i, x, y)),
      this.hover !== null &&
        draw("line", {
          class: "hover",
          x1: x(chosen.at),
          x2: x(chosen.at),
          y1: MARGIN.top,
          y2: HEIGHT - MARGIN.bottom,
        }),
    );
    this.tell(chosen, now);
  }

  grid(scale, width, y) {
    const times = [this.seconds, this.seconds / 2, 0];
    return [
      scale.ticks.map((tick) => [
        draw("line", {class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick)}),
        draw("text", {x: MARGIN.left - 8, y: y(tick) + 4, "text-anchor": "end"}, this.format(tick)),
      ]),
      times.map((ago, i) =>
        draw(
          "text",
          {
            y: HEIGHT - 6,
            "text-anchor": ["start", "middle", "end"][i],
            x: MARGIN.left + (1 - ago / this.seconds) * (width - MARGIN.left - MARGIN.right),
          },
          ago ? `${ago >= 60 ? `${ago / 60} min` : `${ago} s`} ago` : "now",
        ),
      ),
    ];
  }

  line(shown, index, x, y) {
    let path = "";
    let pen = "M";
    for (const point of shown) {
      const value = point.values[index];
      if (value === null) {
        pen = "M";
        continue;
      }
      path += `${pen}${x(point.at).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    }
    return draw("path", {class: `line series-${index + 1}`, d: path});
  }

  tell(chosen, now) {
    const texts = chosen.values.map((value) => (value === null ? "–" : this.format(value)));
    texts.forEach((text, i) => {
      this.values[i].textContent = text;
    });
    this.moment.textContent = this.hover === null ? "" : `${Math.round(now - chosen.at)} s ago`;
    this.svg.setAttribute(
      "aria-label",
      `${this.title}: ${this.series.map((name, i) => `${name} ${texts[i]}`).join(", ")}`,
    );
  }
}

/** A bar of parts, whose widths are in proportion to `whole`. parts: [{name, value, text, className}]. */
export function stackedBar(label, parts, whole) {
  let at = 0;
  const pieces = parts.map(({name, value, text, className}) => {
    const width = whole > 0 ? (100 * Math.min(value, whole - at)) / whole : 0;
    const piece = draw(
      "rect",
      {
        class: className,
        x: `${whole > 0 ? (100 * at) / whole : 0}%`,
        y: 0,
        width: `${Math.max(0, width)}%`,
        height: "100%",
      },
      draw("title", null, `${name}: ${text}`),
    );
    at += value;
    return piece;
  });
  return draw(
    "svg",
    {
      class: "bar",
      role: "img",
      "aria-label": `${label}: ${parts.map(({name, text}) => `${name} ${text}`).join(", ")}`,
    },
    pieces,
  );
}
