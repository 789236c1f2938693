// The packet table with real packets: every row that this kernel and these namespaces can do, in every mode. Not SCTP, which the
// development machines' kernel does not have, nor packets of unknown or half-known connections: fakes do those (proxy/packet-table.test.ts).
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { openConntrack } from '../../kernel/conntrack/driver.ts';
import { refuseRoot } from '../sandbox.ts';
import { canBeSent, failingRealRows } from './check-real-rows.ts';
import { rowsFor } from './check-rows.ts';
import { NodeProxy } from './node-proxy.ts';
import { parseRows } from './packet-row.ts';
import { packetStates } from './packet-states.ts';
import { realMode, workingModes } from './real-modes.ts';
import { type RealNode, realNode } from './real-node.ts';
import { openResponders } from './real-packet.ts';

refuseRoot();
jest.setTimeout(120_000);

const modes = await workingModes();

let world: RealNode;
let closeResponders = (): void => undefined;

beforeAll(async () => {
  world = realNode();
  const rows = packetStates.flatMap(({ rows }) => parseRows(rows)).filter((row) => canBeSent(row, world));
  closeResponders = await openResponders(rows, world);
});

afterAll(() => {
  closeResponders();
  world[Symbol.dispose]();
});

describe.each(modes)('%s', (name) => {
  test('every row that can be sent', async () => {
    const mode = realMode(name, world);
    const proxy = await NodeProxy.open(mode);
    let count = 0;
    const failing: string[] = [];
    const conntrack = openConntrack({ netns: world.node.netns });
    for (const state of packetStates) {
      await proxy.enter(state);
      // A port that is drawn again would find the last state's flow. Which flows a proxy ends is stale-flows.test.ts.
      conntrack.delete({});
      const rows = rowsFor(state, mode.name).filter((row) => canBeSent(row, world));
      count += rows.length;
      failing.push(...(await failingRealRows(world, rows)).map((line) => `${state.name}: ${line}`));
    }
    conntrack.close();
    await proxy.cleanUp();
    proxy.close();
    expect(failing).toEqual([]);
    expect(count).toBeGreaterThan(400);
  });
});
