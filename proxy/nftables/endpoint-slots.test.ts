import { expect, test } from '@jest/globals';
import { sampleEndpoint } from '../sample-services.ts';
import { assignIndices, assignSlots, endpointText } from './endpoint-slots.ts';

const endpoints = (...texts: readonly string[]) => texts.map((text) => sampleEndpoint(`10.244.0.${text}:80`));
const lastParts = (texts: readonly string[]) => texts.map((text) => text.split(/[. ]/)[3]);

test.each([
  { name: 'the first time as they come', before: [], wanted: ['1', '2', '3'], slots: ['1', '2', '3'] },
  {
    name: 'a replaced one changes one slot',
    before: ['1', '2', '3'],
    wanted: ['1', '3', '4'],
    slots: ['1', '4', '3'],
  },
  { name: 'a new one goes to the end', before: ['2', '3'], wanted: ['1', '2', '3'], slots: ['2', '3', '1'] },
  {
    name: 'the last fills the hole of one that went',
    before: ['1', '2', '3'],
    wanted: ['2', '3'],
    slots: ['3', '2'],
  },
  {
    name: 'empty slots are filled',
    before: ['1', undefined, '3'],
    wanted: ['1', '2', '3'],
    slots: ['1', '2', '3'],
  },
  { name: 'doubles count once', before: ['1', '1', '2'], wanted: ['1', '2', '3'], slots: ['1', '3', '2'] },
])('slots: $name', ({ before, wanted, slots }) => {
  const texts = before.map((part) => (part === undefined ? undefined : `10.244.0.${part} 80`));
  expect(lastParts(assignSlots(endpoints(...wanted), texts).map(endpointText))).toEqual(slots);
});

test('indices stay while an endpoint lives, and come again late', () => {
  const first = assignIndices(new Set(['a', 'b', 'c']));
  expect([...first.numbers]).toEqual([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  const second = assignIndices(new Set(['a', 'c', 'd']), first);
  expect([...second.numbers]).toEqual([
    ['a', 1],
    ['c', 3],
    ['d', 4],
  ]);
  const last = assignIndices(new Set(['a', 'e', 'f']), { numbers: second.numbers, next: 4095 });
  expect([...last.numbers]).toEqual([
    ['a', 1],
    ['e', 4095],
    ['f', 2],
  ]);
});

test('more endpoints than indices are refused', () => {
  const texts = Array.from({ length: 4096 }, (_, i) => `${i}`);
  expect(assignIndices(new Set(texts.slice(1))).numbers.size).toBe(4095);
  expect(() => assignIndices(new Set(texts))).toThrow(
    /4096 endpoints, and with session affinity 4095 are the most/,
  );
});
