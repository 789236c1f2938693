// Keys of JSON objects in the letter case that we know them by. Go's decoder takes any case, so runtimes send any: containerd
// writes "PortMappings" entries as {"HostPort": ...}.

/**
 * Makes copies of objects in which a key that equals one of `names` but for its case is renamed to it. An exact key wins over
 * others; values of null are left out, as Go takes them for absent. What needs no change, or is no plain object, is returned as
 * it is.
 */
export function keyCanonicalizer(names: readonly string[]): (object: unknown) => unknown {
  const exact = new Set(names);
  const canonical = new Map(names.map((name) => [name.toLowerCase(), name]));
  const nameOf = (key: string) => (exact.has(key) ? key : (canonical.get(key.toLowerCase()) ?? key));
  return (object) => {
    if (typeof object !== 'object' || object === null || Array.isArray(object)) return object;
    const entries = Object.entries(object);
    if (entries.every(([key, value]) => value !== null && nameOf(key) === key)) return object;
    const renamed = new Map<string, unknown>();
    const given = new Set<string>();
    for (const [key, value] of entries) {
      if (value === null) continue;
      const name = nameOf(key);
      if (given.has(name) && key !== name) continue;
      if (key === name) given.add(name);
      renamed.set(name, value);
    }
    // fromEntries defines properties, so that a key "__proto__" is one like any other.
    return Object.fromEntries(renamed);
  };
}

/** For an object that is read once. */
export function withCanonicalKeys(object: unknown, names: readonly string[]): unknown {
  return keyCanonicalizer(names)(object);
}
