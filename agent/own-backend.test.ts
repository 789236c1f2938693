import { expect, test } from '@jest/globals';
import { createBackendChanger } from './own-backend.ts';
import { leaseMap, sampleConfig } from './sample-cluster.ts';

const config = sampleConfig({ backend: { Type: 'vxlan', VNI: 7 } });
const snapshot = { config, leases: leaseMap([]), problems: [] };

test('the snapshot has this node’s backend, in one object as long as the configuration is the same', () => {
  const change = createBackendChanger('host-gw');
  const first = change(snapshot);
  expect(first.config).toEqual({ ...config, backend: { kind: 'host-gw' } });
  expect(change({ ...snapshot, leases: leaseMap([]) }).config).toBe(first.config);
  expect(change({ ...snapshot, config: { ...config } }).config).not.toBe(first.config);
});

test('options are those of the network’s configuration where that is of the same type', () => {
  expect(createBackendChanger('vxlan')(snapshot).config?.backend).toMatchObject({ kind: 'vxlan', vni: 7 });
  const plain = { ...snapshot, config: sampleConfig({ backend: { Type: 'host-gw' } }) };
  expect(createBackendChanger('vxlan')(plain).config?.backend).toMatchObject({ kind: 'vxlan', vni: 1 });
});

test('it stays as it is without one, and without a configuration', () => {
  expect(createBackendChanger(undefined)(snapshot)).toBe(snapshot);
  const without = { ...snapshot, config: undefined };
  expect(createBackendChanger('host-gw')(without)).toBe(without);
});
