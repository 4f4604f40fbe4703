// Query strings of the API.

/** A query string of what is not empty. */
export function query(parts: Record<string, string | number | boolean | null | undefined>): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) if (value !== null && value !== undefined && value !== '') made.set(name, String(value));
  const text = made.toString();
  return text ? `?${text}` : '';
}
