// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint: the page is drawn once, in the right theme and language.
(function () {
  var root = document.documentElement;
  function stored(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is switched off: the system's defaults hold
    }
  }
  var theme = stored('drun.theme');
  var dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.theme = dark ? 'dark' : 'light';
  var language = stored('drun.language') || window.navigator.language;
  root.lang = /^zh/i.test(language) ? 'zh-CN' : 'en';
})();
