// What an operator may choose in IPVS mode, on the real kernel: every scheduler serves, timeouts and sysctls are set, excluded networks stay
// untouched, what the kernel does not have is refused by name.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import type { IpvsAccess, VirtualServer } from '../../kernel/ipvs/objects.ts';
import { hasScheduler, schedulerChoices } from '../../kernel/ipvs/schedulers.ts';
import { readSysctl } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { defaultIpvsChoices, type IpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { openIpvsMode } from '../../proxy/ipvs/open-ipvs-mode.ts';
import { refuseRoot } from '../sandbox.ts';
import { NodeProxy } from './node-proxy.ts';
import { parseRows } from './packet-row.ts';
import { together } from './packet-state.ts';
import { ipvsFault, realMode } from './real-modes.ts';
import { type RealNode, realNode } from './real-node.ts';
import { openResponders } from './real-packet.ts';
import { askOnce } from './traffic.ts';

refuseRoot();
// In a virtual machine.
jest.setTimeout(900_000);

const fault = ipvsFault();
const here = fault === undefined ? test : test.skip;
const why = fault === undefined ? '' : ` (${fault})`;

let world: RealNode;
let ipvs: IpvsAccess;
let closeResponders = (): void => undefined;

beforeAll(async () => {
  if (fault !== undefined) return;
  world = realNode();
  ipvs = openIpvs({ netns: world.node.netns });
  const endpoints = parseRows('pod 10.180.0.5 tcp 10.180.0.1:8080 -> 10.180.0.1:8080, 10.180.1.1:8080');
  closeResponders = await openResponders(endpoints, world);
});

afterAll(() => {
  if (fault !== undefined) return;
  closeResponders();
  ipvs.close();
  world[Symbol.dispose]();
});

const manifests = together(
  `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec: { clusterIP: 172.30.0.41, ports: [{ port: 80 }] }`,
  `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports: [{ port: 8080 }]
endpoints: [{ addresses: [10.180.0.1] }, { addresses: [10.180.1.1] }]`,
);

async function withChoices(choices: Partial<IpvsChoices>, action: (proxy: NodeProxy) => Promise<void>) {
  const { netns } = world.node;
  const proxy = await NodeProxy.open({
    ...realMode('ipvs', world),
    open: (family) =>
      openIpvsMode({ family, netns, variant: 'nft', choices: { ...defaultIpvsChoices, ...choices } }),
  });
  try {
    await proxy.enter({ manifests });
    await action(proxy);
  } finally {
    await proxy.cleanUp();
    proxy.close();
  }
}

here(`every scheduler that may be chosen serves, or is refused by the name of its module${why}`, async () => {
  const missing = schedulerChoices.filter((name) => !hasScheduler(ipvs, name));
  expect(schedulerChoices.length - missing.length).toBeGreaterThan(10);
  for (const name of missing)
    await expect(withChoices({ scheduler: name }, async () => undefined)).rejects.toThrow(
      `this kernel has no scheduler "${name}" (module ip_vs_${name} is missing)`,
    );
  for (const scheduler of schedulerChoices.filter((name) => !missing.includes(name))) {
    await withChoices({ scheduler }, async (proxy) => {
      const [server] = ipvs.servers(4);
      const answer = await askOnce(world, 'pod 10.180.0.5 tcp 172.30.0.41:80');
      expect({ scheduler: server?.scheduler, hashesPort: server?.hashesPort, answer }).toEqual({
        scheduler,
        hashesPort: scheduler === 'mh',
        answer: expect.stringMatching(/^10\.180\.[01]\.1:8080$/),
      });
      for (const { changes } of await proxy.again('all')) expect(changes).toBe(0);
    });
  }
});

here(`a running proxy's scheduler is changed by the next one${why}`, async () => {
  await withChoices({ scheduler: 'rr' }, async (proxy) => {
    const { netns } = world.node;
    await proxy.restart({
      ...realMode('ipvs', world),
      open: (family) =>
        openIpvsMode({ family, netns, variant: 'nft', choices: { ...defaultIpvsChoices, scheduler: 'lc' } }),
    });
    expect(ipvs.servers(4).map(({ scheduler }) => scheduler)).toEqual(['lc']);
  });
});

here(`timeouts and sysctls${why}`, async () => {
  const before = ipvs.timeouts();
  await withChoices({ strictArp: true, timeouts: { tcp: 1234, tcpFin: 0, udp: 56 } }, async () => {
    expect(ipvs.timeouts()).toEqual({ tcp: 1234, tcpFin: before.tcpFin, udp: 56 });
    const { netns } = world.node;
    const values = [
      'net/ipv4/vs/conntrack',
      'net/ipv4/vs/expire_nodest_conn',
      'net/ipv4/vs/expire_quiescent_template',
      'net/ipv4/ip_forward',
      'net/ipv4/conf/all/arp_ignore',
      'net/ipv4/conf/all/arp_announce',
    ].map((key) => readSysctl(key, { netns }));
    expect(values).toEqual(['1', '1', '1', '1', '1', '2']);
  });
});

here(`what is in excluded networks is left alone, other strangers go${why}`, async () => {
  const stranger = (address: string): VirtualServer => ({
    protocol: 'tcp',
    address: IpAddress.parse(address),
    port: 443,
    scheduler: 'rr',
    persistentSeconds: undefined,
    hashesPort: false,
  });
  const [kept, goes] = [stranger('198.51.100.7'), stranger('203.0.113.7')];
  ipvs.apply([kept, goes].map((server) => ({ kind: 'server-add', server })));
  await withChoices({ excludePrefixes: [Prefix.parse('198.51.100.0/24')] }, async () => {
    expect(
      ipvs
        .servers(4)
        .map(({ address }) => String(address))
        .sort(),
    ).toEqual(['172.30.0.41', '198.51.100.7']);
  });
  expect(ipvs.servers(4).map(({ address }) => String(address))).toEqual(['198.51.100.7']);
  ipvs.apply([{ kind: 'server-delete', server: kept }]);
});

here(`a scheduler that there is not is refused by its name${why}`, async () => {
  await expect(withChoices({ scheduler: 'fastest' }, async () => undefined)).rejects.toThrow(
    /no scheduler "fastest": it is one of rr, wrr/,
  );
  await expect(withChoices({ scheduler: 'ovf' }, async () => undefined)).rejects.toThrow(
    /"ovf" does not serve here/,
  );
});
