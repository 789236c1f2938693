// What others do to the kernel under a running proxy: a look at everything mends it, whatever it was, and the look after that finds
// nothing to do. Whether somebody notices in time that there is something to mend is each mode's own tests.
import { describe, expect, jest, test } from '@jest/globals';
import type { Breakage } from '../test/proxy/breakage.ts';
import { breakages } from '../test/proxy/breakages.ts';
import { failingRows, rowsFor } from '../test/proxy/check-rows.ts';
import { fakeNode } from '../test/proxy/fake-node.ts';
import { NodeProxy } from '../test/proxy/node-proxy.ts';
import { packetStates } from '../test/proxy/packet-states.ts';
import { proxyModes } from './proxy-mode.ts';

jest.setTimeout(60_000);

/** Every so many states are enough to have each kind of object. */
const step = 9;

describe.each(proxyModes)('%s', (mode) => {
  test.each(breakages[mode].map((one): [string, Breakage] => [one.name, one]))(
    'mended: %s',
    async (_, { apply }) => {
      const node = fakeNode();
      const proxy = await NodeProxy.open(node.modes[mode]);
      for (const [i, state] of packetStates.entries()) {
        if (i % step !== 0) continue;
        await proxy.enter(state);
        await apply(node);
        await proxy.again('all');
        expect({ state: state.name, failing: failingRows(node, rowsFor(state, mode)) }).toEqual({
          state: state.name,
          failing: [],
        });
        for (const { changes } of await proxy.again('all')) expect(changes).toBe(0);
      }
    },
  );
});
