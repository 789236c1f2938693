// The Services and EndpointSlices of a state of the packet table, and what changes from one state to the next as a source would tell it.
import { isDeepStrictEqual } from 'node:util';
import { type EndpointSlice, sliceKey } from '../../store/endpoint-slice.ts';
import { parseManifests } from '../../store/kubernetes/parse-manifests.ts';
import { type Service, serviceKey } from '../../store/service.ts';
import type { ServiceBatch } from '../../store/service-source.ts';

export interface ClusterObjects {
  readonly services: ReadonlyMap<string, Service>;
  readonly slices: ReadonlyMap<string, EndpointSlice>;
}

export const noObjects: ClusterObjects = { services: new Map(), slices: new Map() };

const read = new Map<string, ClusterObjects>();

/** What is wrong in the text is left out, as from a directory. A text that was read before is not read again. */
export function clusterObjects(manifests: string): ClusterObjects {
  const before = read.get(manifests);
  if (before !== undefined) return before;
  const objects = readObjects(manifests);
  read.set(manifests, objects);
  return objects;
}

function readObjects(manifests: string): ClusterObjects {
  const parsed = parseManifests(manifests, { file: 'state.yaml' }).manifests;
  return {
    services: new Map(
      parsed.flatMap(({ service }) =>
        service === undefined ? [] : [[serviceKey(service), service] as const],
      ),
    ),
    slices: new Map(parsed.flatMap(({ slices }) => slices.map((slice) => [sliceKey(slice), slice] as const))),
  };
}

/** Names what differs, and nothing else. */
export function batchBetween(
  before: ClusterObjects,
  after: ClusterObjects,
): Pick<ServiceBatch, 'services' | 'slices'> {
  return {
    services: changes(before.services, after.services),
    slices: changes(before.slices, after.slices),
  };
}

function changes<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
): ReadonlyMap<string, T | undefined> {
  const changed = new Map<string, T | undefined>();
  for (const key of before.keys()) if (!after.has(key)) changed.set(key, undefined);
  for (const [key, value] of after) if (!isDeepStrictEqual(before.get(key), value)) changed.set(key, value);
  return changed;
}
