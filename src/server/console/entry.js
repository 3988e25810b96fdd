// entry.js: the dialog that shows and changes one key. A value is bytes; it can be looked at and changed as
// text, as JSON (indented) or in hexadecimal. Looking at it in another way does not change it; what was typed
// is saved as it is shown.
//
// Saving is conditional: over the value that was read (its ETag), or, for a new key, only if there is none.
// So nobody overwrites what another client has written meanwhile.

import * as api from "./api.js";
import {fromText, hexDump, notation, parseHex, parseNotation, toHex, toText} from "./bytes.js";
import {confirmLoss, errorLine, notify, openDialog} from "./dialogs.js";
import {choices, element, field, replace} from "./dom.js";
import {bytes, moment} from "./format.js";

const SHOWN_BYTES_MAX = 1024 * 1024;

/* ---- the ways to look at a value: text of bytes, and bytes of a text */

function indented(data) {
  const text = toText(data);
  if (text === null) return null;
  try {
    const value = JSON.parse(text);
    // Numbers that a double cannot hold would be changed by a round trip; then the text is left as it is.
    return JSON.stringify(value) === text.replace(/\s+/g, "") ? JSON.stringify(value, null, 2) : text;
  } catch {
    return null;
  }
}

const VIEWS = {
  text: {title: "Text", write: toText, read: fromText},
  json: {
    title: "JSON",
    write: indented,
    read(text) {
      JSON.parse(text);
      return fromText(text);
    },
  },
  hex: {title: "Hex", write: toHex, read: parseHex},
  dump: {title: "Hex and ASCII", write: hexDump, read: null},
};

function bestView(data) {
  if (toText(data) === null) return "hex";
  return /^\s*[[{]/.test(toText(data)) && indented(data) !== null ? "json" : "text";
}

/** The editor of a value. bytes() throws an Error if what was typed cannot be read. */
function valueEditor(data, readOnly = false) {
  const area = element("textarea", {
    class: "value-text",
    spellcheck: "false",
    rows: "14",
    wrap: "soft",
    "aria-label": "Value",
    oninput: () => {
      changed = true;
    },
  });
  const problem = errorLine();
  let view = bestView(data);
  let current = data;
  let changed = false;

  const read = () => {
    if (!changed) return current;
    try {
      return VIEWS[view].read(area.value);
    } catch (error) {
      throw new Error(view === "json" ? `This is not JSON: ${error.message}` : error.message);
    }
  };
  const write = (to) => {
    const text = VIEWS[to].write(current);
    if (text === null)
      throw new Error(to === "json" ? "The value is not JSON." : "The value is not UTF-8 text.");
    view = to;
    area.value = text;
    area.readOnly = readOnly || VIEWS[to].read === null;
    changed = false;
  };
  const select = (to) => {
    problem.clear();
    try {
      current = read();
      write(to);
    } catch (error) {
      problem.show(error);
      for (const input of node.querySelectorAll("input[type=radio]")) input.checked = input.value === view;
    }
  };
  write(view);
  const node = element(
    "div",
    {class: "editor"},
    choices(
      "Show the value as",
      Object.entries(VIEWS).map(([name, v]) => [name, v.title]),
      view,
      select,
    ),
    area,
    problem.line,
  );
  return {node, bytes: read};
}

/* ---- expiry */

function localTime(ms) {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return date.toISOString().slice(0, 19);
}

function expiryField(expiresAt) {
  const input = element("input", {
    type: "datetime-local",
    step: "1",
    value: expiresAt ? localTime(expiresAt) : "",
  });
  const shown = input.value;
  const read = () => {
    if (input.value === shown) return expiresAt; // to the millisecond
    if (!input.value) return 0;
    const ms = new Date(input.value).getTime();
    if (!(ms > Date.now())) throw new Error("The time of expiry must be in the future.");
    return ms;
  };
  return {node: field("Expires", input, {hint: "In your local time. Empty: never."}), read};
}

/* ---- the dialogs */

const CHANGED =
  "Another client has changed the key since it was read here. Close this and open the key again.";

async function save(name, key, editor, expiry, etag) {
  const value = editor.bytes();
  try {
    await api.putValue(name, key, value, {etag, expiresAt: expiry.read()});
  } catch (error) {
    if (error.status !== 412) throw error;
    throw new Error(etag === null ? "There is such a key already. Open it to change it." : CHANGED);
  }
  notify("Saved.");
}

async function remove(name, key, etag) {
  try {
    await api.deleteKey(name, key, etag);
  } catch (error) {
    throw error.status === 412 ? new Error(CHANGED) : error;
  }
  notify("Deleted.");
}

/** The form below a value: Save, and what else `buttons` has. */
function entryForm(parts, buttons, onSave) {
  const problem = errorLine();
  const saveButton = element("button", {type: "submit", class: "main"}, "Save");
  return element(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        problem.clear();
        saveButton.disabled = true;
        try {
          await onSave();
        } catch (error) {
          problem.show(error);
        } finally {
          saveButton.disabled = false;
        }
      },
    },
    parts,
    problem.line,
    element("div", {class: "actions"}, buttons, saveButton),
  );
}

function facts(name, key, found) {
  const pairs = [
    ["Collection", name],
    ["Key", element("code", null, notation(key))],
    ["Size", bytes(found.size)],
  ];
  if (found.expiresAt) pairs.push(["Expires", moment(found.expiresAt)]);
  if (found.etag) pairs.push(["ETag", element("code", null, found.etag)]);
  return element(
    "dl",
    {class: "facts"},
    pairs.map(([term, text]) => [element("dt", null, term), element("dd", null, text)]),
  );
}

async function askAndRemove(name, key, etag) {
  const shown = element("code", null, notation(key, 200));
  const question = element("span", null, "The key ", shown, " of ", name, " will be deleted.");
  return confirmLoss("Delete the key", question, "Delete", () => remove(name, key, etag));
}

/** Opens a key. changed(): called after it was saved or deleted. readOnly: neither can be done. */
export async function showEntry(name, key, {readOnly, changed}) {
  const place = element("div", null, element("p", {class: "muted"}, "Reading…"));
  const dialog = openDialog("Key", "entry", place);
  const finish = () => {
    dialog.close();
    changed();
  };
  try {
    const found = await api.getValue(name, key, SHOWN_BYTES_MAX);
    const removal = async () => {
      if (await askAndRemove(name, key, found.etag)) finish();
    };
    const button = element("button", {type: "button", class: "danger-quiet", onclick: removal}, "Delete");
    if (found.value === null) {
      const text = `The value is too large to be shown here; the limit is ${bytes(SHOWN_BYTES_MAX)}.`;
      const actions = readOnly ? null : element("div", {class: "actions"}, button);
      replace(place, facts(name, key, found), element("p", {class: "empty"}, text), actions);
      return;
    }
    const editor = valueEditor(found.value, readOnly);
    if (readOnly) {
      replace(place, facts(name, key, found), editor.node);
      return;
    }
    const expiry = expiryField(found.expiresAt);
    const onSave = async () => {
      await save(name, key, editor, expiry, found.etag);
      finish();
    };
    replace(place, facts(name, key, found), entryForm([editor.node, expiry.node], button, onSave));
  } catch (error) {
    replace(place, element("p", {class: "error", role: "alert"}, error.message));
  }
}

/** Asks for a new key and its value. */
export function showNewEntry(name, changed) {
  const keyInput = element("input", {type: "text", spellcheck: "false", autocomplete: "off"});
  const editor = valueEditor(new Uint8Array());
  const expiry = expiryField(0);
  const dialog = openDialog(
    "New key",
    "entry",
    entryForm(
      [field("Key", keyInput, {hint: "\\xNN is a byte, \\\\ a backslash."}), editor.node, expiry.node],
      null,
      async () => {
        await save(name, parseNotation(keyInput.value), editor, expiry, null);
        dialog.close();
        changed();
      },
    ),
  );
  keyInput.focus();
}
