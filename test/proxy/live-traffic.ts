// Services under real traffic, in the modes that a test file gives: clients that come again, fair shares, endpoints and modes that change under
// connections, and rules that somebody else took away. What becomes of single packets is send-every-row.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NodeProxy } from './node-proxy.ts';
import { parseRows } from './packet-row.ts';
import { together } from './packet-state.ts';
import { realHarms } from './real-harms.ts';
import { type RealModeName, realMode } from './real-modes.ts';
import { type RealNode, realNode } from './real-node.ts';
import { openResponders } from './real-packet.ts';
import { askMany, askMeanwhile, askOnce, chiSquare, echoMeanwhile, openEcho } from './traffic.ts';

const echoPort = 7000;

let world: RealNode;
const closing: (() => void)[] = [];

/** Service ns1/svc1 by every way in, with endpoints here and elsewhere; `spec`: more lines. */
function manifests(endpoints: readonly string[], spec = '', port = 8080): string {
  return together(
    `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: LoadBalancer
  clusterIP: 172.30.0.41
  clusterIPs: [172.30.0.41, "fd00:172:30::41"]
  ipFamilies: [IPv4, IPv6]
  externalIPs: [198.51.100.41]
  ports: [{ name: http, port: 80, nodePort: 30080 }]
${spec}
status: { loadBalancer: { ingress: [{ ip: 198.51.100.80 }] } }`,
    `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [${endpoints.map((one) => `{ addresses: [${one}] }`).join(', ')}]`,
    `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-v6v6v, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv6
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: ["fd00:10:180::1"] }, { addresses: ["fd00:10:180:1::1"] }]`,
  );
}

const affine = (seconds: number): string =>
  `  sessionAffinity: ClientIP\n  sessionAffinityConfig: { clientIP: { timeoutSeconds: ${seconds} } }`;

/** 24 of them: that all are drawn to one of two endpoints by chance happens once in eight million times. */
const clients = Array.from({ length: 24 }, (_, i) => `outside 203.0.113.${10 + i}`);

const asking = (way: string): readonly string[] => clients.map((client) => `${client} tcp ${way}`);

async function withProxy(name: RealModeName, action: (proxy: NodeProxy) => Promise<void>): Promise<void> {
  const proxy = await NodeProxy.open(realMode(name, world));
  try {
    await action(proxy);
  } finally {
    await proxy.cleanUp();
    proxy.close();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await sleep(20);
  expect(holds()).toBe(true);
}

export interface LiveTraffic {
  /** Each is tried. */
  readonly modes: readonly RealModeName[];
  /** Change into one another. */
  readonly turns: readonly RealModeName[];
}

/** Declares tests for each mode, and one of their changes. */
export function liveTraffic({ modes, turns }: LiveTraffic): void {
  beforeAll(async () => {
    world = realNode();
    const endpoints = parseRows(`
    pod 10.180.0.5 tcp 10.180.0.1:8080 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.0.3:8080, 10.180.1.1:8080
    pod fd00:10:180::5 tcp [fd00:10:180::1]:8080 -> [fd00:10:180::1]:8080, [fd00:10:180:1::1]:8080
  `);
    closing.push(await openResponders(endpoints, world));
    const [first] = world.pods;
    if (first !== undefined) closing.push(await openEcho(first.netns, echoPort));
  });

  afterAll(() => {
    for (const close of closing) close();
    world[Symbol.dispose]();
  });

  describe.each(modes)('%s', (name) => {
    test('a client comes to the same endpoint again, by whatever way', async () => {
      await withProxy(name, async (proxy) => {
        await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.1.1'], affine(60)) });
        const first = await askMany(world, asking('192.168.0.2:30080'));
        expect(new Set(first)).toEqual(new Set(['10.180.0.1:8080', '10.180.1.1:8080']));
        for (const way of ['192.168.0.2:30080', '198.51.100.80:80', '198.51.100.41:80', '172.30.0.41:80']) {
          // Virtual servers remember their clients each for themselves.
          const before = name === 'ipvs' ? await askMany(world, asking(way)) : first;
          expect(await askMany(world, asking(way))).toEqual(before);
        }
      });
    });

    // IPVS counts from the end of what it remembers of the connections, minutes after theirs: ipvs-traffic.test.ts.
    const forgetting = name === 'ipvs' ? test.skip : test;
    forgetting('a client is forgotten after the timeout, which each connection begins anew', async () => {
      await withProxy(name, async (proxy) => {
        await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.1.1'], affine(2)) });
        const ask = () => askMany(world, asking('192.168.0.2:30080'));
        const first = await ask();
        let last = performance.now();
        for (let i = 0; i < 2; i++) {
          await sleep(1100);
          const again = await ask();
          // Unless this machine stood still meanwhile.
          if (performance.now() - last < 2000) expect(again).toEqual(first);
          last = performance.now();
        }
        await sleep(2500);
        expect(await ask()).not.toEqual(first);
      });
    });

    test('a client whose endpoint went comes to another one', async () => {
      await withProxy(name, async (proxy) => {
        await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.1.1'], affine(60)) });
        const first = await askMany(world, asking('192.168.0.2:30080'));
        await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.0.2'], affine(60)) });
        const second = await askMany(world, asking('192.168.0.2:30080'));
        for (const [i, before] of first.entries())
          if (before === '10.180.0.1:8080') expect(second[i]).toBe(before);
        expect(second).not.toContain('10.180.1.1:8080');
        expect(await askMany(world, asking('192.168.0.2:30080'))).toEqual(second);
      });
    });

    test('endpoints have equal shares', async () => {
      await withProxy(name, async (proxy) => {
        const endpoints = ['10.180.0.1', '10.180.0.2', '10.180.0.3', '10.180.1.1'];
        await proxy.enter({ manifests: manifests(endpoints) });
        const asked = Array.from({ length: 600 }, () => 'pod 10.180.0.5 tcp 172.30.0.41:80');
        const answers = await askMany(world, asked);
        const counts = endpoints.map((one) => answers.filter((answer) => answer === `${one}:8080`).length);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(asked.length);
        expect(chiSquare(counts)).toBeLessThan(33);
      });
    });

    test('endpoints are replaced without a failed connection', async () => {
      await withProxy(name, async (proxy) => {
        const pairs = [
          ['10.180.0.1', '10.180.0.2'],
          ['10.180.0.2', '10.180.0.3'],
          ['10.180.0.3'],
          ['10.180.0.3', '10.180.1.1', '10.180.0.1'],
        ];
        await proxy.enter({ manifests: manifests(['10.180.0.1']) });
        const answers = await askMeanwhile(world, 'pod 10.180.0.5 tcp 172.30.0.41:80', async () => {
          for (let i = 0; i < 10; i++) {
            for (const pair of pairs) {
              await proxy.enter({ manifests: manifests(pair) });
              // Sometimes a change meets a connection that begins, sometimes it follows the one before at once.
              if (i % 2 === 0) await sleep(10);
            }
          }
        });
        expect(answers.filter((one) => !/^10\.180\.[01]\.[123]:8080$/.test(one))).toEqual([]);
        expect(new Set(answers).size).toBeGreaterThan(1);
      });
    });

    test('rules that others took away come back', async () => {
      await withProxy(name, async (proxy) => {
        await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.1.1']) });
        for (const { what, run, isSeen } of realHarms(name, world.node.netns)) {
          run();
          // What notifications tell may take a moment.
          if (isSeen) await until(() => proxy.modes.some((mode) => mode.changed()));
          await proxy.again('all');
          const answers = await askMany(world, [
            'pod 10.180.0.5 tcp 172.30.0.41:80',
            'outside 203.0.113.2 tcp 192.168.0.2:30080',
            'node 192.168.0.2 tcp 172.30.0.41:80',
            'pod fd00:10:180::5 tcp [fd00:172:30::41]:80',
          ]);
          expect({ what, wrong: answers.filter((one) => !one.endsWith(':8080')) }).toEqual({
            what,
            wrong: [],
          });
          for (const { changes } of await proxy.again('all')) expect(changes).toBe(0);
        }
      });
    });
  });

  test('a connection lasts and no new one fails while modes take turns', async () => {
    const [before, after] = turns;
    if (before === undefined || after === undefined)
      throw new Error('Cannot change modes: only one works here');
    await withProxy(before, async (proxy) => {
      await proxy.enter({ manifests: manifests(['10.180.0.1'], '', echoPort) });
      const switching = async (): Promise<void> => {
        for (const name of [...turns.slice(1), ...turns]) {
          await sleep(100);
          await proxy.restart(realMode(name, world));
        }
        await sleep(100);
      };
      const to = { from: world.clients.netns, address: '192.168.0.2', port: 30080 };
      const all = (during: () => Promise<void>) => echoMeanwhile(to, during);
      let fresh: readonly string[] = [];
      const { sent, received, error } = await all(async () => {
        fresh = await askMeanwhile(world, 'pod fd00:10:180::5 tcp [fd00:172:30::41]:80', switching);
      });
      expect(error).toBeUndefined();
      expect(sent).toBeGreaterThan(4096);
      expect(received).toBe(sent);
      expect(fresh.filter((one) => !one.endsWith(']:8080'))).toEqual([]);
      expect(fresh.length).toBeGreaterThan(10);
      expect(await askOnce(world, 'pod fd00:10:180::5 tcp [fd00:172:30::41]:80')).toMatch(/:8080$/);
    });
  });
}
