// sql.js: a box for SQL. The rows are read as they come, up to as many as a person would look at; then the
// request is ended, and with it the statement. An error is shown with its place in the statement. Statements
// that were run can be had again until the tab is closed.

import * as api from "./api.js";
import {element, field, replace, table} from "./dom.js";
import {count, duration, plural} from "./format.js";
import {cell, isNumber} from "./values.js";

export const title = "SQL";

const ROWS_MAX = 1000;
const REMEMBERED = "holt-sql";
const REMEMBERED_MAX = 30;

/* ---- what was run before */

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(REMEMBERED)) ?? [];
  } catch {
    return [];
  }
}

function remember(statement) {
  const others = remembered().filter((other) => other !== statement);
  sessionStorage.setItem(REMEMBERED, JSON.stringify([statement, ...others].slice(0, REMEMBERED_MAX)));
}

/* ---- errors */

/** The place of a byte of the statement: {index, line, column}; the last two count from 1. */
function placeOf(statement, offset) {
  const before = new TextDecoder().decode(new TextEncoder().encode(statement).subarray(0, offset));
  const lines = before.split("\n");
  return {index: before.length, line: lines.length, column: Array.from(lines.at(-1)).length + 1};
}

/** The error; with its place, the line of the statement with a mark below, and the cursor put there. */
function showError(place, area, statement, error) {
  const offset = error.details?.offset;
  if (offset === undefined) {
    replace(place, element("p", {class: "error", role: "alert"}, error.message));
    return;
  }
  const {index, line, column} = placeOf(statement, offset);
  const text = statement.split("\n")[line - 1];
  const told = `Line ${line}, column ${column}: ${error.message}`;
  // The mark stands below the character if the line begins with as many blanks, and tabs where it has tabs.
  const blanks = Array.from(text)
    .slice(0, column - 1)
    .map((c) => (c === "\t" ? c : " "));
  replace(
    place,
    element("p", {class: "error", role: "alert"}, told),
    element("pre", {class: "place", "aria-hidden": "true"}, `${text}\n${blanks.join("")}^`),
  );
  area.focus();
  area.setSelectionRange(index, index);
}

/* ---- results */

function resultTable(columns, rows) {
  const numeric = columns.map(
    (_, i) => rows.length > 0 && rows.every((r) => r[i] === null || isNumber(r[i])),
  );
  const heads = columns.map((name, i) => ({title: name, number: numeric[i]}));
  return table(
    "Result",
    heads,
    rows.map((row) => row.map(cell)),
    "rows",
  );
}

/** Runs the statement: {columns, rows, changes, cut}. */
async function run(statement, parameters, signal) {
  const result = {columns: [], rows: [], changes: null, cut: false};
  const ending = new AbortController();
  const stop = () => ending.abort();
  signal.addEventListener("abort", stop);
  try {
    for await (const line of api.sql(statement, parameters, {signal: ending.signal})) {
      if (!Array.isArray(line)) Object.assign(result, line);
      else if (result.rows.length < ROWS_MAX) result.rows.push(line);
      else {
        result.cut = true;
        break;
      }
    }
  } finally {
    ending.abort(); // also what is left of a result that was cut
    signal.removeEventListener("abort", stop);
  }
  return result;
}

function summary({rows, columns, changes, cut}, ms) {
  const time = duration(ms * 1e6);
  if (cut) return `The first ${count(ROWS_MAX)} rows; add LIMIT and OFFSET, or a condition, to see others.`;
  if (columns.length) return `${plural(rows.length, "row")} in ${time}`;
  return changes === null ? `Done in ${time}` : `${plural(changes, "row")} changed in ${time}`;
}

/** The parameters as JSON text: an array, also if one value was typed. */
function readParameters(text) {
  const trimmed = text.trim();
  if (!trimmed) return "[]";
  const array = trimmed.startsWith("[") ? trimmed : `[${trimmed}]`;
  try {
    JSON.parse(array);
  } catch {
    throw new Error('Parameters are values in JSON, with commas between them: 7, "Lisbon", null.');
  }
  return array;
}

/* ---- the page */

export async function show(main, argument, signal) {
  const area = element("textarea", {
    class: "sql-text",
    rows: "7",
    spellcheck: "false",
    autocapitalize: "off",
    placeholder: "SELECT …",
    value: remembered()[0] ?? "",
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    },
  });
  const parameters = element("input", {type: "text", spellcheck: "false", placeholder: "none"});
  const earlier = element("select", {
    onchange: () => {
      area.value = earlier.value;
      area.focus();
    },
  });
  const status = element("p", {class: "muted", role: "status"}, "Rows are shown here.");
  const result = element("div", null);
  const button = element("button", {type: "submit", class: "main"}, "Run");

  const listEarlier = () => {
    const options = remembered().map((text) => element("option", {value: text}, text.replace(/\s+/g, " ")));
    replace(earlier, element("option", {value: ""}, "Choose…"), options);
  };

  async function submit(event) {
    event.preventDefault();
    const statement = area.value;
    button.disabled = true;
    status.textContent = "Running…";
    replace(result);
    const start = performance.now();
    try {
      const answer = await run(statement, readParameters(parameters.value), signal);
      remember(statement);
      listEarlier();
      status.textContent = summary(answer, performance.now() - start);
      if (answer.columns.length) replace(result, resultTable(answer.columns, answer.rows));
    } catch (error) {
      status.textContent = "";
      if (error.name !== "AbortError") showError(result, area, statement, error);
    } finally {
      button.disabled = false;
    }
  }

  const form = element(
    "form",
    {onsubmit: submit},
    field("Statement", area, {hint: "Ctrl+Enter runs it. What changes data needs the setting sql_write."}),
    element(
      "div",
      {class: "toolbar"},
      field("Parameters for ?", parameters),
      field("Earlier", earlier),
      button,
    ),
  );
  listEarlier();
  replace(
    main,
    element("h1", null, title),
    element("section", {class: "card", "aria-label": "Statement"}, form),
    element("section", {class: "card", "aria-label": "Result"}, status, result),
  );
  area.focus();
}
