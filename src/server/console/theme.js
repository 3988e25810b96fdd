// theme.js: puts the chosen theme on the page before anything is drawn, so that a dark page does not flash
// white. It is the only script that is not a module, because modules wait until the page has been read. The
// colours are in console.css; without a choice they follow the system's setting.
document.documentElement.dataset.theme = localStorage.getItem("holt-theme") || "";
