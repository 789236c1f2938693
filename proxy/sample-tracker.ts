// A service tracker for tests, driven by sample services and slices. Not for programs.
import { type EndpointSlice, sliceKey } from '../store/endpoint-slice.ts';
import { type Service, serviceKey } from '../store/service.ts';
import {
  type SampleServiceFields,
  type SampleSliceFields,
  sampleService,
  sampleSlice,
} from './sample-services.ts';
import type { ServicePort } from './service-port.ts';
import { createServiceTracker, type ServiceTrackerOptions } from './service-tracker.ts';

/** A tracker of node "here", and what tests do with it: they give objects in part, and get keys sorted. */
export function openTracker(options: Partial<ServiceTrackerOptions> = {}) {
  const tracker = createServiceTracker({ family: 4, nodeName: 'here', ...options });
  const apply = (objects: { services?: readonly Service[]; slices?: readonly EndpointSlice[] }) =>
    [
      ...tracker.apply({
        services: new Map((objects.services ?? []).map((one) => [serviceKey(one), one])),
        slices: new Map((objects.slices ?? []).map((one) => [sliceKey(one), one])),
      }),
    ].sort();
  return {
    tracker,
    service: (...fields: readonly SampleServiceFields[]) => apply({ services: fields.map(sampleService) }),
    slice: (...fields: readonly SampleSliceFields[]) => apply({ slices: fields.map(sampleSlice) }),
    removeService: (key: string) => [
      ...tracker.apply({ services: new Map([[key, undefined]]), slices: new Map() }),
    ],
    removeSlice: (key: string) => [
      ...tracker.apply({ services: new Map(), slices: new Map([[key, undefined]]) }),
    ],
    port: (key = 'ns/web/tcp') => {
      const found = tracker.ports.get(key);
      if (found === undefined) throw new Error(`there is no port ${key}, only ${[...tracker.ports.keys()]}`);
      return found;
    },
    /** Endpoints of the two lists, "cluster | local". */
    endpoints: (key = 'ns/web/tcp') => {
      const port = tracker.ports.get(key);
      const text = (list: ServicePort['clusterEndpoints'] = []) =>
        list.map((one) => `${one.address}:${one.port}`).join(' ');
      return `${text(port?.clusterEndpoints)} | ${text(port?.localEndpoints)}`;
    },
  };
}
