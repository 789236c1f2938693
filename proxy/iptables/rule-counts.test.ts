import { expect, test } from '@jest/globals';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { samplePort } from '../sample-services.ts';
import type { ServicePort } from '../service-port.ts';
import { createIptablesMode } from './iptables-mode.ts';
import { sampleContext } from './sample-context.ts';

test('what is counted is what stands in the kernel, and what the last sync wrote', async () => {
  const access = new FakeIptablesKernel().access(4);
  const mode = createIptablesMode({
    access,
    inBatches: true,
    randomFully: true,
    allowRouteLocalnet: () => {},
    cleanUp: async () => [],
  });
  expect(mode.ruleCounts()).toBeUndefined();
  const ports = new Map<string, ServicePort>();
  const { signal } = new AbortController();
  const context = sampleContext();
  const counted = async () => {
    const tables = await Promise.all(['filter', 'nat'].map((table) => access.save(table)));
    return Object.fromEntries(tables.map(({ name, rules }) => [name, rules.length]));
  };
  const total = () => Object.fromEntries(mode.ruleCounts()?.total ?? []);

  const [web, empty] = [
    samplePort({ service: 'web', clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'], nodePort: 30080 }),
    samplePort({ service: 'empty', clusterIp: '10.96.0.9', clusterEndpoints: [] }),
  ];
  for (const port of [web, empty]) ports.set(port.key, port);
  await mode.sync({ ports, changed: 'all', context }, signal);
  expect(total()).toEqual(await counted());
  expect(Object.fromEntries(mode.ruleCounts()?.last ?? [])).toEqual(await counted());

  ports.delete(empty.key);
  await mode.sync({ ports, changed: new Set([empty.key]), context }, signal);
  expect(total()).toEqual(await counted());
  expect(mode.ruleCounts()?.last).toEqual(new Map());

  ports.set(empty.key, empty);
  await mode.sync({ ports, changed: new Set([empty.key]), context }, signal);
  expect(Object.fromEntries(mode.ruleCounts()?.last ?? [])).toEqual({ filter: 1 });
});
