// poll.js: asks the server again and again while a page is shown: not while the tab is hidden, and never
// while the last answer is still awaited. A failure is left to the next time; api.js tells if the server is
// away. A poll does not ask for a sign-in: the page has done that, and who has refused it would be asked
// every second.

/** Calls ask() every so often until the signal is aborted. */
export function poll(everyMs, signal, ask) {
  let timer = 0;
  const once = async () => {
    try {
      if (!document.hidden) await ask();
    } catch (error) {
      if (error.status === undefined && error.name !== "AbortError") throw error;
    } finally {
      if (!signal.aborted) timer = setTimeout(once, everyMs);
    }
  };
  timer = setTimeout(once, everyMs);
  signal.addEventListener("abort", () => clearTimeout(timer));
}
