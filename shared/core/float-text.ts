// Numbers as Meilisearch writes them into JSON.

/** A number as Meilisearch writes it: a whole one keeps its `.0`. */
export function floatText(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-5) return value.toExponential();
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
