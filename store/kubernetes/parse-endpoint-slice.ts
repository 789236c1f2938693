// An EndpointSlice object (discovery.k8s.io/v1, v1beta1) to a slice. What is wrong in one endpoint or port leaves out that one.
// Which endpoints are dangerous or usable is decided in proxy/.
import type { Family, IpAddress } from '../../net/address.ts';
import type { EndpointOfSlice, EndpointSlice } from '../endpoint-slice.ts';
import { quote } from '../store-error.ts';
import { isDnsLabel } from './dns-name.ts';
import type { ObjectFields } from './object-fields.ts';
import { hasLabel, headlessLabel, type ObjectName, timeIn } from './object-metadata.ts';
import { endpointPorts } from './port-fields.ts';
import { sloppyAddress } from './sloppy-address.ts';

const serviceLabel = 'kubernetes.io/service-name';

/** When what led to the slice happened: the begin of kube-proxy's network_programming_duration. */
export const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';

/** One list for all that have no hint: nearly all endpoints. */
const noHints: readonly string[] = [];

/** Undefined when it cannot be used; the notes say why. Empty: no proxy looks at it. */
export function parseEndpointSlice(
  object: ObjectFields,
  { namespace, name }: ObjectName,
): readonly EndpointSlice[] | undefined {
  if (hasLabel(object, headlessLabel)) return [];
  const before = object.notes.length;
  const addressType = object.text('addressType');
  if (addressType === 'FQDN') {
    object.note('addressType', '"FQDN" is not looked at: a proxy needs addresses');
    return [];
  }
  const labels = object.child('metadata').child('labels');
  const service = labels.text(serviceLabel);
  if (service === undefined) labels.note(serviceLabel, 'is missing; it names the service');
  else if (!isDnsLabel(service)) labels.note(serviceLabel, `${quote(service)} is not a DNS label`);
  const family = addressType === 'IPv4' ? 4 : addressType === 'IPv6' ? 6 : undefined;
  if (family === undefined) {
    object.note('addressType', `want "IPv4", "IPv6" or "FQDN", not ${quote(addressType)}`);
  }
  if (object.followUp(before, 'the slice is left out')) return undefined;
  if (service === undefined || family === undefined) return undefined;
  return [
    {
      namespace,
      name,
      service,
      family,
      ports: endpointPorts(object),
      endpoints: object.children('endpoints').flatMap((fields) => endpointOf(fields, family) ?? []),
      mirrored: false,
      triggeredAt: timeIn(object.child('metadata').child('annotations'), triggerAnnotation),
    },
  ];
}

function endpointOf(fields: ObjectFields, family: Family): EndpointOfSlice | undefined {
  const before = fields.notes.length;
  // Only the first one counts: the others are of the same pod.
  const [first] = fields.texts('addresses');
  if (first === undefined && fields.notes.length === before) fields.note('addresses', 'is empty');
  const address = first === undefined ? undefined : endpointAddress(first.text, family);
  if (typeof address === 'string') first?.note(address);
  const conditions = fields.child('conditions');
  const ready = conditions.flag('ready');
  const serving = conditions.flag('serving');
  const terminating = conditions.flag('terminating');
  const nodeName =
    fields.text('nodeName') || fields.child('topology').text('kubernetes.io/hostname') || undefined;
  const hints = fields.child('hints');
  const zoneHints = hintsOf(hints, 'forZones');
  const nodeHints = hintsOf(hints, 'forNodes');
  if (fields.followUp(before, 'the endpoint is left out')) return undefined;
  if (address === undefined || typeof address === 'string') return undefined;
  return {
    address,
    ready: ready ?? true,
    serving: serving ?? true,
    terminating: terminating ?? false,
    nodeName,
    zoneHints,
    nodeHints,
  };
}

/** The address, or in words why it is none of that family. */
export function endpointAddress(text: string, family: Family): IpAddress | string {
  const address = sloppyAddress(text);
  if (address === undefined) return `${quote(text)} is not an IP address`;
  if (address.family !== family || address.isIp4Mapped)
    return `${quote(text)} is not an IPv${family} address`;
  return address.isUnspecified ? `${quote(text)} is the unspecified address` : address;
}

function hintsOf(hints: ObjectFields, name: string): readonly string[] {
  if (hints.get(name) === undefined) return noHints;
  return hints.children(name).flatMap((hint) => hint.text('name') ?? []);
}
