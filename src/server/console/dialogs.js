// dialogs.js: questions and short messages. Dialogs are the browser's own (<dialog>): they keep the focus
// inside, close with Escape, and give the focus back to where it was.

import {isSignedIn, signInWithPassword, signInWithToken, signOut, request} from "./api.js";
import {choices, element, field, freshId, replace} from "./dom.js";

const NOTICE_MS = 6000;

/** A sentence at the foot of the page that goes away by itself; screen readers speak it. */
export function notify(text) {
  const notice = element("p", {class: "toast"}, text);
  document.getElementById("notices").append(notice);
  setTimeout(() => notice.remove(), NOTICE_MS);
}

/** A place for the sentence that says what went wrong, spoken at once. */
export function errorLine() {
  const line = element("p", {class: "error", role: "alert"});
  return {line, show: (error) => replace(line, error ? error.message : null), clear: () => replace(line)};
}

/** Opens a dialog with these parts; it is removed once closed. Returns the <dialog>. */
export function openDialog(title, className, ...parts) {
  const id = freshId("title");
  const dialog = element(
    "dialog",
    {class: className, "aria-labelledby": id},
    element(
      "div",
      {class: "dialog-head"},
      element("h2", {id, tabindex: "-1", autofocus: true}, title),
      element(
        "button",
        {type: "button", class: "quiet close", "aria-label": "Close", onclick: () => dialog.close()},
        "✕",
      ),
    ),
    parts,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A form in a dialog. submit() may throw: its message is shown, and the dialog stays. The promise is true
 *  after a submit, and false if the dialog was closed. */
export function ask(title, {fields, submitText, danger, submit}) {
  return new Promise((resolve) => {
    const problem = errorLine();
    const button = element("button", {type: "submit", class: danger ? "danger" : "main"}, submitText);
    const form = element(
      "form",
      {
        method: "dialog",
        onsubmit: async (event) => {
          event.preventDefault();
          button.disabled = true;
          problem.clear();
          try {
            await submit();
            dialog.returnValue = "done";
            dialog.close("done");
          } catch (error) {
            problem.show(error);
          } finally {
            button.disabled = false;
          }
        },
      },
      fields,
      problem.line,
      element(
        "div",
        {class: "actions"},
        element("button", {type: "button", onclick: () => dialog.close("")}, "Cancel"),
        button,
      ),
    );
    const dialog = openDialog(title, "narrow", form);
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "done"));
  });
}

/** Asks before something is lost. word: what must be typed to confirm; omit it for a plain question. */
export function confirmLoss(title, text, submitText, action, word) {
  const input =
    word && element("input", {type: "text", autocomplete: "off", spellcheck: "false", required: true});
  return ask(title, {
    submitText,
    danger: true,
    fields: [element("p", null, text), input && field(`Type ${word} to confirm`, input)],
    submit() {
      if (input && input.value !== word) throw new Error(`This is not ${word}.`);
      return action();
    },
  });
}

/** Asks for a token or a password until the server accepts it. False: the person gave up. */
export function askForSignIn() {
  const token = element("input", {type: "password", autocomplete: "off", required: true});
  const user = element("input", {
    type: "text",
    autocomplete: "username",
    spellcheck: "false",
    required: true,
  });
  const password = element("input", {type: "password", autocomplete: "current-password", required: true});
  const place = element("div", null);
  let withToken = false;
  const show = (way) => {
    withToken = way === "token";
    replace(place, withToken ? field("Token", token) : [field("User", user), field("Password", password)]);
  };
  show("password");
  const wasSignedIn = isSignedIn();
  signOut();
  return ask("Sign in", {
    submitText: "Sign in",
    fields: [
      element(
        "p",
        null,
        wasSignedIn ? "The server no longer accepts this sign-in." : "This server asks who you are.",
      ),
      choices(
        "Sign in with",
        [
          ["password", "User and password"],
          ["token", "Token"],
        ],
        "password",
        show,
      ),
      place,
      element(
        "p",
        {class: "hint"},
        "It is kept in this tab until you sign out or close the tab. Users are made by ",
        element("code", null, "holt user add"),
        ".",
      ),
    ],
    async submit() {
      if (withToken) signInWithToken(token.value);
      else signInWithPassword(user.value, password.value);
      try {
        await request("GET", "v1/collections", {quiet: true});
      } catch (error) {
        if (error.status !== 401) return;
        signOut();
        throw error;
      }
    },
  });
}
