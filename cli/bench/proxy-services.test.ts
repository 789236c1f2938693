import { expect, test } from '@jest/globals';
import { parseManifests } from '../../store/kubernetes/parse-manifests.ts';
import {
  benchService,
  benchSlices,
  changeBatch,
  manifest,
  serviceBatch,
  wholeBatch,
} from './proxy-services.ts';

const amount = { services: 3, endpoints: 150 };

test.each(['yaml', 'json'] as const)('the manifests in %s say what the objects say', (format) => {
  const text = manifest(2, { amount, grown: true, format });
  const { manifests, problems } = parseManifests(text, { file: 'f' });
  expect(problems).toEqual([]);
  expect(manifests.flatMap(({ service }) => service ?? [])).toEqual([benchService(2)]);
  expect(manifests.flatMap(({ slices }) => slices)).toEqual(benchSlices(2, { amount, grown: true }));
});

test('a slice has a hundred endpoints at most, and no two endpoints are alike', () => {
  const { services, slices } = wholeBatch(amount);
  expect(services.size).toBe(3);
  const sizes = [...slices.values()].map((slice) => slice?.endpoints.length);
  expect(sizes).toEqual([100, 50, 100, 50, 100, 50]);
  const addresses = [...slices.values()]
    .flatMap((slice) => slice?.endpoints ?? [])
    .map(({ address }) => `${address}`);
  expect(new Set(addresses).size).toBe(450);
});

test('a change is one slice, and moves one endpoint', () => {
  const [moved] = [...changeBatch(1, { amount, moved: true }).slices.values()];
  const before = benchSlices(1, { amount })[1]?.endpoints.map(({ address }) => `${address}`) ?? [];
  const after = moved?.endpoints.map(({ address }) => `${address}`) ?? [];
  expect(moved?.name).toBe('service-1-1');
  expect(after).toHaveLength(50);
  expect(after.filter((address) => !before.includes(address))).toEqual(['10.248.0.1']);
});

test('a service goes with all its slices', () => {
  const { services, slices } = serviceBatch(1, { amount, there: false });
  expect([...services]).toEqual([['bench/service-1', undefined]]);
  expect([...slices.keys()]).toEqual(['bench/service-1-0', 'bench/service-1-1']);
});
