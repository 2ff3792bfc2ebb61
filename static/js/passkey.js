// Passkeys. Without this file, or without a browser that knows them, these forms stay hidden.
const FAILED = "El navegador no usó ninguna llave de acceso. Inténtelo otra vez, o ingrese de otro modo.";
let waiting = null;

async function answer(form, mediation) {
  waiting?.abort();
  waiting = new AbortController();
  const options = JSON.parse(form.dataset.options);
  const call = { signal: waiting.signal };
  if (form.dataset.passkey === "create") {
    call.publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return navigator.credentials.create(call);
  }
  call.publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  if (mediation) call.mediation = mediation;
  return navigator.credentials.get(call);
}

function send(form, credential) {
  form.elements.credencial.value = JSON.stringify(credential.toJSON());
  form.submit();
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) break;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      send(form, await answer(form));
    } catch {
      form.querySelector("[role=status]").textContent = FAILED;
    }
  });
  if ("conditional" in form.dataset && await PublicKeyCredential.isConditionalMediationAvailable?.()) {
    answer(form, "conditional").then((credential) => send(form, credential), () => {});
  }
}
