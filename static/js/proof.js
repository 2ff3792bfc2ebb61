// A proof of work by ALTCHA's protocol, version 2, instead of a typed code. Whatever fails here leaves the image to type from.

// A challenge lives half an hour, and the form is sent some time after the work is done.
const KEPT_MS = 20 * 60 * 1000;
const MOST_KEYS = 100_000;
const AT_ONCE = Math.min(navigator.hardwareConcurrency || 2, 4);

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

// The browser derives keys in threads of its own, so that the page stays responsive without a worker.
async function derive({ nonce, salt, cost, keyLength }, counter) {
  const prefix = bytesOf(nonce);
  const password = new Uint8Array(prefix.length + 4);
  password.set(prefix);
  new DataView(password.buffer).setUint32(prefix.length, counter);
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytesOf(salt), iterations: cost };
  return hex(await crypto.subtle.deriveBits(how, key, keyLength * 8));
}

async function solve(parameters) {
  for (let first = 0; first < MOST_KEYS; first += AT_ONCE) {
    const counters = Array.from({ length: AT_ONCE }, (_, lane) => first + lane);
    const keys = await Promise.all(counters.map((counter) => derive(parameters, counter)));
    const found = keys.findIndex((key) => key.startsWith(parameters.keyPrefix));
    if (found >= 0) return { counter: first + found, derivedKey: keys[found] };
  }
  throw new Error("no key begins as it should");
}

async function prove(challengeId) {
  const response = await fetch(`/captcha/prueba?de=${challengeId}`);
  if (!response.ok) throw new Error(`status ${response.status}`);
  const challenge = await response.json();
  return btoa(JSON.stringify({ challenge, solution: await solve(challenge.parameters) }));
}

function proveInstead(box) {
  const { form } = box;
  const [line, words, code, typing] = ["line", "words", "code", "typing"].map((part) => box.querySelector(`[data-proof-${part}]`));
  const field = Object.assign(document.createElement("input"), { type: "hidden", name: "altcha" });
  let work, begun, isWaiting;

  const show = (isByProof) => {
    line.hidden = !isByProof;
    code.hidden = isByProof;
    code.querySelector("[name=captcha]").disabled = isByProof;
    if (isByProof) box.append(field);
    else field.remove();
  };
  const begin = () => {
    if (!work || Date.now() - begun > KEPT_MS) {
      begun = Date.now();
      field.value = "";
      words.textContent = "Su navegador está comprobando que usted no es un programa…";
      work = prove(box.querySelector("[name=captcha_id]").value).then((proof) => {
        field.value = proof;
        words.textContent = "Comprobado. Puede enviar el formulario.";
      }).catch(() => show(false));
    }
    return work;
  };
  const finish = async (event) => {
    if (line.hidden || event.submitter?.name) return;
    begin();
    if (field.value) return;
    // Before the other listeners, which would take the form for sent.
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isWaiting) return;
    isWaiting = true;
    await work;
    isWaiting = false;
    if (!line.hidden) form.requestSubmit(event.submitter);
    else box.querySelector("[name=captcha]").focus();
  };

  show(true);
  form.addEventListener("focusin", () => line.hidden || begin());
  form.addEventListener("submit", finish, true);
  typing.addEventListener("click", () => {
    show(false);
    box.querySelector("[name=captcha]").focus();
  });
  // A page that comes back has sent its proof, which counts once.
  addEventListener("pageshow", (event) => event.persisted && (work = undefined));
}

// Without a secure connection a browser has no cryptography; after an error the person has the image instead.
if (globalThis.crypto?.subtle) document.querySelectorAll("[data-proof]:not(.has-error)").forEach(proveInstead);
