// A gate report for people: the verdict, each reason with its fix, the picture, and every figure with its limit.

const element = (tag, { className = "", text = "" } = {}, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  made.append(...children);
  return made;
};

const readable = (value) => (Number.isInteger(value) ? String(value) : Number(value).toPrecision(4).replace(/\.?0+$/, ""));

const shown = (value) => {
  if (typeof value === "number") return readable(value);
  return value === null ? "–" : Array.isArray(value) ? value.join(", ") : String(value);
};

function limits({ min, max }) {
  if (min !== undefined && max !== undefined) return `${shown(min)} to ${shown(max)}`;
  if (min !== undefined) return `at least ${shown(min)}`;
  return max === undefined ? "" : `at most ${shown(max)}`;
}

function reasons(report) {
  const list = element("ul", { className: "fixes" });
  for (const reason of [...report.reasons, ...report.warnings]) {
    const bad = reason.severity === "error" ? "bad" : "";
    list.append(element("li", {}, element("span", { className: bad, text: reason.message }), element("p", { text: reason.fix })));
  }
  return list;
}

function figures(report) {
  const body = element("tbody");
  for (const [name, figure] of Object.entries(report.metrics)) {
    if (figure.value === null || typeof figure.value === "object") continue;
    const limited = figure.min !== undefined || figure.max !== undefined;
    const mark = figure.pass === false ? "✗" : figure.pass && limited ? "✓" : "";
    const value = element("td", { className: "figure", text: `${shown(figure.value)} ${figure.unit ?? ""} ${mark}`.trim() });
    if (figure.pass === false) value.classList.add("bad");
    body.append(element("tr", {}, element("td", { text: name.replaceAll("_", " ") }), value, element("td", { text: limits(figure) })));
  }
  const head = element("tr");
  for (const heading of ["Figure", "Measured", "Allowed"]) {
    const cell = element("th", { text: heading });
    cell.scope = "col";
    head.append(cell);
  }
  return element("table", {}, element("thead", {}, head), body);
}

export function showReport(panel, report, picture) {
  const parts = [element("p", { className: `verdict ${report.verdict}`, text: report.verdict })];
  if (report.reasons.length + report.warnings.length) parts.push(reasons(report));
  if (picture) {
    const image = element("img");
    image.src = picture;
    image.alt = "Spectrogram of the recording, with what the gate found marked in it";
    parts.push(image);
  }
  panel.replaceChildren(...parts, figures(report));
}
