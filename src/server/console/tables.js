// tables.js: the page of tables: their columns and indexes, and their rows, which can be filtered by one
// condition and changed. SQL can do more; see sql.js.

import * as api from "./api.js";
import {fromBase64, fromText} from "./bytes.js";
import {confirmLoss, notify} from "./dialogs.js";
import {element, field, replace, table} from "./dom.js";
import {bytes, plural} from "./format.js";
import {pager} from "./pager.js";
import {showRow} from "./row.js";
import {cell, literal, readTyped} from "./values.js";

export const title = "Tables";

const PAGE_SIZE = 50;
const TYPING_MS = 300;
const OPERATORS = ["=", "!=", "<", "<=", ">", ">="];

function address(name) {
  return `#/tables/${encodeURIComponent(name)}`;
}

function list(tables, current) {
  const links = tables.map(({name, columns}) =>
    element(
      "li",
      null,
      element(
        "a",
        {href: address(name), "aria-current": name === current ? "true" : null},
        element("span", {class: "name"}, name),
        element("span", {class: "tag"}, plural(columns.length, "column")),
      ),
    ),
  );
  return element("section", {class: "pane list", "aria-label": "List of tables"}, element("ul", null, links));
}

/* ---- what a table is */

function describePart(part) {
  return part.column + (part.descending ? " descending" : "") + (part.hash ? " (hash)" : "");
}

function describeColumn(column) {
  const notes = [];
  if (column.not_null) notes.push("not null");
  if (column.length_max) notes.push(`at most ${bytes(column.length_max)}`);
  if (column.default !== undefined) notes.push(["default ", cell(column.default)]);
  return [column.name, column.type, notes.map((note, i) => [i ? ", " : "", note])];
}

function schema(t) {
  const key = t.key.length ? t.key.map(describePart).join(", ") : "rowid, which the table makes";
  const indexes = t.indexes.map((index) =>
    element(
      "li",
      null,
      element("code", null, index.name),
      ` on ${index.parts.map(describePart).join(", ")}`,
      index.unique ? ", unique" : null,
      index.complete ? null : ", still being made",
    ),
  );
  return element(
    "details",
    null,
    element(
      "summary",
      null,
      `${plural(t.columns.length, "column")}, ${plural(indexes.length, "index", "indexes")}`,
    ),
    table(
      `Columns of ${t.name}`,
      [{title: "Column"}, {title: "Type"}, {title: ""}],
      t.columns.map(describeColumn),
    ),
    element("p", null, `Key: ${key}`),
    element("ul", {class: "plain"}, indexes),
  );
}

/* ---- rows */

/** The columns of a row, with that of the row id where the table has no key. */
function columnsOf(t) {
  const hidden = !t.key.length && !t.columns.some(({name}) => name === "rowid");
  return hidden ? [{name: "rowid", type: "integer", implicit: true}, ...t.columns] : t.columns;
}

/** The key of a row as in a path: the value itself, or an array of those of several columns. */
function keyOf(t, row) {
  const names = t.key.length ? t.key.map(({column}) => column) : ["rowid"];
  const type = (name) => columnsOf(t).find((c) => c.name === name).type;
  if (names.length > 1) return fromText(`[${names.map((n) => literal(type(n), row[n])).join(",")}]`);
  const value = row[names[0]];
  if (type(names[0]) === "blob") return fromBase64(value.base64);
  return fromText(type(names[0]) === "text" ? value : literal(type(names[0]), value));
}

function rowTable(t, rows, open) {
  const columns = columnsOf(t);
  const heads = columns.map(({name, type}) => ({title: name, number: type === "integer" || type === "real"}));
  const body = rows.map((row) =>
    columns.map(({name}, i) => {
      const shown = cell(row[name] ?? null);
      if (i > 0) return shown;
      return element("button", {type: "button", class: "link", onclick: () => open(row)}, shown);
    }),
  );
  return table(`Rows of ${t.name}`, heads, body, "rows");
}

/** The condition of the toolbar; read() returns it as JSON, or null if there is none. */
function condition(t, changed) {
  const columns = columnsOf(t);
  const column = element(
    "select",
    {onchange: changed},
    columns.map(({name}) => element("option", null, name)),
  );
  const operator = element(
    "select",
    {onchange: changed},
    OPERATORS.map((o) => element("option", null, o)),
  );
  const value = element("input", {
    type: "search",
    spellcheck: "false",
    placeholder: "all rows",
    oninput: changed,
  });
  const read = () => {
    if (!value.value) return null;
    const {name, type} = columns.find((c) => c.name === column.value);
    const wanted = literal(type, readTyped(type, value.value));
    return `{${JSON.stringify(name)}:{${JSON.stringify(operator.value)}:${wanted}}}`;
  };
  const node = [field("Column", column, {className: "short"}), field("Is", operator, {className: "tiny"})];
  node.push(field("Value", value));
  return {node, read};
}

function showRows(t, place, signal) {
  const where = condition(t, () => pages.start(TYPING_MS));
  const pages = pager({
    signal,
    read: async (token) => api.rows(t.name, {where: where.read(), limit: PAGE_SIZE, token, signal}),
    draw: ({rows, next}) => {
      if (rows.length) return rowTable(t, rows, (row) => openRow(row));
      const text = next
        ? "No row of this part is like this. The next part may have some."
        : "There is no such row.";
      return element("p", {class: "empty"}, text);
    },
  });
  const openRow = (row) =>
    showRow({
      title: `Row of ${t.name}`,
      columns: columnsOf(t),
      row,
      save: (text) => api.changeRow(t.name, keyOf(t, row), text),
      remove: () => confirmLoss("Delete the row", "It is lost for good.", "Delete", () => remove(row)),
      changed: pages.again,
    });
  const remove = async (row) => {
    await api.deleteRow(t.name, keyOf(t, row));
    notify("Deleted.");
  };
  const add = () =>
    showRow({
      title: `New row of ${t.name}`,
      columns: t.columns,
      row: null,
      save: (text) => api.insertRow(t.name, text),
      changed: pages.again,
    });
  const submit = (event) => {
    event.preventDefault();
    pages.start();
  };
  replace(
    place,
    element(
      "form",
      {class: "toolbar", role: "search", onsubmit: submit},
      where.node,
      element("button", {type: "button", class: "main", onclick: add}, "New row"),
    ),
    pages.node,
  );
  return pages.again();
}

export async function show(main, argument, signal) {
  const tables = await api.tables({signal});
  if (!tables.length) {
    const example = element("code", null, "CREATE TABLE");
    const text = element("p", {class: "empty"}, "There is no table yet. ", example, " makes one, in ");
    text.append(element("a", {href: "#/sql"}, "SQL"), " or with holt sql.");
    replace(main, element("h1", null, title), element("section", {class: "card"}, text));
    return;
  }
  const current = argument ?? tables[0].name;
  const t = tables.find(({name}) => name === current);
  const place = element("section", {class: "pane wide", "aria-label": `Table ${current}`});
  const panes = element("div", {class: "panes"}, list(tables, current), place);
  replace(main, element("h1", null, title), panes);
  if (!t) {
    replace(place, element("p", {class: "error", role: "alert"}, `There is no table “${current}”.`));
    return;
  }
  const rows = element("div", null);
  replace(place, element("div", {class: "head"}, element("h2", null, t.name)), schema(t), rows);
  await showRows(t, rows, signal);
}
