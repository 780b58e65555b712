/** One line of measurement. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/**
 * Reads the Prometheus text format (0.0.4) and throws at the first line that breaks it: each family has HELP, then TYPE,
 * then its samples together, once; no series twice; values are numbers; the text ends in a line feed.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, Family & { samples: Sample[] }>();
  const series = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let family: (Family & { samples: Sample[] }) | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment?.[1] === "HELP") {
      if (help !== undefined) throw new Error(`HELP without TYPE before: ${line}`);
      help = { name: comment[2] ?? "", text: comment[3] ?? "" };
    } else if (comment?.[1] === "TYPE") {
      const [, , name = "", type = ""] = comment;
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`);
      if (!metricName.test(name)) throw new Error(`not a metric name: ${line}`);
      if (!/^(counter|gauge|histogram|summary|untyped)$/.test(type)) throw new Error(`unknown type: ${line}`);
      if (families.has(name)) throw new Error(`family twice: ${line}`);
      family = { name, type, help: help.text, samples: [] };
      families.set(name, family);
      help = undefined;
    } else {
      const sample = parseSample(line);
      if (family === undefined || !belongs(sample.name, family)) throw new Error(`sample outside its family: ${line}`);
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (series.has(key)) throw new Error(`series twice: ${line}`);
      series.add(key);
      family.samples.push(sample);
    }
  }
  if (help !== undefined) throw new Error(`HELP without TYPE at the end: ${help.name}`);
  return families;
}

function parseSample(line: string): Sample {
  const match = sampleLine.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = "", labelText = "", valueText = ""] = match;
  const value = valueText === "Nan" ? Number.NaN : Number(valueText.replace(/^([+-]?)Inf$/, "$1Infinity"));
  if (Number.isNaN(value) && valueText !== "NaN" && valueText !== "Nan") throw new Error(`not a number: ${line}`);
  return { name, labels: parseLabels(labelText, line), value };
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < text.length) {
    const [, name, value] = labelPair.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new Error(`labels are malformed: ${line}`);
    if (name in labels) throw new Error(`label twice: ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
  }
  return labels;
}

function belongs(name: string, { name: family, type }: Family): boolean {
  if (name === family) return type !== "histogram";
  const suffixes = { histogram: ["_bucket", "_sum", "_count"], summary: ["_sum", "_count"] }[type] ?? [];
  return suffixes.some((suffix) => name === family + suffix);
}
