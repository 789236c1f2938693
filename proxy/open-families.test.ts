import { expect, test } from '@jest/globals';
import { openFamilies } from './open-families.ts';

const log = { warn: () => {} };

test('what cannot be opened is told, and the rest goes on', async () => {
  const opened: number[] = [];
  const problems = await openFamilies([4, 6], {
    log,
    async open(family) {
      if (family === 6) throw new Error('Cannot open: no IPv6');
      opened.push(family);
    },
  });
  expect([opened, problems]).toEqual([[4], [{ object: 'IPv6', message: 'Cannot open: no IPv6' }]]);
});

test('nothing at all is an error: the first', async () => {
  const refused = openFamilies([6, 4], {
    log,
    open: async (family) => {
      throw new Error(`Cannot open ${family}`);
    },
  });
  await expect(refused).rejects.toThrow('Cannot open 6');
});
