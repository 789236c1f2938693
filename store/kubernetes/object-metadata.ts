// What the objects we read have in common: their name, and a few labels, annotations and times.
import { quote } from '../store-error.ts';
import { isDnsLabel } from './dns-name.ts';
import type { ObjectFields } from './object-fields.ts';

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** Label on services that are another proxy's. */
export const proxyNameLabel = 'service.kubernetes.io/service-proxy-name';
/** Label on services and slices that no proxy looks at. */
export const headlessLabel = 'service.kubernetes.io/headless';

/** Undefined when the object cannot be named, which is noted. No namespace: "default", as without an API server nobody adds it. */
export function objectName(
  object: ObjectFields,
  { isName }: { readonly isName: (name: string) => boolean },
): ObjectName | undefined {
  const metadata = object.child('metadata');
  const before = object.notes.length;
  const name = metadata.text('name');
  const namespace = metadata.text('namespace') || 'default';
  if (object.notes.length > before) return undefined;
  if (name === undefined) metadata.note('name', 'is missing');
  else if (!isName(name)) metadata.note('name', `${quote(name)} is not a name that Kubernetes allows`);
  if (!isDnsLabel(namespace)) metadata.note('namespace', `${quote(namespace)} is not a DNS label`);
  return name === undefined || object.notes.length > before ? undefined : { namespace, name };
}

/** True when the object has the label, whatever its value. */
export function hasLabel(object: ObjectFields, label: string): boolean {
  return object.child('metadata').child('labels').get(label) !== undefined;
}

/** Milliseconds since 1970 of a time as Kubernetes writes it (RFC 3339). */
export function timeIn(fields: ObjectFields, name: string): number | undefined {
  const text = fields.text(name);
  if (text === undefined || text === '') return undefined;
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  fields.note(name, `${quote(text)} is not a time such as 2026-01-31T12:00:00Z`);
  return undefined;
}
