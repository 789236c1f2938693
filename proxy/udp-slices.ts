// Which UDP ports a batch of slices is about. An endpoint that ends after it has left the rules (it was terminating, and others were
// ready) changes nothing that a mode can see, but its flows are stale from then on. It remembers slices with UDP ports only.
import type { Family } from '../net/address.ts';
import type { EndpointSlice } from '../store/endpoint-slice.ts';
import type { ServiceBatch } from '../store/service-source.ts';

export interface UdpSlices {
  /** Keys of ports, as ServicePort has them; their service need not be there. */
  touched(batch: Pick<ServiceBatch, 'slices'>): ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();

/** The protocol is the last part of a port's key. */
export function isUdp(key: string): boolean {
  return key.endsWith('/udp');
}

export function createUdpSlices(family: Family): UdpSlices {
  const known = new Map<string, readonly string[]>();
  return {
    touched({ slices }) {
      // Nearly always there is none: nothing is made then.
      let found: Set<string> | undefined;
      for (const [key, slice] of slices) {
        const before = known.get(key) ?? [];
        const now = slice?.family === family ? udpPorts(slice) : [];
        if (now.length > 0) known.set(key, now);
        else known.delete(key);
        if (before.length + now.length === 0) continue;
        found ??= new Set();
        for (const port of [...before, ...now]) found.add(port);
      }
      return found ?? none;
    },
  };
}

function udpPorts({ namespace, service, ports }: EndpointSlice): readonly string[] {
  return ports.flatMap(({ name, protocol }) =>
    protocol === 'udp' ? [`${namespace}/${service}${name === '' ? '' : `:${name}`}/udp`] : [],
  );
}
