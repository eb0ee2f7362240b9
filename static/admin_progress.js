/* A page that waits for the background worker: its progress is asked for every three seconds, and the page
   comes anew when there is none to show any more. Without scripts the page does it by itself. */
(function () {
  "use strict";

  const look = () =>
    fetch(location.href, { credentials: "same-origin" })
      .then((answer) => answer.text())
      .then((text) => {
        const page = new DOMParser().parseFromString(text, "text/html");
        const now = page.getElementById("progress");
        if (!now) return location.reload();
        document.getElementById("progress").replaceChildren(...now.childNodes);
        return again();
      })
      .catch(again);
  const again = () => setTimeout(look, 3000);
  again();
})();
