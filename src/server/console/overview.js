// overview.js: the first page: what the server does now and how fast, where its memory is, and why writes
// wait.
//
// The server counts; this page asks for the counts every second and shows how they have changed. The history
// starts when the console was opened and is kept while other pages are shown; no figures are stored anywhere.

import * as api from "./api.js";
import {LineChart, stackedBar} from "./charts.js";
import {element, replace, table} from "./dom.js";
import {bytes, count, duration, percent, plural, shortCount} from "./format.js";
import {poll} from "./poll.js";

export const title = "Overview";

const ASK_MS = 1000;
const CHART_SECONDS = 300;
const LATENCY_SECONDS = 10; // a percentile is that of the operations of so many seconds
const GAP_SECONDS = 5; // a line is not drawn across a longer pause, for example of a hidden tab

const CAUSES = {
  flush: "Memtables are filled faster than they are written to files.",
  compaction: "Compaction is behind: a collection has many runs.",
  readers: "Snapshots and cursors keep flushed memtables in memory.",
  log: "The log was not synced within its interval.",
};

/* ---- the history */

const history = []; // [{at: seconds, stats}], the oldest first

function remember(stats) {
  const at = performance.now() / 1000;
  const last = history.at(-1);
  if (last && stats.uptime_ms < last.stats.uptime_ms) history.length = 0; // the server was restarted
  history.push({at, stats});
  while (at - history[0].at > CHART_SECONDS + LATENCY_SECONDS) history.shift();
}

/** Calls each(older, newer, seconds) for every two neighbours, and returns points for a chart. */
function points(each, lines) {
  const out = [];
  for (let i = 1; i < history.length; i += 1) {
    const seconds = history[i].at - history[i - 1].at;
    if (seconds > GAP_SECONDS) out.push({at: history[i].at, values: Array(lines).fill(null)});
    else out.push({at: history[i].at, values: each(history[i - 1].stats, history[i].stats, seconds, i)});
  }
  return out;
}

function operations(stats, kind) {
  return Object.values(stats.protocols).reduce((sum, p) => sum + p.operations[kind].count, 0);
}

/* ---- latency */

/** The operations of one kind that each bucket has gained between two moments, over all protocols. */
function bucketsBetween(older, newer, kind) {
  const sums = Array(newer.latency_bounds_us.length + 1).fill(0);
  for (const [name, protocol] of Object.entries(newer.protocols)) {
    const before = older.protocols[name].operations[kind].buckets;
    protocol.operations[kind].buckets.forEach((n, i) => {
      sums[i] += n - before[i];
    });
  }
  return sums;
}

/** Nanoseconds within which that share of the operations was done, estimated; null: there were none. */
function percentile(buckets, boundsUs, share) {
  const all = buckets.reduce((a, b) => a + b, 0);
  if (all === 0) return null;
  let left = all * share;
  for (let i = 0; i < buckets.length; i += 1) {
    if (left <= buckets[i]) {
      const low = i ? boundsUs[i - 1] : 0;
      const high = boundsUs[i] ?? low; // the last bucket has no end
      return (low + ((high - low) * left) / buckets[i]) * 1000;
    }
    left -= buckets[i];
  }
  return boundsUs.at(-1) * 1000;
}

function latencies(index) {
  const newer = history[index];
  let from = index;
  while (from > 0 && newer.at - history[from].at < LATENCY_SECONDS) from -= 1;
  return ["read", "write"].flatMap((kind) => {
    const buckets = bucketsBetween(history[from].stats, newer.stats, kind);
    return [0.5, 0.99].map((share) => percentile(buckets, newer.stats.latency_bounds_us, share));
  });
}

/* ---- parts of the page */

function tile(name) {
  const value = element("dd", null, "–");
  const note = element("dd", {class: "note"});
  return {
    node: element("div", {class: "tile"}, element("dt", null, name), value, note),
    show(text, more) {
      value.textContent = text;
      note.textContent = more ?? "";
    },
  };
}

function memoryCard(memory) {
  const holders = [
    {
      name: "Memtables",
      value: memory.memtables,
      className: "series-1",
      what: "what was written and not flushed yet",
    },
    {
      name: "Indexes and filters",
      value: memory.cache_resident,
      className: "series-2",
      what: "blocks that stay",
    },
    {
      name: "Cached blocks",
      value: memory.cache,
      className: "series-3",
      what: "make room when others need it",
    },
    {
      name: "Transactions",
      value: memory.transactions,
      className: "series-4",
      what: "their writes before the commit",
    },
  ];
  const free = Math.max(0, memory.limit - memory.used);
  const rows = [...holders, {name: "Free", value: free, className: "free", what: "of the budget"}];
  return [
    stackedBar(
      "Memory",
      rows.map((r) => ({...r, text: bytes(r.value)})),
      Math.max(memory.limit, memory.used),
    ),
    table(
      "Memory by holder",
      [{title: "Holder"}, {title: "Memory", number: true}, {title: "Share", number: true}],
      rows.map((r) => [
        [
          element("span", {class: `swatch ${r.className}`, "aria-hidden": "true"}),
          r.name,
          element("span", {class: "muted"}, ` ${r.what}`),
        ],
        bytes(r.value),
        percent(r.value, memory.limit),
      ]),
    ),
  ];
}

function delayCard(delays) {
  const now =
    delays.now_ns > 0
      ? `Each commit is being delayed by ${duration(delays.now_ns)}.`
      : "No commit is being delayed now.";
  const sum = delays.count
    ? ` Since the start: ${plural(delays.count, "delay")}, ${duration(delays.ns)} in all.`
    : "";
  return [
    element("p", null, now, sum),
    table(
      "Delays of writes by cause",
      [{title: "Cause"}, {title: "Commits", number: true}, {title: "Time", number: true}],
      Object.entries(delays.causes).map(([cause, d]) => [
        [element("strong", null, cause), element("span", {class: "muted"}, ` ${CAUSES[cause] ?? ""}`)],
        count(d.count),
        d.ns ? duration(d.ns) : "–",
      ]),
    ),
  ];
}

function workCard(s) {
  const written = s.log.bytes + s.flush.bytes + s.compaction.bytes_written;
  const rows = [
    ["Written by programs", bytes(s.operations.bytes_written)],
    [
      "Written to disk for it",
      s.operations.bytes_written
        ? `${bytes(written)}, ${(written / s.operations.bytes_written).toFixed(1)} times as much`
        : bytes(written),
    ],
    ["Flushes", `${count(s.flush.count)}, ${bytes(s.flush.bytes)}`],
    ["Compactions", `${count(s.compaction.count)}, ${bytes(s.compaction.bytes_written)} written`],
    ["Syncs of the log", count(s.log.syncs)],
    ["Blocks found in the cache", percent(s.cache.hits, s.cache.hits + s.cache.misses)],
    ["Runs skipped by filters", percent(s.filters.negatives, s.filters.checks)],
    ["Operations that are not durable yet", count(s.log.last_seqno - s.log.durable_seqno)],
  ];
  return element(
    "dl",
    {class: "facts"},
    rows.map(([term, text]) => [element("dt", null, term), element("dd", null, text)]),
  );
}

function card(name, ...parts) {
  const place = element("div", null, parts);
  return {
    node: element("section", {class: "card", "aria-label": name}, element("h2", null, name), place),
    place,
  };
}

/* ---- the page */

function buildPage(main) {
  const page = {
    tiles: {
      operations: tile("Operations"),
      latency: tile("Latency, 99%"),
      memory: tile("Memory"),
      disk: tile("Disk"),
      connections: tile("Connections"),
      uptime: tile("Running for"),
    },
    operations: new LineChart({
      title: "Operations per second",
      series: ["Reads", "Writes", "Others"],
      format: shortCount,
      least: 10,
    }),
    latency: new LineChart({
      title: "Latency",
      log: true,
      least: 1e5,
      format: duration,
      series: ["Reads, median", "Reads, 99%", "Writes, median", "Writes, 99%"],
    }),
    written: new LineChart({
      title: "Bytes written per second",
      binary: true,
      least: 1024,
      format: bytes,
      series: ["By programs", "Log", "Flushes", "Compactions"],
    }),
    memory: card("Memory"),
    delays: card("Delays of writes"),
    work: card("Since the server started"),
  };
  replace(
    main,
    element("h1", null, title),
    element(
      "dl",
      {class: "tiles"},
      Object.values(page.tiles).map((t) => t.node),
    ),
    element(
      "div",
      {class: "cards"},
      page.operations.node,
      page.latency.node,
      page.memory.node,
      page.delays.node,
      page.written.node,
      page.work.node,
    ),
  );
  return page;
}

function showTiles(tiles, s, rates, latest) {
  const slowest = latest ? [latest[1], latest[3]].filter((v) => v !== null) : [];
  tiles.operations.show(
    rates ? `${shortCount(rates.reduce((a, b) => a + b, 0))}/s` : "–",
    rates ? `${shortCount(rates[0])} reads, ${shortCount(rates[1])} writes` : "",
  );
  tiles.latency.show(
    slowest.length ? duration(Math.max(...slowest)) : "–",
    slowest.length ? `of the last ${LATENCY_SECONDS} s` : "nothing was read or written",
  );
  tiles.memory.show(
    bytes(s.memory.used),
    `${percent(s.memory.used, s.memory.limit)} of ${bytes(s.memory.limit)}`,
  );
  tiles.disk.show(bytes(s.disk.bytes), plural(s.disk.files, "data file"));
  tiles.connections.show(
    count(Object.values(s.protocols).reduce((sum, p) => sum + p.connections, 0)),
    Object.entries(s.protocols)
      .map(([name, p]) => `${p.connections} ${name === "http" ? "HTTP" : "Redis"}`)
      .join(", "),
  );
  tiles.uptime.show(duration(s.uptime_ms * 1e6), `Holt ${s.version}`);
}

function showFigures(page) {
  const {stats: s} = history.at(-1);
  const kinds = ["read", "write", "other"];
  const rates = points(
    (a, b, seconds) => kinds.map((k) => (operations(b, k) - operations(a, k)) / seconds),
    3,
  );
  const times = points((a, b, seconds, i) => latencies(i), 4);
  const written = points(
    (a, b, seconds) =>
      [
        b.operations.bytes_written - a.operations.bytes_written,
        b.log.bytes - a.log.bytes,
        b.flush.bytes - a.flush.bytes,
        b.compaction.bytes_written - a.compaction.bytes_written,
      ].map((n) => n / seconds),
    4,
  );
  page.operations.show(rates);
  page.latency.show(times);
  page.written.show(written);
  showTiles(page.tiles, s, rates.at(-1)?.values, times.at(-1)?.values);
  replace(page.memory.place, memoryCard(s.memory));
  replace(page.delays.place, delayCard(s.delays));
  replace(page.work.place, workCard(s));
}

/** Asks every second, unless the tab is hidden, until the page is left. */
export async function show(main, argument, signal) {
  const stats = await api.stats({signal}); // a failure of the first question is that of the page
  remember(stats);
  const page = buildPage(main);
  showFigures(page);
  poll(ASK_MS, signal, async () => {
    remember(await api.stats({signal, quiet: true}));
    showFigures(page);
  });
}
