// activity.js: who reads, what the log tells, and what can be done by hand: flush, compact, check.

import * as api from "./api.js";
import {errorLine, notify} from "./dialogs.js";
import {element, field, replace, table} from "./dom.js";
import {bytes, count, duration, plural} from "./format.js";
import {poll} from "./poll.js";

export const title = "Activity";

const ASK_MS = 2000;
const LEVELS = {error: "Errors", warning: "Warnings", info: "Information", debug: "Everything"};

const ACTIONS = {
  flush: {text: "Flush", hint: "Writes the memtables to files now.", done: "Flushed"},
  compact: {
    text: "Compact",
    hint: "Merges the runs of every collection into one. Reads get faster; it takes long.",
    done: "Compacted",
  },
  check: {
    text: "Check",
    hint: "Reads all files and verifies every checksum, and the indexes of tables.",
    done: "Checked",
  },
};

function readerTable({readers, count: all}) {
  if (!readers.length) return element("p", {class: "empty"}, "Nothing is being read.");
  const rows = readers.map((r) => [
    r.kind,
    r.label || element("span", {class: "muted"}, "no label"),
    duration(r.age_ms * 1e6),
    bytes(r.pinned_bytes),
    r.revoked ? "revoked" : "",
  ]);
  return [
    table(
      "Open transactions, snapshots and cursors",
      [
        {title: "Kind"},
        {title: "Label"},
        {title: "Age", number: true},
        {title: "Keeps", number: true},
        {title: "State"},
      ],
      rows,
    ),
    all > readers.length && element("p", {class: "muted"}, `${count(all)} in all; the newest are shown.`),
  ];
}

async function logSection(signal) {
  const current = await api.logLevel({signal});
  const select = element(
    "select",
    {
      onchange: async () => {
        try {
          await api.setLogLevel(select.value);
          notify(`The log tells ${LEVELS[select.value].toLowerCase()} from now on.`);
        } catch (error) {
          notify(error.message);
        }
      },
    },
    Object.entries(LEVELS).map(([value, text]) =>
      element("option", {value, selected: value === current}, text),
    ),
  );
  return element(
    "section",
    {class: "card", "aria-label": "Log"},
    element("h2", null, "Log"),
    field("What the log tells", select, {
      hint: "Until the server is restarted or reads its configuration again. The log is on standard error.",
    }),
  );
}

function checkResult(answer) {
  const entries = plural(answer.entries, "entry", "entries");
  const text = `${plural(answer.files, "file")}, ${bytes(answer.bytes)}, ${entries}`;
  if (answer.ok) return element("p", {class: "good"}, `No problem was found in ${text}.`);
  return element(
    "div",
    {class: "error"},
    element("p", null, `${plural(answer.problem_count, "problem")} found in ${text}:`),
    element(
      "ul",
      null,
      answer.problems.map((p) => element("li", null, p)),
    ),
  );
}

function workSection() {
  const problem = errorLine();
  const result = element("div", {role: "status"});
  const run = async (what, button) => {
    problem.clear();
    button.disabled = true;
    replace(result, element("p", {class: "muted"}, "Working…"));
    try {
      const answer = await api.maintain(what);
      replace(
        result,
        what === "check"
          ? checkResult(answer)
          : element("p", {class: "good"}, `${ACTIONS[what].done} in ${duration(answer.duration_ms * 1e6)}.`),
      );
    } catch (error) {
      replace(result);
      problem.show(error);
    } finally {
      button.disabled = false;
    }
  };
  return element(
    "section",
    {class: "card", "aria-label": "By hand"},
    element("h2", null, "By hand"),
    element(
      "ul",
      {class: "works"},
      Object.entries(ACTIONS).map(([what, {text, hint}]) =>
        element(
          "li",
          null,
          element("button", {type: "button", onclick: (event) => run(what, event.target)}, text),
          element("span", {class: "muted"}, hint),
        ),
      ),
    ),
    problem.line,
    result,
  );
}

export async function show(main, argument, signal) {
  const place = element("div", null, readerTable(await api.readers({signal})));
  const log = await logSection(signal);
  replace(
    main,
    element("h1", null, title),
    element(
      "section",
      {class: "card", "aria-label": "Readers"},
      element("h2", null, "Readers"),
      element(
        "p",
        {class: "hint"},
        "What is read keeps memory and files from being freed. A label is given by the program.",
      ),
      place,
    ),
    element("div", {class: "cards"}, workSection(), log),
  );
  poll(ASK_MS, signal, async () => {
    replace(place, readerTable(await api.readers({signal, quiet: true})));
  });
}
