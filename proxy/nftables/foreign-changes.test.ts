import { expect, test } from '@jest/globals';
import type { TableId } from '../../kernel/nft/objects.ts';
import type { NftWatch, NftWatchOptions } from '../../kernel/nft/watch.ts';
import { Poller } from '../../kernel/poller.ts';
import { watchForeignChanges } from './foreign-changes.ts';

const four: TableId = { family: 'ip', name: 'netloom-proxy' };
const six: TableId = { family: 'ip6', name: 'netloom-proxy' };

test('a change is news once, for its table; lost notifications are for all', () => {
  const pending: Parameters<NftWatchOptions['onChange']>[0][] = [];
  const open = ({ onChange, tables }: NftWatchOptions): NftWatch => {
    expect(tables).toEqual([four, six]);
    return {
      drain: () => pending.splice(0).forEach(onChange),
      apply: (driver, steps, options) => driver.apply(steps, options),
      stop: () => undefined,
    };
  };
  const changes = watchForeignChanges({ poller: new Poller(), tables: [four, six] }, open);
  const news = () => [changes.take(four), changes.take(six)];
  expect(news()).toEqual([false, false]);
  pending.push({ kind: 'transaction', generation: 2, tables: [six] });
  expect(news()).toEqual([false, true]);
  expect(news()).toEqual([false, false]);
  pending.push({ kind: 'overrun' });
  expect(news()).toEqual([true, true]);
  expect(news()).toEqual([false, false]);
  changes.close();
});
