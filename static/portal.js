/* What the portal adds where scripts run. Every page works without this file. */
(function () {
  "use strict";

  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const body = document.body;

  // --- errors: the summary takes the focus, so that nobody sends a form into silence ---

  const summary = document.querySelector("[data-error-summary]");
  if (summary) summary.focus();

  // --- Back and Reload at the answer to a form: browsers would offer to send it again, or show an error
  // of their own; this makes them ask for the page anew. Where text can be lost, only on the way on. ---

  const askAnew = () => history.replaceState(history.state, "", location.href);
  if ("answer" in body.dataset) {
    if (!document.querySelector("form[data-keep]")) askAnew();
    document.addEventListener("submit", askAnew);
    document.addEventListener("click", (event) => {
      if (event.target.closest("a:not([href^='#'])")) askAnew();
    });
  }

  // --- show and hide a password ---

  all("[data-show]").forEach((button) => {
    const box = document.getElementById(button.dataset.show);
    const word = button.firstElementChild;
    const words = [word.textContent, button.dataset.hideWord];
    const show = (shown) => {
      box.type = shown ? "text" : "password";
      word.textContent = words[Number(shown)];
    };
    button.hidden = false;
    button.addEventListener("click", () => show(box.type === "password"));
    // Sent as a password, so that browsers offer to keep it and not to complete it elsewhere.
    box.form.addEventListener("submit", () => show(false));
  });

  // --- boxes that only some answers need; never one that holds something ---

  all("[data-follows]").forEach((box) => {
    const look = () => {
      const answer = box.form.elements[box.dataset.follows].value;
      const needed = !box.dataset.notAfter.split(" ").includes(answer);
      box.closest(".field").hidden = !needed && !box.value;
    };
    box.form.addEventListener("change", look);
    window.addEventListener("pageshow", look);
    look();
  });

  // --- one press of a button sends once ---

  const release = () =>
    all("form[data-sending]").forEach((form) => {
      delete form.dataset.sending;
      all("button[data-was]").forEach((button) => {
        button.disabled = false;
        button.textContent = button.dataset.was;
        delete button.dataset.was;
      });
    });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.dataset.sending) return event.preventDefault();
    form.dataset.sending = "yes";
    // After the browser has read the form: a disabled button is not sent with it.
    setTimeout(() => {
      form.querySelectorAll("button:not([type=button])").forEach((button) => {
        button.dataset.was = button.textContent;
        button.disabled = true;
        if (button.dataset.busy) button.textContent = button.dataset.busy;
      });
    });
    // A send that was stopped must not leave a dead button behind; the server keeps one copy anyway. Files
    // take their time on a phone, and a second press would begin them again.
    setTimeout(release, form.querySelector("[type=file]") ? 600000 : 60000);
  });
  window.addEventListener("pageshow", release);

  // --- pictures being made: look again by itself, twice, while somebody is looking ---

  const again = document.querySelector("[data-look-again]");
  const tries = Number(history.state && history.state.tries) || 0;
  if (again && tries < 2) {
    setTimeout(() => {
      if (document.hidden) return;
      history.replaceState({ tries: tries + 1 }, "");
      location.reload();
    }, 3000 * (tries + 1));
  }

  // Small ones of a list are exchanged where they stand, for numbers may be typed beside them.
  const exchange = async (tries) => {
    const waiting = all("[data-being-made]");
    if (!waiting.length || !tries) return;
    if (!document.hidden) {
      const answer = await fetch(location.href).catch(() => null);
      const text = answer && answer.ok ? await answer.text() : "";
      const anew = new DOMParser().parseFromString(text, "text/html");
      waiting.forEach((room) => {
        const found = anew.getElementById(room.id);
        if (found) room.replaceWith(found);
      });
    }
    setTimeout(exchange, 4000, tries - 1);
  };
  setTimeout(exchange, 2000, 3);

  // --- copy and print ---

  all("[data-copy]").forEach((button) => {
    const text = document.getElementById(button.dataset.copy);
    const said = document.getElementById(`${button.dataset.copy}-copied`);
    button.hidden = false;
    button.addEventListener("click", async () => {
      text.select();
      try {
        await navigator.clipboard.writeText(text.value);
      } catch {
        document.execCommand("copy"); // no clipboard without https
      }
      said.textContent = button.dataset.copied;
    });
  });
  all("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });

  // --- the email just typed, shown back by this browser: the server's page is the same for everybody ---

  const kept = (name, value) => {
    try {
      if (value === undefined) return sessionStorage.getItem(name);
      if (value === null) sessionStorage.removeItem(name);
      else sessionStorage.setItem(name, value);
    } catch {
      // storage is off: go without
    }
    return null;
  };
  const typed = document.querySelector("[data-email-typed]");
  if (typed) {
    const email = kept("email");
    typed.textContent = email || "";
    typed.parentElement.hidden = !email;
  } else {
    kept("email", null);
  }
  all("form[data-remember-email]").forEach((form) =>
    form.addEventListener("submit", () => kept("email", form.elements.email.value.trim())),
  );
})();
