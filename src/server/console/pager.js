// pager.js: turns the pages of a list that the server hands out in pages, each with the token of the next
// one. To turn back, a page is read again with the token with which it was read.
//
//     read(token, signal)   returns the page, an object with `next`: a token, or null for the last page
//     draw(page)            shows it
//
// The answer that is shown is always that to the last question, however long others take.

import {errorLine} from "./dialogs.js";
import {element, replace} from "./dom.js";

/** Returns {node, start, again}: start(delayMs) begins at the first page, again() reads the page again. */
export function pager({read, draw, signal}) {
  const problem = errorLine();
  const rows = element("div", null);
  const position = element("p", {class: "muted", role: "status"});
  const back = element("button", {type: "button", onclick: () => turn(-1)}, "Previous");
  const on = element("button", {type: "button", onclick: () => turn(1)}, "Next");
  let tokens = [null]; // of the pages up to the one that is shown
  let next = null; // of the page after it
  let timer = 0;
  let question = 0;

  async function again() {
    const mine = (question += 1);
    problem.clear();
    try {
      const page = await read(tokens.at(-1), signal);
      if (mine === question) show(page);
    } catch (error) {
      if (mine === question && error.name !== "AbortError") problem.show(error);
    }
  }

  function show(page) {
    next = page.next;
    back.disabled = tokens.length === 1;
    on.disabled = next === null;
    replace(rows, draw(page));
    position.textContent = `Page ${tokens.length}${next === null ? ", the last" : ""}`;
  }

  function turn(by) {
    if (by > 0) tokens.push(next);
    else tokens.pop();
    return again();
  }

  function start(delayMs = 0) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      tokens = [null];
      again();
    }, delayMs);
  }

  const buttons = element("div", {class: "actions"}, back, on);
  const node = element("div", null, problem.line, rows, element("div", {class: "pager"}, position, buttons));
  return {node, start, again};
}
