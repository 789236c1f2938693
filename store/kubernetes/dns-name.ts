// What Kubernetes takes for names (RFC 1123): only such names become keys, comments of rules and labels of metrics.

/** A label: the name of a namespace, a service or a port. */
export function isDnsLabel(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(name);
}

/** Labels with dots between them: the name of any other object. */
export function isDnsSubdomain(name: string): boolean {
  return name.length <= 253 && name.split('.').every(isDnsLabel);
}
