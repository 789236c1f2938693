import { expect, test } from '@jest/globals';
import { createRetiredDevices, retirement } from './retired-devices.ts';

test('a device stays for its time, counted from when it was first not wanted', () => {
  let now = 1000;
  const retired = createRetiredDevices(() => now);
  const spared = (...devices: readonly string[]): readonly string[] => [...retired.spare(devices)];
  expect(spared('flannel.1')).toEqual(['flannel.1']);
  now += retirement - 1;
  expect(spared('flannel.1', 'flannel.ipip')).toEqual(['flannel.1', 'flannel.ipip']);
  now += 1;
  expect(spared('flannel.1', 'flannel.ipip')).toEqual(['flannel.ipip']);
});

test('one that was wanted again meanwhile starts anew', () => {
  let now = 1000;
  const retired = createRetiredDevices(() => now);
  retired.spare(['flannel.1']);
  now += retirement;
  retired.spare([]);
  expect([...retired.spare(['flannel.1'])]).toEqual(['flannel.1']);
});
