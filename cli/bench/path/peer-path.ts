// The peer's side of the path's benchmark: the way between the pods as somebody makes it by hand with `ip`, `bridge` and `wg`, and the
// masquerading that a node has; for the udp backend two naive loops.
import { execute } from '../../../kernel/exec.ts';
import { writeSysctl } from '../../../kernel/sysctl.ts';
import type { BenchNetns } from '../bench-netns.ts';
import { isInstalled } from '../bench-netns.ts';
import {
  bridgeLines,
  type HandEnd,
  type HandMade,
  handEnd,
  handNetwork,
  naiveMtu,
  type PathBackend,
  type WireguardByHand,
} from './path-backends.ts';
import { ip, type PathHost, type PathHosts, wirePod } from './path-hosts.ts';
import { type Place, startJob } from './path-process.ts';
import type { PathEnds } from './path-side.ts';

export function peerName({ peer }: PathBackend): string {
  return peer.kind === 'naive-loop' ? 'naive loop' : 'by hand';
}

interface MakePeer extends Omit<Place, 'home'> {
  readonly backend: PathBackend;
  readonly made: AsyncDisposableStack;
}

interface Machine {
  readonly host: PathHost;
  readonly own: HandEnd;
  readonly other: HandEnd;
}

export async function makePeerPath({ first, second }: PathHosts, options: MakePeer): Promise<PathEnds> {
  const ends = [handEnd(1, first.address), handEnd(2, second.address)] as const;
  const machines: readonly Machine[] = [
    { host: first, own: ends[0], other: ends[1] },
    { host: second, own: ends[1], other: ends[0] },
  ];
  const { peer } = options.backend;
  const mtu = peer.kind === 'naive-loop' ? naiveMtu : peer.mtu;
  for (const { host, own } of machines) {
    writeSysctl('net/ipv4/ip_forward', '1', { netns: host.machine.netns });
    await ip(host.machine, bridgeLines(own, mtu));
    await masquerade(host.machine);
  }
  switch (peer.kind) {
    case 'hand':
      await makeByHand(machines, peer);
      break;
    case 'wireguard':
      await makeWireguard(machines, peer);
      break;
    case 'naive-loop':
      await startNaiveLoops(machines, options);
      break;
    default:
      peer satisfies never;
  }
  const [from, to] = [
    await wirePod(first, { subnet: ends[0].subnet, mtu }),
    await wirePod(second, { subnet: ends[1].subnet, mtu }),
  ];
  return { from, to };
}

/** What flannel's documentation asks of a node in one rule. Without it packets would not be tracked, which costs. */
async function masquerade({ netns }: BenchNetns): Promise<void> {
  if (!(await isInstalled('nft'))) return;
  const rule = `ip saddr ${handNetwork} ip daddr != ${handNetwork} masquerade`;
  await execute(['nft', '-f', '-'], {
    netns,
    input: `table ip hand { chain postrouting { type nat hook postrouting priority srcnat; ${rule}; }; }\n`,
  });
}

async function makeByHand(machines: readonly Machine[], hand: HandMade): Promise<void> {
  for (const { host, own, other } of machines) {
    await ip(host.machine, hand.ip(own, other));
    const rows = hand.bridge?.(own, other) ?? [];
    if (rows.length === 0) continue;
    await execute(['bridge', '-batch', '-'], { netns: host.machine.netns, input: `${rows.join('\n')}\n` });
  }
}

const wireguardPort = 51_820;

async function makeWireguard(machines: readonly Machine[], { mtu }: WireguardByHand): Promise<void> {
  const keys = new Map<number, { readonly secret: string; readonly open: string }>();
  for (const { own } of machines) {
    const { stdout: secret } = await execute(['wg', 'genkey']);
    const { stdout: open } = await execute(['wg', 'pubkey'], { input: secret });
    keys.set(own.number, { secret, open: open.trim() });
  }
  for (const { host, own, other } of machines) {
    const device = 'wg-hand';
    await ip(host.machine, [
      `link add ${device} mtu ${mtu} type wireguard`,
      `addr add ${own.subnet.first()}/32 dev ${device}`,
    ]);
    const set = ['wg', 'set', device, 'listen-port', `${wireguardPort}`, 'private-key', '/dev/stdin'];
    const peer = [
      'peer',
      keys.get(other.number)?.open ?? '',
      'endpoint',
      `${other.address}:${wireguardPort}`,
      'allowed-ips',
      `${other.subnet}`,
    ];
    const [program = '', ...args] = [...set, ...peer];
    await execute([program, ...args], {
      netns: host.machine.netns,
      input: keys.get(own.number)?.secret ?? '',
    });
    await ip(host.machine, [`link set ${device} up`, `route add ${other.subnet} dev ${device}`]);
  }
}

async function startNaiveLoops(machines: readonly Machine[], { made, ...place }: MakePeer): Promise<void> {
  const device = 'naive0';
  for (const { host, own, other } of machines) {
    made.use(
      await startJob(
        { do: 'naive-loop', device, own: own.address, peer: other.address },
        { ...place, home: host.machine },
      ),
    );
    await ip(host.machine, [
      `link set ${device} mtu ${naiveMtu} up`,
      `addr add ${own.subnet.first()}/32 dev ${device}`,
      `route add ${handNetwork} dev ${device}`,
    ]);
  }
}
