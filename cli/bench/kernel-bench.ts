// `netloom bench kernel`: what a node's agent asks of rtnetlink, by our driver and by iproute2's batch mode, in one run.
import { execute } from '../../kernel/exec.ts';
import { createNetns, Netns, removeNetns } from '../../kernel/netns.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import type { Link } from '../../kernel/route/objects.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Bench, BenchOptions, BenchRow } from './bench.ts';
import { type BenchNetns, isInstalled, openBenchNetns } from './bench-netns.ts';
import { comparePaired } from './paired.ts';
import {
  addFiles,
  addSteps,
  deleteFiles,
  deleteSteps,
  makeUnderlay,
  makeVxlanDevice,
  runFiles,
  vxlanDevice,
  vxlanPeer,
} from './vxlan-peers.ts';

const bridge = 'cni0';
const peerName = 'ip -batch';

async function peerCases(
  home: BenchNetns,
  options: BenchOptions & { readonly withPeer: boolean },
): Promise<readonly BenchRow[]> {
  const { netns } = home;
  const driver = openRouteDriver({ netns });
  try {
    makeUnderlay(driver);
    makeVxlanDevice(driver);
    applyAll(driver, [{ kind: 'link-add', link: { name: bridge, detail: { kind: 'bridge' }, up: true } }]);
    const all = Array.from({ length: options.size }, (_, i) => vxlanPeer(i));
    const one = [vxlanPeer(options.size)];
    const theirs = <T>(contender: T) => (options.withPeer ? { ...contender, name: peerName } : undefined);
    const add = { steps: addSteps(all), files: addFiles(all) };
    const remove = { steps: deleteSteps(all), files: deleteFiles(all) };
    const many = `${options.size} peers (route + neighbour + FDB row)`;
    const clear = () => applyAll(driver, remove.steps);
    const fill = () => applyAll(driver, add.steps);
    const rows: BenchRow[] = [];
    const measure = async (item: Parameters<typeof comparePaired>[0]) => {
      options.progress(item.case);
      rows.push(await comparePaired(item, options));
    };

    await measure({
      case: `${many}: add`,
      ours: { run: fill, after: clear },
      peer: theirs({ run: () => runFiles(netns, add.files), after: clear }),
    });
    fill();
    await measure({
      case: `${many}: read back`,
      ours: {
        run: () => {
          const { routes } = driver.read();
          if (routes.size < options.size)
            throw new RangeError(`read ${routes.size} routes of ${options.size}`);
        },
      },
      peer: theirs({
        run: async () => {
          await execute(['ip', 'route', 'show', 'proto', '78'], { netns });
          await execute(['ip', 'neigh', 'show', 'dev', vxlanDevice], { netns });
          await execute(['bridge', 'fdb', 'show', 'dev', vxlanDevice], { netns });
        },
      }),
    });
    await measure({
      case: `${many}: remove`,
      ours: { run: clear, after: fill },
      peer: theirs({ run: () => runFiles(netns, remove.files), after: fill }),
    });
    await measure({
      case: `one peer more beside ${options.size}`,
      ours: { run: () => applyAll(driver, addSteps(one)), after: () => applyAll(driver, deleteSteps(one)) },
      peer: theirs({
        run: () => runFiles(netns, addFiles(one)),
        after: () => applyAll(driver, deleteSteps(one)),
      }),
    });
    return rows;
  } finally {
    driver.close();
  }
}

/** A pod: a namespace with eth0 on the node's bridge, an address and a default route. The namespace itself is not timed. */
async function podCase(
  home: BenchNetns,
  options: BenchOptions & { readonly withPeer: boolean },
): Promise<BenchRow> {
  const driver = openRouteDriver({ netns: home.netns });
  const pods = 20;
  const names = Array.from({ length: pods }, (_, i) => `${home.name}-pod${i}`);
  const pathOf = (name: string) => `/run/netns/${name}`;
  const prepare = () => {
    for (const name of names) createNetns(pathOf(name));
  };
  const after = () => {
    applyAll(
      driver,
      names.map((_, i) => ({ kind: 'link-delete', link: { name: `veth${i}`, detail: { kind: 'veth' } } })),
    );
    for (const name of names) removeNetns(pathOf(name));
  };
  options.progress('one pod wired');
  try {
    return await comparePaired(
      {
        case: 'one pod wired (veth, bridge port, address, default route)',
        per: pods,
        ours: {
          prepare,
          run: () => {
            for (const [i, name] of names.entries()) wirePod(driver, { path: pathOf(name), number: i });
          },
          after,
        },
        peer: options.withPeer
          ? {
              name: '2 x ip -batch',
              prepare,
              run: async () => {
                for (const [i, name] of names.entries()) await wirePodByIp(home, { name, number: i });
              },
              after,
            }
          : undefined,
      },
      options,
    );
  } finally {
    for (const name of names) removeNetns(pathOf(name));
    driver.close();
  }
}

interface Pod {
  readonly number: number;
}

const gateway = IpAddress.parse('10.244.1.1');

function wirePod(driver: RouteAccess, pod: Pod & { readonly path: string }): void {
  using netns = Netns.open(pod.path);
  const host = `veth${pod.number}`;
  const mac = Mac.local(Uint8Array.from([2, 1, 0, 0, 0, pod.number]));
  const peerMac = Mac.local(Uint8Array.from([2, 2, 0, 0, 0, pod.number]));
  applyAll(driver, [
    {
      kind: 'link-add',
      link: {
        name: host,
        detail: { kind: 'veth', peer: { name: 'eth0', mac: peerMac, mtu: 1450, netns } },
        mac,
        mtu: 1450,
        master: bridge,
        up: true,
      },
    },
    { kind: 'port-set', port: { link: host, hairpin: true } },
  ]);
  const inside = openRouteDriver({ netns });
  try {
    const link = (name: string): Link => ({ name, detail: { kind: 'veth' }, up: true });
    applyAll(inside, [
      { kind: 'link-set', link: link('lo'), was: { ...link('lo'), up: false } },
      { kind: 'link-set', link: link('eth0'), was: { ...link('eth0'), up: false } },
      {
        kind: 'address-add',
        address: { link: 'eth0', prefix: new Prefix(gateway.plus(pod.number + 1), 24), scope: 'global' },
      },
      {
        kind: 'route-set',
        route: {
          destination: Prefix.parse('0.0.0.0/0'),
          table: 254,
          priority: 0,
          protocol: 3,
          type: 'unicast',
          scope: 'global',
          hops: [{ gateway, link: 'eth0' }],
        },
      },
    ]);
  } finally {
    inside.close();
  }
}

async function wirePodByIp(home: BenchNetns, pod: Pod & { readonly name: string }): Promise<void> {
  const host = `veth${pod.number}`;
  const input = [
    `link add ${host} mtu 1450 type veth peer name eth0 mtu 1450 netns ${pod.name}`,
    `link set ${host} master ${bridge} up`,
    `link set ${host} type bridge_slave hairpin on`,
  ];
  const inside = [
    'link set lo up',
    'link set eth0 up',
    `addr add ${gateway.plus(pod.number + 1)}/24 dev eth0`,
    `route add default via ${gateway}`,
  ];
  await execute(['ip', '-n', home.name, '-batch', '-'], { input: `${input.join('\n')}\n` });
  await execute(['ip', '-n', pod.name, '-batch', '-'], { input: `${inside.join('\n')}\n` });
}

export const kernelBench: Bench = {
  name: 'kernel',
  summary: 'routes, neighbours and FDB rows added, read and removed; a pod wired; beside ip -batch',
  async run(options) {
    const withPeer = (await isInstalled('ip')) && (await isInstalled('bridge'));
    await using home = openBenchNetns();
    const peers = await peerCases(home, { ...options, withPeer });
    return [...peers, await podCase(home, { ...options, withPeer })];
  },
};
