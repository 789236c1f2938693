// The directory as a store of the stores' benchmark: files written as nodes and tools write them, but without a sync of the disk each.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import { encodeLease } from '../../../store/lease-codec.ts';
import { leaseKey } from '../../../store/lease-key.ts';
import { manifest } from '../proxy-services.ts';
import { networkText, nodeLease } from './scale-nodes.ts';
import type { ScaleStore } from './scale-store.ts';

const day = 86_400_000;
/** Files written between two breaths. */
const filesInRow = 50;

export function openDirectoryScaleStore(): ScaleStore {
  const path = mkdtempSync(join(tmpdir(), 'netloom-bench-'));
  const leases = join(path, 'leases');
  const services = join(path, 'services');
  mkdirSync(join(leases, 'subnets'), { recursive: true });
  mkdirSync(services);
  writeFileSync(join(leases, 'config'), networkText);
  const write = (file: string, text: string): void => {
    const written = join(path, 'next');
    writeFileSync(written, text);
    renameSync(written, file);
  };
  const leaseFile = (node: Parameters<typeof nodeLease>[0]): string =>
    join(leases, 'subnets', `${leaseKey(nodeLease(node))}.json`);
  const serviceFile = (service: number): string => join(services, `service-${service}.json`);
  const each = async <Item>(items: readonly Item[], run: (item: Item) => void): Promise<void> => {
    for (const [i, item] of items.entries()) {
      run(item);
      if (i % filesInRow === filesInRow - 1) await breath();
    }
  };
  return {
    name: 'directory',
    relay: undefined,
    leases: { kind: 'directory', directory: leases, ttlMs: day },
    services: { kind: 'directory', directory: services },
    put: (nodes) => each(nodes, (node) => write(leaseFile(node), encodeLease(nodeLease(node)))),
    remove: (numbers) => each(numbers, (number) => rmSync(leaseFile({ number, generation: 0 }))),
    // Renewals: a node sets the time of its file once an hour, which nobody else needs to look at.
    beginHeartbeats: () => () => {},
    async putServices(amount) {
      rmSync(services, { recursive: true });
      mkdirSync(services);
      const numbers = Array.from({ length: amount.services }, (_, number) => number);
      await each(numbers, (number) =>
        writeFileSync(serviceFile(number), manifest(number, { amount, format: 'json' })),
      );
    },
    async moveEndpoint(service, to) {
      write(serviceFile(service), manifest(service, { ...to, format: 'json' }));
    },
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
