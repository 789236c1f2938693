// An Endpoints object (v1) to slices, one for each family of each subset, as Kubernetes' mirroring controller makes them. They count
// only where the service has no real slice, which is decided in proxy/.
import type { Family } from '../../net/address.ts';
import type { EndpointOfSlice, EndpointSlice } from '../endpoint-slice.ts';
import type { ObjectFields } from './object-fields.ts';
import { hasLabel, headlessLabel, type ObjectName, timeIn } from './object-metadata.ts';
import { endpointAddress, triggerAnnotation } from './parse-endpoint-slice.ts';
import { endpointPorts } from './port-fields.ts';

const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
/** On objects that only say who leads: they have no addresses. */
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';

/** Their names have a "/", which no EndpointSlice's has. */
export function parseEndpoints(
  object: ObjectFields,
  { namespace, name }: ObjectName,
): readonly EndpointSlice[] {
  const metadata = object.child('metadata');
  const annotations = metadata.child('annotations');
  if (hasLabel(object, headlessLabel) || metadata.child('labels').get(skipLabel) === 'true') return [];
  if (annotations.get(leaderAnnotation) !== undefined) return [];
  const triggeredAt = timeIn(annotations, triggerAnnotation);
  return object.children('subsets').flatMap((subset, i) => {
    const ports = endpointPorts(subset);
    const endpoints = [
      ...subset.children('addresses').flatMap((fields) => endpointOf(fields, true) ?? []),
      ...subset.children('notReadyAddresses').flatMap((fields) => endpointOf(fields, false) ?? []),
    ];
    const families: readonly Family[] = [4, 6];
    return families.flatMap((family): readonly EndpointSlice[] => {
      const own = endpoints.filter(({ address }) => address.family === family);
      if (own.length === 0) return [];
      return [
        {
          namespace,
          name: `endpoints/${name}/${i}-v${family}`,
          service: name,
          family,
          ports,
          endpoints: own,
          mirrored: true,
          triggeredAt,
        },
      ];
    });
  });
}

function endpointOf(fields: ObjectFields, ready: boolean): EndpointOfSlice | undefined {
  const before = fields.notes.length;
  const text = fields.text('ip');
  if (text === undefined && fields.notes.length === before) fields.note('ip', 'is missing');
  const address = text === undefined ? undefined : endpointAddress(text, text.includes(':') ? 6 : 4);
  if (typeof address === 'string') fields.note('ip', address);
  const nodeName = fields.text('nodeName') || undefined;
  if (fields.followUp(before, 'the endpoint is left out')) return undefined;
  if (address === undefined || typeof address === 'string') return undefined;
  return { address, ready, serving: ready, terminating: false, nodeName, zoneHints: [], nodeHints: [] };
}
