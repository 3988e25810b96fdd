// dom.js: makes elements. Text always becomes a text node, never markup, so that no key, value or message of
// the server can inject anything into the page.
//
//     element("button", {class: "main", onclick: save}, "Save")
//     draw("rect", {x: 0, y: 0, width: 10, height: 10})           the same for SVG
//
// Attributes: on... is an event handler; true and false set or omit the attribute; null and undefined omit
// it; `value`, `checked` and the like are set as properties, because the attribute is only their first value.
// Children: nodes, texts, numbers, arrays of those; null and false are omitted.

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "readOnly", "indeterminate"]);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

export function element(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Replaces what is in the node. */
export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

let ids = 0;

/** An id that no other element has, for labels and descriptions. */
export function freshId(stem) {
  ids += 1;
  return `${stem}-${ids}`;
}

/** A label above an input. hint: a sentence below it; className: for its place in a row. */
export function field(label, input, {hint, className = ""} = {}) {
  input.id ||= freshId("field");
  const parts = [element("label", {for: input.id}, label), input];
  if (hint) {
    const id = freshId("hint");
    input.setAttribute("aria-describedby", id);
    parts.push(element("p", {class: "hint", id}, hint));
  }
  return element("div", {class: `field ${className}`}, parts);
}

/** A few exclusive choices in a row. Returns the fieldset; `change` gets the value that was chosen. */
export function choices(legend, options, chosen, change) {
  const name = freshId("choice");
  return element(
    "fieldset",
    {class: "choices"},
    element("legend", {class: "hidden"}, legend),
    options.map(([value, text]) =>
      element(
        "label",
        null,
        element("input", {
          type: "radio",
          name,
          value,
          checked: value === chosen,
          onchange: () => change(value),
        }),
        element("span", null, text),
      ),
    ),
  );
}

/** A table. columns: [{title, number}]; rows: arrays of cells, each a node or a text. */
export function table(caption, columns, rows, className) {
  return element(
    "div",
    {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    element(
      "table",
      {class: className},
      element("caption", {class: "hidden"}, caption),
      element(
        "thead",
        null,
        element(
          "tr",
          null,
          columns.map((c) => element("th", {scope: "col", class: c.number ? "number" : null}, c.title)),
        ),
      ),
      element(
        "tbody",
        null,
        rows.map((row) =>
          element(
            "tr",
            null,
            row.map((cell, i) => element("td", {class: columns[i].number ? "number" : null}, cell)),
          ),
        ),
      ),
    ),
  );
}
