"use strict";
const $ = (id) => document.getElementById(id);
const SHOWN = 10;  // classes or objects, before "all of them"
const MEANINGS = {
  empty: "The file is empty.",
  not_image: "This file is not a picture.",
  format_not_allowed: "This kind of picture is not read. Save it as JPEG or PNG.",
  truncated: "The picture is cut off: the end of the file is missing. Copy or download it again.",
  corrupt: "The picture is damaged and cannot be read.",
  too_many_bytes: "The file is too large for this server. Save the picture smaller.",
  too_many_pixels: "The picture has too many pixels. Scale it down.",
  aspect_limit: "The picture is too long and thin.",
  metadata_limit: "There is too much other data in the file. Save the picture again without it.",
  scan_limit: "The picture is built up in far too many steps. Save it again.",
  color_unsupported: "The colours of this picture cannot be read. Save it as a usual PNG or JPEG.",
};
let token = "", picture = null, answer = null, asked = 0, address = "";

// Names come from whoever made the recognizer: they are only ever text, and what cannot be seen is spelled out.
const plain = (text) => String(text).replace(/[\p{C}\u2028\u2029]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
const percent = (share) => (share > 0.9995 && share < 1 ? "> 99.9 %" : share > 0 && share < 0.0005 ? "< 0.1 %" : (100 * share).toFixed(1) + " %");
const named = (kind, text, name) => Object.assign(document.createElement(kind), { textContent: text, className: name || "" });

class Refused extends Error {}

async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = "Bearer " + token;
  if (body) headers["Content-Type"] = "application/octet-stream";
  let got;
  try {
    got = await fetch(path, { method: body ? "POST" : "GET", body, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch {
    throw new Refused("The server does not answer. Is it still running, and are you connected?");
  }
  const said = await got.json().catch(() => ({}));
  if (got.ok) return said;
  if (got.status === 401 || got.status === 403) {
    const before = token;
    token = "";
    $("access").hidden = false;
    $("token").focus();
    throw new Refused(before ? "The server does not accept this token." : "");
  }
  throw new Refused(meaning(got, said));
}

function meaning(got, said) {
  const wait = got.headers.get("Retry-After");
  if (got.status === 503 || got.status === 429)
    return "The server has too much to do at the moment, or is about to stop." + (wait ? ` Try again in ${wait} s.` : " Try again soon.");
  if (got.status === 408) return "The picture came too slowly, and the server stopped waiting for it. Try again.";
  if (got.status === 500) return `The server made a mistake; it is not your picture's fault. (${plain(said.code || 500)})`;
  const text = MEANINGS[said.code] || "The server refuses this.";
  return `${text}\n${plain(said.code || got.status)}` + (said.detail ? `: ${plain(said.detail)}` : "");
}

async function show(work) {
  const mine = ++asked;  // only the newest question may change the page
  $("error").hidden = true;
  try {
    await work(() => mine === asked);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (mine !== asked) return;
    const [first, ...more] = error.message.split("\n");
    $("error").replaceChildren(named("b", first), ...more.map((line) => named("p", line, "muted small")));
    $("error").hidden = !error.message;
  } finally {
    if (mine === asked) $("answer").classList.remove("waiting");
  }
}

const query = (path, more) => path + "?" + new URLSearchParams({ ...($("model").value && { model: $("model").value }), ...more });

async function start() {
  const { models } = await ask("v1/models");
  $("access").hidden = true;
  $("model").replaceChildren(...models.map((one) => Object.assign(named("option", plain(one.name)), { value: one.name })));
  $("choice").hidden = models.length < 2;
  $("about").textContent = models.length === 1 ? `${plain(models[0].name)} knows ${models[0].classes.length} classes.` : "";
  if (picture) await predict();
}

const predict = () => show(async (newest) => {
  $("answer").classList.add("waiting");
  $("looked").hidden = true;
  const name = plain(picture.name || "the pasted picture");
  const begin = performance.now();
  const said = await ask(query("v1/predict"), picture).catch((error) => {
    if (newest()) $("answer").hidden = true;  // the answer to another picture must not stand under this error
    if (error instanceof Refused && error.message) error.message += `\n${name}`;
    throw error;
  });
  const milliseconds = performance.now() - begin;
  if (!newest()) return;
  answer = said.predictions[0];
  draw(name, milliseconds);
});

function draw(name, milliseconds) {
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(picture);
  $("picture").onload = (event) => event.target.classList.toggle("tiny", event.target.naturalWidth < 96);
  $("picture").src = address;
  $("name").textContent = name;
  const where = !("label" in answer);
  $("label").replaceChildren(...(where ? [named("bdi", found(answer))] : [named("bdi", plain(answer.label)), named("span", percent(answer.confidence))]));
  $("meaning").replaceChildren(...(where ? [] : sentences(answer)));
  $("caption").textContent = where ? (answer.objects ? "What was found, the most certain first" : "Share of the picture") : "Calibrated probability of each class";
  boxes(where ? answer : {});
  $("time").textContent = `Answered in ${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms, with the way there and back.`;
  bars(SHOWN);
  $("answer").hidden = false;
  $("looked").hidden = where;
  $("heat").hidden = true;
}

function found(said) {
  if (!said.objects) return "The class of each pixel";
  const counts = Object.entries(said.counts);
  return counts.length ? counts.map(([label, count]) => `${count} ${plain(label)}`).join(", ") : "Nothing was found";
}

// Boxes in pixels of the picture, over the picture as the page shows it.
function boxes(said) {
  $("boxes").setAttribute("viewBox", `0 0 ${said.width || 1} ${said.height || 1}`);
  $("boxes").replaceChildren(...(said.objects || []).map((one) => {
    const [left, top, right, bottom] = one.box, shape = document.createElementNS($("boxes").namespaceURI, "rect");
    for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) shape.setAttribute(name, value);
    return shape;
  }));
}

function shares() {
  if (answer.scores) return Object.entries(answer.scores).sort((a, b) => b[1] - a[1]);
  if (answer.objects) return answer.objects.map((one) => [one.label, one.confidence]);
  return Object.entries(answer.areas).filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
}

function sentences(said) {
  const found = [];
  if (said.unknown) found.push(named("li", "This shows nothing that the recognizer knows. The name above is only what comes nearest.", "doubt"));
  if (said.abstain) found.push(named("li", "It is not sure enough to answer: take the name above as a guess.", "doubt"));
  if (said.abstain === false && !said.unknown) found.push(named("li", "It is sure enough to answer."));
  if (said.abstain === null) found.push(named("li", "From where on it is sure enough is not known: there were too few pictures to prove it."));
  if (said.set.length > 1 && said.set.length < Object.keys(said.scores).length)
    found.push(named("li", `It cannot tell these apart with certainty: ${said.set.map(plain).join(", ")}.`));
  else if (said.set.length > 1) found.push(named("li", "It could be any of its classes."));
  else if (!said.abstain && !said.unknown) found.push(named("li", "No other class comes into question."));
  return found;
}

function bars(most) {
  const rows = shares(), set = answer.set || [];
  $("bars").replaceChildren(...rows.slice(0, most).map(([label, share]) => {
    const row = named("tr", "", set.includes(label) ? "in" : ""), bar = named("div", "", "bar"), fill = named("i", "");
    const name = Object.assign(named("th", ""), { scope: "row" }), middle = named("td", "");
    name.append(named("bdi", plain(label)));
    fill.style.width = 100 * share + "%";
    bar.append(fill);
    bar.ariaHidden = "true";
    middle.append(bar);
    row.append(name, middle, named("td", percent(share)));
    return row;
  }));
  $("more").hidden = rows.length <= most;
  $("more").textContent = `Show all ${rows.length} ${answer.objects ? "objects" : "classes"}`;
}

const explain = () => show(async (newest) => {
  $("explain").disabled = true;
  try {
    const said = await ask(query("v1/explain"), picture);
    if (!newest()) return;
    $("map").src = "data:image/png;base64," + said.png;
    $("map").alt = `Map of what speaks for ${plain(said.class)}`;
    $("reading").textContent = said.strongest > 0
      ? `The picture as the recognizer gets it. The brighter the colour, the more the answer “${plain(said.class)}” loses when that area is hidden; where it is grey, hiding changes nothing or helps.`
      : `Hiding any single area does not weaken the answer “${plain(said.class)}”.`;
    $("heat").hidden = false;
    $("heat").scrollIntoView({ block: "nearest" });
  } finally {
    $("explain").disabled = false;
  }
});

function take(file) {
  if (!file) return;
  picture = file;
  predict();
}

$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  show(start);
});
$("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
$("model").addEventListener("change", () => picture && predict());
$("more").addEventListener("click", () => bars(Infinity));
$("explain").addEventListener("click", explain);
document.addEventListener("paste", (event) => take([...event.clipboardData.files][0]));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
show(start);
