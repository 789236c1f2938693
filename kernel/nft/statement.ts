// The statements of rules, by the names that nft gives them. Matches come from the selectors in fields.ts.
import type { IpAddress } from '../../net/address.ts';
import { fieldBytes, keyLength } from './datatype.ts';
import type { Expression, LimitUnit, LogLevel, NatFlag } from './expressions.ts';
import { addressType } from './fields.ts';
import type { Selector, Statement } from './selector.ts';
import type { Verdict } from './verdict.ts';

export interface NatOptions {
  readonly random?: boolean;
  readonly fullyRandom?: boolean;
  readonly persistent?: boolean;
}

/** Flags in the order of their numbers. */
function natFlags(options: NatOptions): readonly NatFlag[] {
  const flags: NatFlag[] = [];
  if (options.random === true) flags.push('random');
  if (options.persistent === true) flags.push('persistent');
  if (options.fullyRandom === true) flags.push('fully-random');
  return flags;
}

export function masquerade(options: NatOptions = {}): Statement {
  return [{ kind: 'masquerade', flags: natFlags(options) }];
}

/**
 * A new destination: an address with or without a port, a port alone (`family` needed), or what a map has for the packet
 * (address, or address and port).
 */
export function dnat(to: NatTarget, options?: NatOptions): Statement {
  return nat('dnat', to, options);
}

export function snat(to: NatTarget, options?: NatOptions): Statement {
  return nat('snat', to, options);
}

export type NatTarget =
  | { readonly address: IpAddress; readonly port?: number }
  | { readonly port: number; readonly family: 4 | 6 }
  | { readonly by: Selector };

function nat(type: 'snat' | 'dnat', target: NatTarget, options: NatOptions = {}): Statement {
  const flags = natFlags(options);
  if ('by' in target) return natBy(type, { by: target.by, flags });
  if ('address' in target) {
    const { address, port } = target;
    const value = fieldBytes(addressType(address.family), address);
    const load: Expression[] = [{ kind: 'immediate', to: 0, value }];
    // As nft numbers registers: the port follows in the next 16-byte one.
    if (port !== undefined) load.push({ kind: 'immediate', to: 4, value: fieldBytes('inet_service', port) });
    const ports = port === undefined ? {} : { portMin: 4 };
    return [...load, { kind: 'nat', type, family: address.family, addressMin: 0, ...ports, flags }];
  }
  return [
    { kind: 'immediate', to: 0, value: fieldBytes('inet_service', target.port) },
    { kind: 'nat', type, family: target.family, portMin: 0, flags },
  ];
}

function natBy(
  type: 'snat' | 'dnat',
  { by, flags }: { readonly by: Selector; readonly flags: readonly NatFlag[] },
): Statement {
  const [address, port] = by.types;
  if ((address !== 'ipv4_addr' && address !== 'ipv6_addr') || (port !== undefined && port !== 'inet_service'))
    throw new TypeError(
      `Cannot ${type} to a map of ${by.types.join(' . ')}: want an address, or address . inet_service`,
    );
  const family = address === 'ipv4_addr' ? 4 : 6;
  const ports = port === undefined ? {} : { portMin: family === 4 ? 1 : 4 };
  return [...by.load(0), { kind: 'nat', type, family, addressMin: 0, ...ports, flags }];
}

/** To the machine itself, on another port. */
export function redirect(options: NatOptions & { readonly port?: number } = {}): Statement {
  const flags = natFlags(options);
  if (options.port === undefined) return [{ kind: 'redirect', flags }];
  return [
    { kind: 'immediate', to: 0, value: fieldBytes('inet_service', options.port) },
    { kind: 'redirect', portMin: 0, flags },
  ];
}

/** The verdict as a statement: `verdictStatement(verdict.jump('services'))`. */
export function verdictStatement(verdict: Verdict): Statement {
  return [{ kind: 'verdict', verdict }];
}

export const accept: Statement = verdictStatement({ kind: 'accept' });
export const drop: Statement = verdictStatement({ kind: 'drop' });
export const returnStatement: Statement = verdictStatement({ kind: 'return' });
export const notrack: Statement = [{ kind: 'notrack' }];

export function jump(chain: string): Statement {
  return verdictStatement({ kind: 'jump', chain });
}

export function goto(chain: string): Statement {
  return verdictStatement({ kind: 'goto', chain });
}

/** Counts packets and bytes that reach it; a name uses a counter object of the table. */
export function counter(name?: string): Statement {
  return [name === undefined ? { kind: 'counter' } : { kind: 'objref', type: 'counter', name }];
}

/** ICMP codes by family (RFC 792, RFC 4443) and the kernel's own for tables of family inet (NFT_REJECT_ICMPX_*). */
const rejectCodes = {
  ip: { 'no-route': 0, 'port-unreachable': 3, 'host-unreachable': 1, 'admin-prohibited': 13 },
  ip6: { 'no-route': 0, 'port-unreachable': 4, 'host-unreachable': 3, 'admin-prohibited': 1 },
  inet: { 'no-route': 0, 'port-unreachable': 1, 'host-unreachable': 2, 'admin-prohibited': 3 },
} as const;

export function reject(
  family: keyof typeof rejectCodes,
  reason: keyof (typeof rejectCodes)['ip'] = 'port-unreachable',
): Statement {
  const code = rejectCodes[family][reason];
  return [{ kind: 'reject', type: family === 'inet' ? 'icmpx' : 'icmp', code }];
}

/** Goes after a match of TCP. */
export const rejectWithReset: Statement = [{ kind: 'reject', type: 'tcp reset', code: 0 }];

export interface LogOptions {
  readonly prefix?: string;
  /** To the kernel's log; `group` sends to user space (nfnetlink_log) in its place. */
  readonly level?: LogLevel;
  readonly group?: number;
}

export function log(options: LogOptions = {}): Statement {
  return [{ kind: 'log', ...options }];
}

/** Matches while packets stay below the rate; `over`: those above it. */
export function limit(options: {
  readonly rate: number;
  readonly per: LimitUnit;
  readonly burst?: number;
  readonly over?: boolean;
}): Statement {
  const { rate, per, burst = 5, over = false } = options;
  return [{ kind: 'limit', rate: BigInt(rate), unit: per, burst, of: 'packets', over }];
}

export interface DynamicElement {
  readonly key: Selector;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Of maps, and there it must be: what the packet's key leads to from now on. */
  readonly data?: Selector;
  /** Each element counts the packets that come to it. */
  readonly counter?: boolean;
}

/**
 * `update @SET { KEY timeout T }`: the packet adds itself, or renews its element's timeout. An element that is there keeps its
 * data. The rule ends for the packet when the set is full.
 */
export function update(set: string, element: DynamicElement): Statement {
  return dynset('update', set, element);
}

/** `add @SET { KEY }`: as update, but an element that is there keeps its timeout. */
export function add(set: string, element: DynamicElement): Statement {
  return dynset('add', set, element);
}

/** `delete @SET { KEY }`: takes the packet's element away. Goes on when there is none. Of maps the kernel wants (any) data. */
export function remove(set: string, element: Pick<DynamicElement, 'key' | 'data'>): Statement {
  return dynset('delete', set, element);
}

function dynset(op: 'add' | 'update' | 'delete', set: string, element: DynamicElement): Statement {
  const { key, data, timeout } = element;
  // As nft numbers registers: data begin in the next 16-byte one.
  const at = Math.ceil(keyLength(key.types) / 16) * 4;
  return [
    ...key.load(0),
    ...(data === undefined ? [] : data.load(at)),
    {
      kind: 'dynset',
      set,
      op,
      key: 0,
      ...(data === undefined ? {} : { data: at }),
      ...(timeout === undefined ? {} : { timeout: BigInt(timeout) }),
      expressions: element.counter === true ? [{ kind: 'counter' }] : [],
    },
  ];
}
