// row.js: the dialog that shows and changes one row of a table. Each column has a field, and a box for NULL.
// Only the columns that were changed are sent, so that what another client writes to the others stays.

import {errorLine, notify, openDialog} from "./dialogs.js";
import {element, freshId} from "./dom.js";
import {literal, readTyped, typed} from "./values.js";

/** The field of a column. read(): undefined if it was not touched, or the value. */
function columnField(column, value) {
  const id = freshId("column");
  const start = value === undefined ? "" : typed(value);
  const rows = start.length > 60 || column.type === "blob" ? 3 : 1;
  const input = element("textarea", {id, rows, spellcheck: "false", class: "value-text", value: start});
  const isNull = element("input", {type: "checkbox", checked: value === null});
  const startsNull = value === null;
  const show = () => {
    input.disabled = isNull.checked;
  };
  isNull.addEventListener("change", show);
  input.readOnly = column.implicit === true;
  show();
  const read = () => {
    if (isNull.checked) return startsNull ? undefined : null;
    // The fields of a new row that nothing was typed into keep their defaults.
    if (input.value === start && !startsNull) return undefined;
    try {
      return readTyped(column.type, input.value);
    } catch (error) {
      throw new Error(`${column.name}: ${error.message}`);
    }
  };
  const hint = column.type === "blob" ? "blob, in hexadecimal" : column.type;
  const nullBox = element("label", {class: "check"}, isNull, element("span", null, "NULL"));
  isNull.setAttribute("aria-label", `${column.name} is NULL`);
  const node = element(
    "div",
    {class: "field"},
    element("label", {for: id}, column.name, element("span", {class: "tag"}, ` ${hint}`)),
    element("div", {class: "with-null"}, input, column.not_null || column.implicit ? null : nullBox),
  );
  return {node, read};
}

/** Opens a row, or asks for a new one (row: null).
 *    save(text)   writes the columns, as JSON
 *    remove()     asks, and deletes the row; true: it is gone. Left out for a new row
 *    changed()    called after one of them */
export function showRow({title, columns, row, save, remove, changed}) {
  const fields = columns.map((column) => ({
    column,
    ...columnField(column, row ? (row[column.name] ?? null) : undefined),
  }));
  const problem = errorLine();
  const finish = () => {
    dialog.close();
    changed();
  };
  const submit = async (event) => {
    event.preventDefault();
    problem.clear();
    try {
      const values = fields
        .map(({column, read}) => [column, read()])
        .filter(([, value]) => value !== undefined);
      if (row && !values.length) throw new Error("Nothing was changed.");
      const members = values.map(([c, value]) => `${JSON.stringify(c.name)}:${literal(c.type, value)}`);
      await save(`{${members.join(",")}}`);
      notify("Saved.");
      finish();
    } catch (error) {
      problem.show(error);
    }
  };
  const removal = async () => {
    if (await remove()) finish();
  };
  const dialog = openDialog(
    title,
    "entry",
    element(
      "form",
      {onsubmit: submit},
      fields.map(({node}) => node),
      row ? null : element("p", {class: "hint"}, "Columns that are left empty get their defaults."),
      problem.line,
      element(
        "div",
        {class: "actions"},
        remove && element("button", {type: "button", class: "danger-quiet", onclick: removal}, "Delete"),
        element("button", {type: "submit", class: "main"}, "Save"),
      ),
    ),
  );
}
