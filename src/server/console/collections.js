// collections.js: the page of collections and the browser of their keys. The list of collections is on the
// left; the address says which of them is open. Keys are read a page at a time, in their order, and each page
// is found again by the token with which it was read.

import * as api from "./api.js";
import {notation, parseNotation} from "./bytes.js";
import {ask, confirmLoss, notify} from "./dialogs.js";
import {element, field, replace, table} from "./dom.js";
import {showEntry, showNewEntry} from "./entry.js";
import {bytes, count, moment, plural, until} from "./format.js";
import {pager} from "./pager.js";

export const title = "Collections";

const PAGE_SIZE = 50;
const TYPING_MS = 200; // a search waits until nothing was typed for so long
const SHOWN_CHARACTERS = 120;
const TABLE_LIST = "holt.tables"; // where the library keeps what tables there are
const KIND_NAMES = {lsm: "LSM tree", btree: "B+tree"};

export function kindName(kind) {
  return KIND_NAMES[kind] ?? kind;
}

function address(name) {
  return `#/collections/${encodeURIComponent(name)}`;
}

/* ---- the list */

async function askForCollection() {
  const name = element("input", {type: "text", required: true, spellcheck: "false", autocomplete: "off"});
  const kind = element(
    "select",
    null,
    element("option", {value: "lsm"}, "LSM tree: writes are fastest"),
    element("option", {value: "btree"}, "B+tree: reads and scans are fastest"),
  );
  const made = await ask("New collection", {
    submitText: "Create",
    fields: [field("Name", name), field("Kind", kind, {hint: "It cannot be changed later."})],
    submit: () => api.createCollection(name.value, kind.value),
  });
  if (made) location.hash = address(name.value);
}

function list(collections, current) {
  return element(
    "section",
    {class: "pane list", "aria-label": "List of collections"},
    element(
      "ul",
      null,
      collections.map(({name, kind}) =>
        element(
          "li",
          null,
          element(
            "a",
            {href: address(name), "aria-current": name === current ? "true" : null},
            element("span", {class: "name"}, name),
            element("span", {class: "tag"}, kind),
          ),
        ),
      ),
    ),
    element("button", {type: "button", onclick: askForCollection}, "New collection"),
  );
}

/* ---- the keys of one */

async function drop(name) {
  const done = await confirmLoss(
    "Drop the collection",
    `All keys of “${name}” are lost, at once and for good.`,
    "Drop it",
    () => api.dropCollection(name),
    name,
  );
  if (!done) return;
  notify(`The collection ${name} is gone.`);
  location.hash = "#/collections";
}

function preview(data) {
  return data.length ? notation(data, SHOWN_CHARACTERS) : element("span", {class: "muted"}, "empty");
}

function keyRows(entries, open) {
  return entries.map((entry) => [
    element(
      "button",
      {type: "button", class: "link key", onclick: () => open(entry.key)},
      preview(entry.key),
    ),
    element("span", {class: "value"}, preview(entry.value)),
    bytes(entry.value.length),
    entry.expiresAt ? element("time", {title: moment(entry.expiresAt)}, until(entry.expiresAt)) : "never",
  ]);
}

function keyTable(name, entries, open) {
  const columns = [{title: "Key"}, {title: "Value"}, {title: "Size", number: true}, {title: "Expires"}];
  return table(`Keys of ${name}`, columns, keyRows(entries, open), "keys");
}

/** Shows the keys of a collection in the place. ofTable: they can be looked at only. */
function showKeys(name, ofTable, place, signal) {
  const search = element("input", {
    type: "search",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: "all keys",
    oninput: () => pages.start(TYPING_MS),
  });
  const reverse = element("input", {type: "checkbox", onchange: () => pages.start()});
  const pages = pager({
    signal,
    read: async (token) => {
      const prefix = parseNotation(search.value);
      return api.scan(name, {prefix, limit: PAGE_SIZE, reverse: reverse.checked, token, signal});
    },
    draw: ({entries}) => {
      if (entries.length)
        return keyTable(name, entries, (key) =>
          showEntry(name, key, {readOnly: ofTable, changed: pages.again}),
        );
      const text = search.value ? "No key begins with this." : "There is no key yet.";
      return element("p", {class: "empty"}, text);
    },
  });
  const add = () => showNewEntry(name, pages.again);
  const submit = (event) => {
    event.preventDefault();
    pages.start();
  };
  replace(
    place,
    element(
      "form",
      {class: "toolbar", role: "search", onsubmit: submit},
      field("Keys that begin with", search),
      element("label", {class: "check"}, reverse, "From the last to the first"),
      ofTable ? null : element("button", {type: "button", class: "main", onclick: add}, "New key"),
    ),
    pages.node,
  );
  return pages.again();
}

/** What stands in the place of buttons where the collection holds a table. */
function tableNote(name) {
  const link = element("a", {href: `#/tables/${encodeURIComponent(name)}`}, "its rows");
  return element(
    "p",
    {class: "hint"},
    "A table keeps rows and indexes here, so keys are not to be changed one by one. See ",
    link,
    ".",
  );
}

async function showCollection(place, name, ofTable, signal) {
  const figures = element("p", {class: "muted"});
  const keys = element("div", null);
  const dropButton = element(
    "button",
    {type: "button", class: "danger-quiet", onclick: () => drop(name)},
    "Drop collection",
  );
  replace(
    place,
    element("div", {class: "head"}, element("h2", null, name), ofTable ? null : dropButton),
    figures,
    ofTable ? tableNote(name) : null,
    keys,
  );
  await showKeys(name, ofTable, keys, signal);
  const info = await api.collection(name, {signal});
  const held = info.entries + info.memtable_entries;
  replace(
    figures,
    `${kindName(info.kind)}, about ${plural(held, "entry", "entries")}, ${bytes(info.disk_bytes)} on disk`,
    info.tombstones ? `, ${count(info.tombstones)} deletions to be merged away` : null,
  );
}

/** The tables, or none if they may not be seen by somebody who is let to some collections only. */
async function knownTables(signal) {
  try {
    return await api.tables({signal});
  } catch (error) {
    if (error.status === 403) return [];
    throw error;
  }
}

export async function show(main, argument, signal) {
  const [collections, tables] = await Promise.all([api.collections({signal}), knownTables(signal)]);
  const current = argument ?? collections[0]?.name ?? null;
  const label = current === null ? "Collection" : `Collection ${current}`;
  const place = element("section", {class: "pane wide", "aria-label": label});
  replace(
    main,
    element("h1", null, title),
    element("div", {class: "panes"}, list(collections, current), place),
  );
  if (current === null) {
    replace(place, element("p", {class: "empty"}, "There is no collection yet."));
  } else if (collections.some(({name}) => name === current)) {
    const ofTable = current === TABLE_LIST || tables.some(({name}) => name === current);
    await showCollection(place, current, ofTable, signal);
  } else {
    replace(place, element("p", {class: "error", role: "alert"}, `There is no collection “${current}”.`));
  }
}
