// storage.js: what the collections are on disk: their shares, and the levels and runs of each, drawn to
// scale.
//
// All runs of a collection are drawn with one scale: a run of twice the bytes is twice as wide. A run that
// would be narrower than a hair is drawn as one, so that it can be seen.

import * as api from "./api.js";
import {stackedBar} from "./charts.js";
import {kindName} from "./collections.js";
import {draw, element, replace, table} from "./dom.js";
import {bytes, count, percent, plural} from "./format.js";

export const title = "Storage";

const ROW = 30;
const BAR = 20;
const LABEL = 70;
const GAP = 2; // between two runs
const HAIR = 2;
const LARGEST_SHARES = 4; // so many collections have a colour of their own

/* ---- shares of the disk */

function shares(collections, diskBytes) {
  const sorted = [...collections].sort((a, b) => b.disk_bytes - a.disk_bytes);
  const trees = sorted.reduce((sum, c) => sum + c.disk_bytes, 0);
  const parts = sorted.slice(0, LARGEST_SHARES).map((c, i) => ({
    name: c.name,
    value: c.disk_bytes,
    text: bytes(c.disk_bytes),
    className: `series-${i + 1}`,
  }));
  const rows = sorted.map((c, i) => [
    [
      element("span", {class: `swatch ${parts[i]?.className ?? "free"}`, "aria-hidden": "true"}),
      element("a", {href: `#/collections/${encodeURIComponent(c.name)}`}, c.name),
    ],
    kindName(c.kind),
    count(c.entries),
    count(c.memtable_entries),
    count(c.tombstones),
    bytes(c.disk_bytes),
  ]);
  return element(
    "section",
    {class: "card", "aria-label": "Disk"},
    element("h2", null, "Disk"),
    element(
      "p",
      {class: "hint"},
      `${bytes(diskBytes)} in all files: ${bytes(trees)} in the trees of collections, the` +
        " rest is the log and what is not merged away yet.",
    ),
    stackedBar("Share of the disk", parts, Math.max(diskBytes, trees)),
    table(
      "Collections on disk",
      [
        {title: "Collection"},
        {title: "Kind"},
        {title: "Entries", number: true},
        {title: "In memory", number: true},
        {title: "Deletions", number: true},
        {title: "On disk", number: true},
      ],
      rows,
    ),
  );
}

/* ---- levels and runs */

/** The runs of each level, the newest level first: [{level, runs, bytes}]. */
function levelsOf(runs) {
  const levels = new Map();
  for (const run of runs) {
    if (!levels.has(run.level)) levels.set(run.level, {level: run.level, runs: [], bytes: 0});
    const level = levels.get(run.level);
    level.runs.push(run);
    level.bytes += run.disk_bytes;
  }
  return [...levels.values()].sort((a, b) => a.level - b.level);
}

function describeRun(run) {
  return (
    `${bytes(run.disk_bytes)}, ${plural(run.entries, "entry", "entries")}, ${plural(run.parts, "file")}` +
    (run.tombstones ? `, ${plural(run.tombstones, "deletion")}` : "")
  );
}

function drawLevels(name, levels, width) {
  const most = Math.max(...levels.map((l) => l.bytes));
  const gaps = Math.max(...levels.map((l) => l.runs.length)) * GAP;
  const scale = Math.max(0, width - LABEL - gaps) / most;
  const rows = levels.map((level, i) => {
    let x = LABEL;
    const runs = level.runs.map((run) => {
      const runWidth = Math.max(HAIR, run.disk_bytes * scale);
      const box = draw(
        "rect",
        {class: "run", x, y: i * ROW + (ROW - BAR) / 2, width: runWidth, height: BAR, rx: 3},
        draw("title", null, describeRun(run)),
      );
      x += runWidth + GAP;
      return box;
    });
    return [draw("text", {x: 0, y: i * ROW + ROW / 2 + 4}, `Level ${level.level}`), runs];
  });
  const told = levels
    .map((l) => `level ${l.level}: ${plural(l.runs.length, "run")}, ${bytes(l.bytes)}`)
    .join("; ");
  return draw(
    "svg",
    {
      class: "chart levels",
      role: "img",
      viewBox: `0 0 ${width} ${levels.length * ROW}`,
      height: levels.length * ROW,
      "aria-label": `${name}, ${told}`,
    },
    rows,
  );
}

function treeCard(collection) {
  const levels = levelsOf(collection.tree);
  const total = collection.tree.reduce((sum, run) => sum + run.disk_bytes, 0);
  const place = element("div", null);
  const node = element(
    "section",
    {class: "card", "aria-label": `Levels of ${collection.name}`},
    element(
      "div",
      {class: "head"},
      element("h2", null, collection.name),
      element("span", {class: "tag"}, kindName(collection.kind)),
    ),
    place,
  );
  if (!levels.length) {
    replace(
      place,
      element("p", {class: "empty"}, "Nothing is on disk yet: all entries are in memory and in the log."),
    );
    return node;
  }
  const rows = levels.map((l) => [
    `Level ${l.level}`,
    count(l.runs.length),
    count(l.runs.reduce((n, r) => n + r.parts, 0)),
    count(l.runs.reduce((n, r) => n + r.entries, 0)),
    bytes(l.bytes),
    percent(l.bytes, total),
  ]);
  const drawing = element("div", null);
  replace(
    place,
    collection.kind === "lsm" ? drawing : null,
    table(
      `Figures of the levels of ${collection.name}`,
      [
        {title: "Level"},
        {title: "Runs", number: true},
        {title: "Files", number: true},
        {title: "Entries", number: true},
        {title: "Size", number: true},
        {title: "Share", number: true},
      ],
      rows,
    ),
  );
  new ResizeObserver(() => {
    if (node.clientWidth) replace(drawing, drawLevels(collection.name, levels, drawing.clientWidth));
  }).observe(node);
  return node;
}

export async function show(main, argument, signal) {
  const stats = await api.stats({signal});
  replace(
    main,
    element(
      "div",
      {class: "head title"},
      element("h1", null, title),
      element("button", {type: "button", onclick: () => show(main, argument, signal)}, "Read again"),
    ),
    shares(stats.collections, stats.disk.bytes),
    element("div", {class: "cards"}, stats.collections.map(treeCard)),
  );
}
