// The packet table with real packets, for the modes that a test file gives: every row that this kernel and these namespaces can do. Not
// SCTP, which Node has no sockets for, nor packets of unknown or half-known connections: fakes do those (proxy/packet-table.test.ts).
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openConntrack } from '../../kernel/conntrack/driver.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import { canBeSent, failingRealRows } from './check-real-rows.ts';
import { rowsFor } from './check-rows.ts';
import { NodeProxy } from './node-proxy.ts';
import { parseRows, type TestPacket } from './packet-row.ts';
import { packetStates } from './packet-states.ts';
import { type RealModeName, realMode } from './real-modes.ts';
import { type RealNode, realNode } from './real-node.ts';
import { openResponders } from './real-packet.ts';

/** Declares a test for each mode. */
export function sendEveryRow(modes: readonly RealModeName[]): void {
  if (modes.length === 0) return;
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
      const ipvs = name === 'ipvs' ? openIpvs({ netns: world.node.netns }) : undefined;
      const isDraining = (packet: TestPacket): boolean => {
        const id = { protocol: packet.protocol, address: packet.destination, port: packet.port };
        if (ipvs?.server(id) === undefined) return false;
        return ipvs.realServers(id).every(({ weight }) => weight === 0);
      };
      let count = 0;
      const failing: string[] = [];
      const conntrack = openConntrack({ netns: world.node.netns });
      for (const state of packetStates) {
        await proxy.enter(state);
        // A port that is drawn again would find the last state's flow. Which flows a proxy ends is stale-flows.test.ts.
        conntrack.delete({});
        const rows = rowsFor(state, mode.name).filter((row) => canBeSent(row, world));
        count += rows.length;
        const lines = await failingRealRows(world, { rows, isDraining });
        failing.push(...lines.map((line) => `${state.name}: ${line}`));
      }
      conntrack.close();
      await proxy.cleanUp();
      proxy.close();
      ipvs?.close();
      expect(failing).toEqual([]);
      expect(count).toBeGreaterThan(400);
    });
  });
}
