// Keys of JSON objects in the letter case that we know them by. Go's decoder takes any case, so runtimes send any: containerd
// writes "PortMappings" entries as {"HostPort": ...}.

/**
 * A copy of `object` in which a key that equals one of `names` but for its case is renamed to it. An exact key wins over others;
 * values of null are left out, as Go takes them for absent. Not a plain object: returned as it is.
 */
export function withCanonicalKeys(object: unknown, names: readonly string[]): unknown {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return object;
  const canonical = new Map(names.map((name) => [name.toLowerCase(), name]));
  const entries = new Map<string, unknown>();
  const exact = new Set<string>();
  for (const [key, value] of Object.entries(object)) {
    if (value === null) continue;
    const name = canonical.get(key.toLowerCase()) ?? key;
    if (exact.has(name) && key !== name) continue;
    if (key === name) exact.add(name);
    entries.set(name, value);
  }
  // fromEntries defines properties, so that a key "__proto__" is one like any other.
  return Object.fromEntries(entries);
}
