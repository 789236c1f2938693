import { expect, test } from '@jest/globals';
import { Journal } from './journal.ts';

test('changes are taken back in reverse', () => {
  const map = new Map([
    ['a', 1],
    ['b', 2],
  ]);
  const undone: string[] = [];
  const journal = new Journal();
  journal.put(map, 'a', 10);
  journal.put(map, 'a', 11);
  journal.put(map, 'b', undefined);
  journal.put(map, 'c', 3);
  journal.made(() => undone.push('first'));
  journal.made(() => undone.push('second'));
  expect(map).toEqual(
    new Map([
      ['a', 11],
      ['c', 3],
    ]),
  );
  journal.undo();
  expect(map).toEqual(
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  );
  expect(undone).toEqual(['second', 'first']);
  journal.undo();
  expect(undone).toHaveLength(2);
});
