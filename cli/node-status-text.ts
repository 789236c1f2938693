// The answer of an agent's /status (agent/status.ts) as text for people: lease, peers, pods, objects, repairs, problems. Pure.
import { z } from 'zod';
import { followedShape, followedText } from './followed-text.ts';

const subnets = { subnet: z.string().optional(), subnet6: z.string().optional() };
const publicIps = { publicIp: z.string().nullable(), publicIp6: z.string().nullish() };
const counts = z.record(z.string(), z.number());
const udpDirection = z.looseObject({ packets: z.number(), dropped: counts });

/** What the text is made of; --json passes on all that the agent said. */
export const nodeStatusShape = z.looseObject({
  node: z.string(),
  ready: z.boolean(),
  blockers: z.array(z.string()),
  lease: z
    .looseObject({
      ...subnets,
      ...publicIps,
      backend: z.string(),
      expiresAt: z.string().nullable(),
    })
    .nullable(),
  /** Absent in the answers of older agents. */
  store: followedShape.nullish(),
  /** What backend udp carried; absent in the answers of older agents, null as long as it carried nothing. */
  udp: z.looseObject({ sent: udpDirection, received: udpDirection }).nullish(),
  underlay: z.looseObject({ interface: z.string(), mtu: z.number() }).nullable(),
  mtu: z.number().nullable(),
  peers: z.array(
    z.looseObject({
      node: z.string(),
      ...subnets,
      ...publicIps,
      path: z.string(),
      programmed: z.boolean(),
      reason: z.string().nullable(),
      tunnels: z
        .array(z.looseObject({ endpoint: z.string().nullable(), lastHandshake: z.string().nullable() }))
        .optional(),
    }),
  ),
  /** Absent as long as the agent wires no pods. */
  pods: z
    .array(
      z.looseObject({ name: z.string(), addresses: z.array(z.string()), interface: z.string().optional() }),
    )
    .optional(),
  objects: counts,
  repaired: counts,
  problems: z.array(z.looseObject({ object: z.string(), message: z.string() })),
});

export type NodeStatus = z.infer<typeof nodeStatusShape>;

export function nodeStatusText(status: NodeStatus): readonly string[] {
  const { lease, underlay, peers, pods, problems } = status;
  return [
    `node      ${status.node}  ${status.ready ? 'ready' : `not ready: ${status.blockers.join('; ')}`}`,
    `lease     ${lease === null ? 'none' : leaseText(lease)}`,
    ...(status.store == null ? [] : [`store     ${followedText(status.store)}`]),
    `underlay  ${underlay === null ? 'none' : `${underlay.interface}, MTU ${underlay.mtu}; pods ${status.mtu ?? '-'}`}`,
    ...(status.udp == null
      ? []
      : [`udp       ${udpText('sent', status.udp.sent)}; ${udpText('received', status.udp.received)}`]),
    `objects   ${countText(status.objects)}`,
    `repaired  ${countText(status.repaired)}`,
    ...section(`peers     ${peers.length}`, peers.map(peerCells)),
    ...(pods === undefined
      ? []
      : section(
          `pods      ${pods.length}`,
          pods.map((pod) => [pod.name, pod.addresses.join(', '), pod.interface ?? '']),
        )),
    ...section(
      `problems  ${problems.length === 0 ? 'none' : problems.length}`,
      problems.map((one) => [one.object, one.message]),
    ),
  ];
}

function subnetText({
  subnet,
  subnet6,
}: NodeStatus['peers'][number] | NonNullable<NodeStatus['lease']>): string {
  return [subnet, subnet6].filter((text) => text !== undefined).join(', ');
}

/** Undefined: none. */
function addressText({
  publicIp,
  publicIp6,
}: NodeStatus['peers'][number] | NonNullable<NodeStatus['lease']>): string | undefined {
  const all = [publicIp, publicIp6].filter((text) => text != null);
  return all.length === 0 ? undefined : all.join(', ');
}

function leaseText(lease: NonNullable<NodeStatus['lease']>): string {
  const address = addressText(lease);
  const by = address === undefined ? '' : ` by ${address}`;
  const until = lease.expiresAt === null ? '' : `, until ${lease.expiresAt}`;
  return `${subnetText(lease)} (${lease.backend}${by}${until})`;
}

function peerCells(peer: NodeStatus['peers'][number]): readonly string[] {
  const state = peer.programmed
    ? ['programmed', ...tunnelTexts(peer)].join(', ')
    : `not programmed: ${peer.reason ?? 'not yet'}`;
  return [peer.node, subnetText(peer), addressText(peer) ?? '-', peer.path, state];
}

function tunnelTexts({ tunnels = [] }: NodeStatus['peers'][number]): readonly string[] {
  return tunnels.map(({ endpoint, lastHandshake }) =>
    lastHandshake === null
      ? `sought at ${endpoint ?? 'no address'}`
      : `heard at ${endpoint ?? 'no address'}, handshake ${lastHandshake}`,
  );
}

/** Kinds in the order of the agent, those with none left out. */
function countText(counted: Readonly<Record<string, number>>): string {
  const some = Object.entries(counted).filter(([, count]) => count > 0);
  return some.length === 0 ? 'none' : some.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** "sent 12 packets, dropped 1 no-peer". */
function udpText(verb: string, { packets, dropped }: NonNullable<NodeStatus['udp']>['sent']): string {
  const drops = countText(dropped);
  return `${verb} ${packets} packets${drops === 'none' ? '' : `, dropped ${drops}`}`;
}

function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<readonly number[]>(
    (known, row) => row.map((cell, i) => Math.max(known[i] ?? 0, cell.length)),
    [],
  );
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return [title, ...rows.map(line)];
}
