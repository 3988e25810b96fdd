// format.js: figures for people. Sizes are in powers of 1024, as everywhere in Holt; groups of digits are
// separated by commas whatever the browser's language, because the page is in English.

const GROUPED = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});

/** Three significant digits or so: 0.12, 1.23, 12.3, 123, 1234. */
function digits(value) {
  if (value === 0) return "0";
  if (value < 1) return value.toPrecision(2);
  if (value < 100) return String(Number(value.toFixed(value < 10 ? 2 : 1)));
  return value.toFixed(0);
}

export function count(value) {
  return GROUPED.format(value);
}

/** A count in little room: 950, 12.3k, 4.56M. */
export function shortCount(value) {
  const units = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [size, name] of units) {
    if (value >= size) return digits(value / size) + name;
  }
  return digits(value);
}

export function bytes(value) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let size = Number(value);
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  if (unit === 0 && size === 1) return "1 byte";
  return `${digits(size)} ${units[unit]}`;
}

/** A duration, given in nanoseconds. */
export function duration(ns) {
  const units = [
    [86400e9, "d"],
    [3600e9, "h"],
    [60e9, "min"],
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
  ];
  for (const [size, name] of units) {
    if (ns >= size) return `${digits(ns / size)} ${name}`;
  }
  return `${digits(ns)} ns`;
}

export function percent(part, whole) {
  return whole > 0 ? `${digits((100 * part) / whole)}%` : "–";
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${Number(number) === 1 ? one : many}`;
}

/** A moment, given in milliseconds since 1970. */
export function moment(ms) {
  return new Date(Number(ms)).toLocaleString("en-GB");
}

export function until(ms, now = Date.now()) {
  return ms > now ? `in ${duration((ms - now) * 1e6)}` : "expired";
}
