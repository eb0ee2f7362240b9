/* Not used for a while: warn, then leave (WCAG 2.2.1). The server ends the sign-in with or without this. */
(function () {
  "use strict";

  const warning = document.getElementById("idle");
  if (!warning) return;
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const idle = Number(warning.dataset.seconds);
  const usedBy = warning.dataset.used; // families and staff have sign-ins of their own

  const warnBefore = idle > 180 ? 120 : idle / 2;
  const said = warning.querySelector("[role=status]");
  const failed = warning.querySelector("[data-stay-failed]");
  const steps = all("[data-left]").map((step) => [Number(step.dataset.left), step.textContent]);
  let used = Date.now();
  let leaving = false;

  // Another tab's use is use of the same sign-in. Only a time is shared, nothing of the page.
  const lastUsed = () => {
    try {
      return Math.max(used, Number(localStorage.getItem(usedBy)) || 0);
    } catch {
      return used;
    }
  };
  const noteUse = () => {
    used = Date.now();
    try {
      localStorage.setItem(usedBy, used);
    } catch {
      // storage is off: each tab counts for itself
    }
  };

  // The server has ended the session by now. A form that may be kept is posted so that its text is kept
  // for coming back; `keep_only` says that nobody pressed Send. Anything else asks for this page again,
  // which leads to sign in.
  const typedInto = (form) =>
    Array.from(form.elements).some((box) =>
      box.matches("select")
        ? Array.from(box.options).some((one) => one.selected !== one.defaultSelected)
        : box.matches("textarea, input:not([type=file])") &&
          (box.value !== box.defaultValue || box.checked !== box.defaultChecked),
    );
  const leave = () => {
    if (leaving) return;
    leaving = true;
    const form = all("form[data-keep]").find(typedInto);
    if (!form) {
      location.assign(location.pathname + location.search);
      return;
    }
    form.querySelectorAll("input[type=file]").forEach((box) => (box.disabled = true));
    const mark = document.createElement("input");
    mark.type = "hidden";
    mark.name = "keep_only";
    mark.value = "1";
    form.append(mark);
    form.submit();
  };

  const stay = async () => {
    const form = warning.querySelector("[data-stay]");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
        redirect: "manual",
      });
      if (answer.ok) {
        noteUse();
        failed.hidden = true;
        warning.close();
      } else {
        leave();
      }
    } catch {
      failed.hidden = false;
    }
  };

  const tick = () => {
    const left = idle - (Date.now() - lastUsed()) / 1000;
    // A moment after the server, whose clock started before the page arrived.
    if (left < -2) leave();
    if (left > warnBefore && warning.open) warning.close();
    if (left < -2 || left > warnBefore) return;
    if (!warning.open) {
      warning.showModal();
      warning.querySelector("[data-stay] button").focus();
    }
    // The smallest step that still covers what is left; changed only at a step, so that it is not
    // read aloud every second.
    const words = steps.filter(([seconds]) => seconds >= left).pop() || steps[0];
    if (said.textContent !== words[1]) said.textContent = words[1];
  };

  warning.addEventListener("cancel", (event) => {
    event.preventDefault();
    stay();
  });
  warning.querySelector("[data-stay]").addEventListener("submit", (event) => {
    event.preventDefault();
    stay();
  });
  noteUse();
  setInterval(tick, 1000);
  // A phone that slept: its clocks stood still, the server's did not.
  document.addEventListener("visibilitychange", tick);
  window.addEventListener("pageshow", (event) => event.persisted && tick());
})();
