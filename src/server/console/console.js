// console.js: the first module. It builds the navigation, shows the page that the address names, and tells
// when the server is away.
//
// An address is console#/page/argument, so that a reload shows the same and a link can be sent to somebody. A
// page is a module with
//
//     title                              for the navigation and the window
//     show(main, argument, signal)       fills <main>; may be asynchronous
//
// The signal is aborted when another page is shown: timers and requests of the page end with it.

import {isSignedIn, request, signOut, watch} from "./api.js";
import * as activity from "./activity.js";
import * as collections from "./collections.js";
import {askForSignIn, notify} from "./dialogs.js";
import {element, replace} from "./dom.js";
import * as overview from "./overview.js";
import * as sql from "./sql.js";
import * as storage from "./storage.js";
import * as tables from "./tables.js";

const PAGES = {overview, storage, collections, tables, sql, activity};
const TRY_AGAIN_MS = 3000;

const main = document.getElementById("main");
let leave = new AbortController();

/* ---- pages */

function address() {
  const [, page, ...rest] = location.hash.split("/");
  const known = Object.hasOwn(PAGES, page ?? "") ? page : "overview";
  return {name: known, argument: rest.length ? decodeURIComponent(rest.join("/")) : null};
}

async function showPage(moveFocus) {
  const {name, argument} = address();
  leave.abort();
  leave = new AbortController();
  const {signal} = leave;
  document.title = `${PAGES[name].title} – Holt`;
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.dataset.page === name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({block: "nearest", inline: "nearest"});
    } else link.removeAttribute("aria-current");
  }
  replace(main);
  if (moveFocus) main.focus({preventScroll: true});
  try {
    await PAGES[name].show(main, argument, signal);
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    if (error.status === undefined) throw error;
    showRefusal(PAGES[name].title, error);
  }
}

/** What stands in the place of a page that could not be shown. */
function showRefusal(title, error) {
  const again = element("button", {type: "button", onclick: () => showPage(true)}, "Sign in");
  replace(
    main,
    element("h1", null, title),
    element(
      "p",
      {class: "error", role: "alert"},
      error.status === 403 ? "You may not see this page. " : null,
      error.message,
    ),
    error.status === 401 ? again : null,
  );
}

function buildNavigation() {
  replace(
    document.getElementById("pages"),
    Object.entries(PAGES).map(([name, page]) =>
      element("li", null, element("a", {href: `#/${name}`, "data-page": name}, page.title)),
    ),
  );
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
}

/* ---- the theme; theme.js has set it when the page began to load */

function buildTheme() {
  const select = document.getElementById("theme");
  select.value = localStorage.getItem("holt-theme") || "";
  select.addEventListener("change", () => {
    localStorage.setItem("holt-theme", select.value);
    document.documentElement.dataset.theme = select.value;
  });
}

/* ---- the server */

const state = document.getElementById("state");

function showState(text, kind) {
  if (state.textContent === text) return;
  state.textContent = text;
  state.dataset.kind = kind;
}

/* Whether writes are accepted is another question than whether the server answers. */
async function checkHealth() {
  try {
    await request("GET", "readyz", {quiet: true});
    showState("Ready", "good");
  } catch (error) {
    if (error.status === 503) showState(error.message, "bad");
    else if (error.status) showState("Answering", "good");
  }
}

function showAway() {
  showState("Not answering", "bad");
  const retry = element("button", {type: "button", onclick: checkHealth}, "Try again");
  replace(
    document.getElementById("away"),
    element(
      "div",
      {class: "away"},
      element(
        "p",
        null,
        element("strong", null, `Nothing answers at ${location.host}. `),
        "Is holt serve still running there? Look at its log; start it again with ",
        element("code", null, "holt serve DIR"),
        ". This page tries every few seconds and goes on by itself.",
      ),
      retry,
    ),
  );
}

function showBack() {
  replace(document.getElementById("away"));
  notify("The server answers again.");
  checkHealth();
  if (main.querySelector(":scope > .error")) showPage(false);
}

function buildSignOut() {
  const button = document.getElementById("sign-out");
  const refresh = () => {
    button.hidden = !isSignedIn();
  };
  button.addEventListener("click", () => {
    signOut();
    location.reload();
  });
  watch.signIn = async () => {
    const done = await askForSignIn();
    refresh();
    return done;
  };
  refresh();
}

watch.away = showAway;
watch.back = showBack;
buildNavigation();
buildTheme();
buildSignOut();
window.addEventListener("hashchange", () => {
  if (location.hash.startsWith("#/")) showPage(true);
});
checkHealth();
setInterval(() => {
  if (!document.hidden) checkHealth();
}, TRY_AGAIN_MS);
showPage(false);
