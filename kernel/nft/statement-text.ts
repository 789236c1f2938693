// The statements with many words as `nft list` prints them: reject, log, limit.
import type { Expression } from './expressions.ts';
import type { NftFamily } from './objects.ts';
import { quoted } from './value-text.ts';

type Of<K extends Expression['kind']> = Extract<Expression, { kind: K }>;

const icmpCodes: Readonly<Partial<Record<number, string>>> = {
  0: 'net-unreachable',
  1: 'host-unreachable',
  2: 'prot-unreachable',
  3: 'port-unreachable',
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
};
const icmpv6Codes: Readonly<Partial<Record<number, string>>> = {
  0: 'no-route',
  1: 'admin-prohibited',
  3: 'addr-unreachable',
  4: 'port-unreachable',
  5: 'policy-fail',
  6: 'reject-route',
};
const icmpxCodes: Readonly<Partial<Record<number, string>>> = {
  0: 'no-route',
  1: 'port-unreachable',
  2: 'host-unreachable',
  3: 'admin-prohibited',
};
const NFPROTO_IPV6 = 10;

/** The default of a family goes without saying. */
export function rejectText(
  e: Of<'reject'>,
  context: { readonly family: NftFamily; readonly network: number | undefined },
): string {
  if (e.type === 'tcp reset') return 'reject with tcp reset';
  if (e.type === 'icmpx') {
    const name = icmpxCodes[e.code] ?? String(e.code);
    return name === 'port-unreachable' ? 'reject' : `reject with icmpx ${name}`;
  }
  const six = context.network === NFPROTO_IPV6;
  const name = (six ? icmpv6Codes : icmpCodes)[e.code] ?? String(e.code);
  const single = context.family === 'ip' || context.family === 'ip6';
  if (single && name === 'port-unreachable') return 'reject';
  return `reject with ${six ? 'icmpv6' : 'icmp'} ${name}`;
}

/** NF_LOG_* */
const logFlags = { 'tcp sequence': 1, 'tcp options': 2, 'ip options': 4, skuid: 8, ether: 32 } as const;
const allLogFlags = 47;

export function logText(e: Of<'log'>): string {
  let text = 'log';
  if (e.prefix !== undefined) text += ` prefix ${quoted(e.prefix)}`;
  if (e.group !== undefined) text += ` group ${e.group}`;
  if (e.snaplen !== undefined) text += ` snaplen ${e.snaplen}`;
  if (e.threshold !== undefined) text += ` queue-threshold ${e.threshold}`;
  if (e.level !== undefined && e.group === undefined) text += ` level ${e.level}`;
  const { flags = 0 } = e;
  if (flags === allLogFlags) return `${text} flags all`;
  if ((flags & 3) === 3) text += ' flags tcp sequence,options';
  for (const [name, bit] of Object.entries(logFlags))
    if ((flags & bit) !== 0 && !(bit <= 2 && (flags & 3) === 3)) text += ` flags ${name}`;
  return text;
}

/** What nft takes when no burst is said. */
const defaultBurst = 5;

export function limitText(e: Of<'limit'>): string {
  const over = e.over ? 'over ' : '';
  if (e.of === 'packets') {
    const burst = e.burst === 0 || e.burst === defaultBurst ? '' : ` burst ${e.burst} packets`;
    return `limit rate ${over}${e.rate}/${e.unit}${burst}`;
  }
  const burst = e.burst === 0 ? '' : ` burst ${bytesText(BigInt(e.burst))}`;
  return `limit rate ${over}${bytesText(e.rate)}/${e.unit}${burst}`;
}

function bytesText(bytes: bigint): string {
  const units = ['bytes', 'kbytes', 'mbytes'];
  let rest = bytes;
  let unit = 0;
  while (unit < units.length - 1 && rest > 0n && rest % 1024n === 0n) {
    rest /= 1024n;
    unit += 1;
  }
  return `${rest} ${units[unit] ?? ''}`;
}
