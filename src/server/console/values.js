// values.js: values of tables and of SQL: null, booleans, integers (numbers or BigInt), reals, texts, and
// blobs as {base64: "..."}. This module shows them in cells, and reads what is typed for a column of some
// type.

import {fromBase64, parseHex, toBase64, toHex} from "./bytes.js";
import {element} from "./dom.js";
import {plural} from "./format.js";

const SHOWN_CHARACTERS = 160;
const SHOWN_BYTES = 12;

export function isNumber(value) {
  return typeof value === "number" || typeof value === "bigint";
}

/** The value as what a cell of a table shows. */
export function cell(value) {
  if (value === null) return element("span", {class: "muted"}, "NULL");
  if (typeof value === "object") {
    const data = fromBase64(value.base64);
    const start = toHex(data.subarray(0, SHOWN_BYTES));
    const size = data.length > SHOWN_BYTES ? `… ${plural(data.length, "byte")}` : "";
    return element("code", null, data.length ? start + size : "x''");
  }
  const text = String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** The value as it is typed. */
export function typed(value) {
  if (value === null) return "";
  return typeof value === "object" ? toHex(fromBase64(value.base64)) : String(value);
}

/** JSON for a value of a column of the type. */
export function literal(type, value) {
  if (value === null) return "null";
  if (type === "text" || typeof value === "object") return JSON.stringify(value);
  if (type === "integer" && typeof value === "number" && !Number.isSafeInteger(value))
    throw new Error("This browser rounds integers of more than 53 bits; a newer one does not.");
  if (type !== "real") return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  return Number.isInteger(value) && !String(value).includes("e") ? `${value}.0` : String(value);
}

const READERS = {
  integer(text) {
    if (/^\s*[+-]?\d+\s*$/.test(text)) return BigInt(text.trim().replace("+", ""));
    throw new Error("This is not an integer.");
  },
  real(text) {
    const value = Number(text);
    if (text.trim() && !Number.isNaN(value)) return value;
    throw new Error("This is not a number.");
  },
  boolean(text) {
    if (/^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === "true";
    throw new Error("This is neither true nor false.");
  },
  text: (text) => text,
  blob: (text) => ({base64: toBase64(parseHex(text))}),
};

/** The value that was typed for a column of the type. Throws an Error with a sentence. */
export function readTyped(type, text) {
  return READERS[type](text);
}
