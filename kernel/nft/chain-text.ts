// The first line of a base chain as `nft list` prints it: type, hook, priority by name, policy.
import type { ChainBase, Hook, NftFamily } from './objects.ts';

interface Named {
  readonly name: string;
  readonly priority: number;
  /** Absent: at all hooks. */
  readonly hook?: Hook;
}

/** NF_IP_PRI_* in the order that nft tries them. */
const inetPriorities: readonly Named[] = [
  { name: 'raw', priority: -300 },
  { name: 'mangle', priority: -150 },
  { name: 'dstnat', priority: -100, hook: 'prerouting' },
  { name: 'filter', priority: 0 },
  { name: 'security', priority: 50 },
  { name: 'srcnat', priority: 100, hook: 'postrouting' },
];

/** NF_BR_PRI_* */
const bridgePriorities: readonly Named[] = [
  { name: 'dstnat', priority: -300, hook: 'prerouting' },
  { name: 'filter', priority: -200 },
  { name: 'out', priority: 100, hook: 'output' },
  { name: 'srcnat', priority: 300, hook: 'postrouting' },
];

const otherPriorities: readonly Named[] = [{ name: 'filter', priority: 0 }];

/** nft names a priority by the nearest name within this distance. */
const reach = 10;

function prioritiesOf(family: NftFamily): readonly Named[] {
  if (family === 'bridge') return bridgePriorities;
  return family === 'arp' || family === 'netdev' ? otherPriorities : inetPriorities;
}

export function priorityText(
  family: NftFamily,
  base: { readonly hook: Hook; readonly priority: number },
): string {
  for (const { name, priority, hook } of prioritiesOf(family)) {
    const offset = base.priority - priority;
    if ((hook !== undefined && hook !== base.hook) || Math.abs(offset) > reach) continue;
    if (offset === 0) return name;
    return `${name} ${offset > 0 ? '+' : '-'} ${Math.abs(offset)}`;
  }
  return String(base.priority);
}

export function chainBaseText(family: NftFamily, base: ChainBase): string {
  const priority = priorityText(family, base);
  return `type ${base.type} hook ${base.hook}${deviceText(base.devices)} priority ${priority}; policy ${base.policy};`;
}

function deviceText(devices: readonly string[] | undefined): string {
  const [only] = devices ?? [];
  if (devices === undefined || only === undefined) return '';
  return devices.length === 1
    ? ` device "${only}"`
    : ` devices = { ${devices.map((name) => `"${name}"`).join(', ')} }`;
}
