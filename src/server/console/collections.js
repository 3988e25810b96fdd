// collections.js: the page of collections and the browser of their keys. The list of collections is on the
// left; the address says which of them is open. Keys are read a page at a time, in their order, and each page
// is found again by the token with which it was read.

import * as api from "./api.js";
import {notation, parseNotation} from "./bytes.js";
import {ask, confirmLoss, errorLine, notify} from "./dialogs.js";
import {element, field, replace, table} from "./dom.js";
import {showEntry, showNewEntry} from "./entry.js";
import {bytes, count, moment, plural, until} from "./format.js";

export const title = "Collections";

const PAGE_SIZE = 50;
const SHOWN_CHARACTERS = 120;
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
    fields: [field("Name", name), field("Kind", kind, "It cannot be changed later.")],
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

/** Shows the keys of a collection in the place; the functions of the object it returns turn its pages. */
function keyBrowser(name, place, signal) {
  const problem = errorLine();
  const rows = element("div", null);
  const position = element("p", {class: "muted", role: "status"});
  const back = element("button", {type: "button", onclick: () => turn(-1)}, "Previous");
  const on = element("button", {type: "button", onclick: () => turn(1)}, "Next");
  const search = element("input", {
    type: "search",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: "all keys",
    oninput: () => start(200),
  });
  const reverse = element("input", {type: "checkbox", onchange: () => start(0)});
  let tokens = [null]; // of the pages up to the one that is shown
  let next = null; // of the page after it
  let timer = 0;
  let turns = 0; // an answer that is older than the last question is not shown

  async function load() {
    const turn = (turns += 1);
    problem.clear();
    try {
      const page = await api.scan(name, {
        prefix: parseNotation(search.value),
        limit: PAGE_SIZE,
        reverse: reverse.checked,
        token: tokens.at(-1),
        signal,
      });
      if (turn === turns) showRows(page);
    } catch (error) {
      if (turn === turns && error.name !== "AbortError") problem.show(error);
    }
  }

  function showRows(page) {
    next = page.next;
    back.disabled = tokens.length === 1;
    on.disabled = next === null;
    const open = (key) => showEntry(name, key, load);
    replace(
      rows,
      page.entries.length
        ? table(
            `Keys of ${name}`,
            [{title: "Key"}, {title: "Value"}, {title: "Size", number: true}, {title: "Expires"}],
            keyRows(page.entries, open),
            "keys",
          )
        : element("p", {class: "empty"}, search.value ? "No key begins with this." : "There is no key yet."),
    );
    replace(
      position,
      page.entries.length
        ? `Page ${tokens.length}, ${plural(page.entries.length, "key")}${next === null ? ", the last" : ""}`
        : null,
    );
  }

  function turn(by) {
    if (by > 0) tokens.push(next);
    else tokens.pop();
    return load();
  }

  function start(delayMs) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      tokens = [null];
      load();
    }, delayMs);
  }

  replace(
    place,
    element(
      "form",
      {
        class: "toolbar",
        role: "search",
        onsubmit: (event) => {
          event.preventDefault();
          start(0);
        },
      },
      field("Keys that begin with", search),
      element("label", {class: "check"}, reverse, "From the last to the first"),
      element("button", {type: "button", class: "main", onclick: () => showNewEntry(name, load)}, "New key"),
    ),
    problem.line,
    rows,
    element("div", {class: "pager"}, position, element("div", {class: "actions"}, back, on)),
  );
  return load();
}

async function showCollection(place, name, signal) {
  const figures = element("p", {class: "muted"});
  const keys = element("div", null);
  replace(
    place,
    element(
      "div",
      {class: "head"},
      element("h2", null, name),
      element(
        "button",
        {type: "button", class: "danger-quiet", onclick: () => drop(name)},
        "Drop collection",
      ),
    ),
    figures,
    keys,
  );
  await keyBrowser(name, keys, signal);
  const info = await api.collection(name, {signal});
  const held = info.entries + info.memtable_entries;
  replace(
    figures,
    `${kindName(info.kind)}, about ${plural(held, "entry", "entries")}, ${bytes(info.disk_bytes)} on disk`,
    info.tombstones ? `, ${count(info.tombstones)} deletions to be merged away` : null,
  );
}

export async function show(main, argument, signal) {
  const collections = await api.collections({signal});
  const current = argument ?? collections[0]?.name ?? null;
  const place = element("section", {
    class: "pane wide",
    "aria-label": current ? `Collection ${current}` : "Collection",
  });
  replace(
    main,
    element("h1", null, title),
    element("div", {class: "panes"}, list(collections, current), place),
  );
  if (current === null) {
    replace(place, element("p", {class: "empty"}, "There is no collection yet."));
  } else if (collections.some(({name}) => name === current)) {
    await showCollection(place, current, signal);
  } else {
    replace(place, element("p", {class: "error", role: "alert"}, `There is no collection “${current}”.`));
  }
}
