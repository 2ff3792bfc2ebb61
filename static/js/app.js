// Comfort only: every page does its work without this file.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function togglePassword(button) {
  const input = document.getElementById(button.dataset.togglePassword);
  const name = button.getAttribute("aria-label").replace(/^\S+ /, "");
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? "Ocultar" : "Mostrar";
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
    button.setAttribute("aria-pressed", String(visible));
  };
  button.hidden = false;
  button.addEventListener("click", () => show(input.type === "password"));
  // A visible password would be remembered by the browser as ordinary text.
  input.form?.addEventListener("submit", () => show(false));
}

function tickRules(list) {
  const input = document.getElementById(list.dataset.rulesFor);
  const rules = all("[data-pattern], [data-same-as]", list);
  const status = list.querySelector("[data-rules-status]");
  const other = (rule) => document.getElementById(rule.dataset.sameAs);
  const holds = (rule) =>
    input.value !== "" &&
    (rule.dataset.pattern
      ? new RegExp(rule.dataset.pattern, "su").test(input.value)
      : input.value === other(rule).value);
  let timer;
  const update = () => {
    const met = rules.filter((rule) => {
      const ok = holds(rule);
      rule.classList.toggle("met", ok);
      rule.querySelector("[data-rule-state]").textContent = ok ? " (cumple)" : " (falta)";
      return ok;
    }).length;
    // Said only after a pause in typing, or a screen reader would never stop.
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (input.value) status.textContent = `Cumple ${met} de ${rules.length}`;
    }, 900);
  };
  list.classList.add("live");
  [input, ...rules.map(other)].forEach((field) => field?.addEventListener("input", update));
  update();
}

function showWhen(form) {
  const parts = all("[data-show-when]", form);
  if (!parts.length) return;
  const update = () => {
    for (const part of parts) {
      // Read again for each part: hiding one takes its answers out of the next one's question.
      const data = new FormData(form);
      const shown = part.dataset.showWhen.split(",").some((way) =>
        way.trim().split("&").every((pair) => {
          const [name, value] = pair.split("=");
          return data.get(name) === value;
        }));
      part.hidden = !shown;
      all("input, select", part).forEach((field) => (field.disabled = !shown));
    }
  };
  all("[data-no-script]", form).forEach((text) => (text.hidden = true));
  form.addEventListener("change", update);
  addEventListener("pageshow", update);
  update();
}

// The lists come once, when they are needed; where they do not, the button submits the form as it does without this script.
function fillOptions(select) {
  const parent = select.form.elements[select.dataset.filledBy];
  const button = select.form.querySelector(`[data-fill][name="ver_${select.name}"]`);
  let lists;
  const fill = async () => {
    const chosen = parent.value;
    lists ??= fetch(select.dataset.source).then((response) => response.json());
    const options = (await lists)[chosen] ?? [];
    // Another choice was made while the lists came.
    if (chosen !== parent.value) return;
    const before = select.value;
    select.replaceChildren(select.options[0], ...options.map(([code, name]) => new Option(name, code)));
    select.value = options.some(([code]) => code === before) ? before : "";
  };
  const update = () => fill().then(() => (button.hidden = true), () => {
    lists = undefined;
    button.hidden = false;
  });
  button.hidden = true;
  parent.addEventListener("change", update);
  addEventListener("pageshow", () => parent.value && update());
}

// Another challenge without leaving the page; where that fails, the button submits the form as it does without this script.
function redrawCaptcha(box) {
  const button = box.querySelector("[data-captcha-refresh]");
  const show = ({ challenge }) => {
    const answer = box.querySelector("input[type=text]");
    box.querySelector("img").src = `/captcha/${challenge}.png`;
    box.querySelector("[data-captcha-audio]").href = `/captcha/${challenge}.wav`;
    box.querySelector("[name=captcha_id]").value = challenge;
    answer.value = "";
    answer.focus();
    box.querySelector("[data-captcha-status]").textContent = "Imagen actualizada";
  };
  const redraw = (event) => {
    event.preventDefault();
    const shown = box.querySelector("[name=captcha_id]").value;
    fetch(`/captcha?de=${shown}`).then((response) => response.json()).then(show).catch(() => {
      button.removeEventListener("click", redraw);
      button.click();
    });
  };
  button.addEventListener("click", redraw);
}

// The recording in this page instead of another tab; where it cannot be played, the link stays one.
function playCaptcha(link) {
  const audio = new Audio();
  link.querySelector("[data-captcha-tab]").remove();
  link.addEventListener("click", (event) => {
    event.preventDefault();
    audio.src = link.href;
    audio.play().catch(() => open(link.href, "_blank", "noopener"));
  });
}

const STOPPED_MS = 20_000;

function submitOnce(form) {
  const reopen = () => {
    const button = form.querySelector("[data-busy][data-idle]");
    delete form.dataset.sent;
    if (!button) return;
    button.textContent = button.dataset.idle;
    button.removeAttribute("aria-disabled");
  };
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    // A person may stop an answer that does not come; no event says so.
    setTimeout(reopen, STOPPED_MS);
    const button = form.querySelector("[data-busy]");
    if (!button || event.submitter?.name) return;
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
    button.setAttribute("aria-disabled", "true");
  });
  // The back button may bring the page as it was left.
  addEventListener("pageshow", reopen);
}

all("[data-toggle-password]").forEach(togglePassword);
all("[data-rules-for]").forEach(tickRules);
all("form").forEach(showWhen);
all("[data-filled-by]").forEach(fillOptions);
all("[data-captcha]").forEach(redrawCaptcha);
all("[data-captcha-audio]").forEach(playCaptcha);
all("form[data-once]").forEach(submitOnce);
all("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => print());
});
