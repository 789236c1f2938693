// Runs one rule's expressions over a packet, as the kernel's interpreter does: registers, breaks, verdicts, rewriting. Which rules
// come when is evaluate.ts. Past 300 lines: it is one switch over all kinds and what each does with the registers.
import { IpAddress } from '../../net/address.ts';
import { type Datatype, type FieldValue, fieldValue, keyLength, paddedLength } from './datatype.ts';
import type { Expression } from './expressions.ts';
import { addressTypes } from './fields.ts';
import { compareBytes } from './interval.ts';
import { jhash, scale } from './jhash.ts';
import { type Packet, packetLength } from './packet.ts';
import { ctValue, metaValue, payloadValue } from './packet-values.ts';
import type { AnonymousSet, Element, NftSet } from './set.ts';
import { fieldsBytes, findElement } from './set-lookup.ts';
import type { Verdict } from './verdict.ts';

/** What the kernel takes from the machine around it, given by the test. */
export interface Surroundings {
  /** A number below `modulus`: random numgen. */
  readonly random: (modulus: number) => number;
  /** What the routing tables say of an address; `unicast` unless given. */
  readonly addressType?: ((address: IpAddress) => keyof typeof addressTypes) | undefined;
  /** The address that masquerading takes from the outgoing link. */
  readonly addressOf?: ((link: string | undefined, family: 4 | 6) => IpAddress) | undefined;
  readonly indexOf?: ((link: string) => number) | undefined;
  /** True when the limit's rate is used up. */
  readonly exceeds?: ((limit: Extract<Expression, { kind: 'limit' }>) => boolean) | undefined;
  /** Path MTU less headers, as `rt mtu` yields it. */
  readonly mss?: number | undefined;
}

/** The table around a rule. */
export interface RuleContext extends Surroundings {
  readonly set: (name: string) => NftSet | undefined;
  /** Adds, renews or deletes an element from the packet path. False when the set is full. */
  readonly dynset: (step: DynsetStep) => boolean;
}

/** What a packet does to a set. */
export interface DynsetStep {
  readonly set: string;
  readonly op: 'add' | 'update' | 'delete';
  /** As it is when it is not there yet; a counter in it is what the packet counts for. */
  readonly element: Element;
}

/** How a packet's address or port is to be rewritten. */
export interface Rewrite {
  readonly type: 'snat' | 'dnat';
  readonly address?: IpAddress | undefined;
  readonly port?: number | undefined;
}

/** Undefined: the rule did not match, or has no verdict. */
export interface RuleOutcome {
  readonly matched: boolean;
  readonly verdict:
    | Verdict
    | { readonly kind: 'reject' }
    | { readonly kind: 'nat'; readonly rewrite: Rewrite }
    | undefined;
  readonly packet: Packet;
}

const registerBytes = 64;

export function evaluateRule(
  expressions: readonly Expression[],
  packet: Packet,
  context: RuleContext,
): RuleOutcome {
  const machine = new Machine(packet, context);
  for (const expression of expressions) {
    const result = machine.run(expression);
    if (result === 'break') return { matched: false, verdict: undefined, packet: machine.packet };
    if (result !== 'next') return { matched: true, verdict: result, packet: machine.packet };
  }
  return { matched: true, verdict: undefined, packet: machine.packet };
}

type Result = 'next' | 'break' | NonNullable<RuleOutcome['verdict']>;

/** Counters of `numgen inc` live as long as the rule. */
const counters = new WeakMap<Expression, number>();

class Machine {
  readonly #registers = Buffer.alloc(registerBytes);
  readonly #context: RuleContext;
  packet: Packet;

  constructor(packet: Packet, context: RuleContext) {
    this.packet = packet;
    this.#context = context;
  }

  /** Values fill up whole registers with zeros. */
  #store(to: number, bytes: Uint8Array): 'next' {
    const at = to * 4;
    this.#registers.fill(0, at, at + ((bytes.length + 3) & ~3));
    this.#registers.set(bytes, at);
    return 'next';
  }

  #storeNumber(to: number, value: number): 'next' {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return this.#store(to, bytes);
  }

  #load(from: number, length: number): Uint8Array {
    return Uint8Array.from(this.#registers.subarray(from * 4, from * 4 + length));
  }

  run(e: Expression): Result {
    switch (e.kind) {
      case 'payload':
        return this.#put(e.to, payloadValue(this.packet, e));
      case 'meta':
        return this.#put(e.to, metaValue(this.packet, e.key, this.#context.indexOf));
      case 'meta-set':
        if (e.key === 'mark' || e.key === 'priority')
          this.packet = { ...this.packet, [e.key]: this.#number(e.from) };
        return 'next';
      case 'ct':
        return this.#put(e.to, ctValue(this.packet, e));
      case 'ct-set':
        if (e.key === 'mark')
          this.packet = { ...this.packet, ct: { ...this.packet.ct, mark: this.#number(e.from) } };
        return 'next';
      case 'rt':
        return e.key === 'mtu' ? this.#storeNumber(e.to, this.#context.mss ?? 1460) : 'break';
      case 'cmp':
        return compares(compareBytes(this.#load(e.from, e.value.length), e.value), e.op) ? 'next' : 'break';
      case 'range': {
        const value = this.#load(e.from, e.first.length);
        const inside = compareBytes(value, e.first) >= 0 && compareBytes(value, e.last) <= 0;
        return inside === (e.op === 'eq') ? 'next' : 'break';
      }
      case 'bitwise': {
        const value = this.#load(e.from, e.mask.length);
        return this.#store(
          e.to,
          value.map((byte, i) => (byte & (e.mask[i] ?? 0)) ^ (e.xor[i] ?? 0)),
        );
      }
      case 'shift': {
        const value = this.#number(e.from);
        return this.#storeNumber(e.to, e.direction === 'left' ? value << e.bits : value >>> e.bits);
      }
      case 'byteorder':
        return this.#byteorder(e);
      case 'lookup':
        return this.#lookup(e);
      case 'immediate':
        return this.#store(e.to, e.value);
      case 'verdict':
        return e.verdict.kind === 'continue' ? 'next' : e.verdict;
      case 'counter':
      case 'objref':
      case 'log':
        return 'next';
      case 'limit':
        return (this.#context.exceeds?.(e) ?? false) === e.over ? 'next' : 'break';
      case 'nat':
        return this.#nat(e);
      case 'masquerade':
        return {
          kind: 'nat',
          rewrite: { type: 'snat', address: this.#ownAddress(this.packet.oif), port: this.#port(e.portMin) },
        };
      case 'redirect':
        return {
          kind: 'nat',
          rewrite: { type: 'dnat', address: this.#ownAddress(this.packet.iif), port: this.#port(e.portMin) },
        };
      case 'reject':
        return { kind: 'reject' };
      case 'numgen':
        return this.#storeNumber(e.to, e.offset + this.#generate(e));
      case 'jhash':
        return this.#storeNumber(
          e.to,
          e.offset + scale(jhash(this.#load(e.from, e.length), e.seed ?? 0), e.modulus),
        );
      case 'symhash':
        return this.#storeNumber(e.to, e.offset + scale(this.#flowHash(), e.modulus));
      case 'fib':
        return this.#fib(e);
      case 'notrack':
        this.packet = { ...this.packet, ct: { state: 'untracked' } };
        return 'next';
      case 'dynset':
        return this.#dynset(e);
      case 'tcp-option':
        // Packets here carry none.
        return e.present ? this.#storeNumber(e.to, 0) : 'break';
      case 'tcp-option-set':
        return 'next';
      case 'unknown':
        throw new TypeError(`Cannot evaluate expression "${e.name}"`);
      default:
        return e satisfies never;
    }
  }

  #number(from: number): number {
    return this.#registers.readUInt32LE(from * 4);
  }

  /** What is not there ends the rule. */
  #put(to: number, value: Uint8Array | number | undefined): Result {
    if (value === undefined) return 'break';
    return typeof value === 'number' ? this.#storeNumber(to, value) : this.#store(to, value);
  }

  #byteorder(e: Extract<Expression, { kind: 'byteorder' }>): Result {
    const value = this.#load(e.from, e.length);
    const turned = new Uint8Array(value.length);
    for (let at = 0; at < value.length; at += e.size) turned.set(value.slice(at, at + e.size).reverse(), at);
    return this.#store(e.to, turned);
  }

  #setOf(set: string | AnonymousSet): Parameters<typeof findElement>[0] {
    if (typeof set !== 'string') return set;
    const named = this.#context.set(set);
    if (named === undefined) throw new TypeError(`Cannot look up set "${set}": it is not there`);
    return { ...named, elements: named.elements.values() };
  }

  #lookup(e: Extract<Expression, { kind: 'lookup' }>): Result {
    const set = this.#setOf(e.set);
    const element = findElement(set, this.#load(e.from, keyLength(set.key)));
    if ((element !== undefined) === e.inverted) return 'break';
    if (element === undefined || e.to === undefined) return 'next';
    const { data } = element;
    if (data === undefined) return 'break';
    if (isVerdict(data)) return data.kind === 'continue' ? 'next' : data;
    if (e.to === 'verdict' || set.data === undefined || set.data === 'verdict') return 'break';
    return this.#store(e.to, fieldsBytes(set.data, data));
  }

  #nat(e: Extract<Expression, { kind: 'nat' }>): Result {
    const address =
      e.addressMin === undefined
        ? undefined
        : IpAddress.fromBytes(this.#load(e.addressMin, e.family === 4 ? 4 : 16));
    return { kind: 'nat', rewrite: { type: e.type, address, port: this.#port(e.portMin) } };
  }

  #port(from: number | undefined): number | undefined {
    return from === undefined ? undefined : Buffer.from(this.#load(from, 2)).readUInt16BE(0);
  }

  #ownAddress(link: string | undefined): IpAddress {
    const own = this.#context.addressOf?.(link, this.packet.saddr.family);
    if (own === undefined) throw new TypeError(`Cannot masquerade: link "${link ?? ''}" has no address here`);
    return own;
  }

  #generate(e: Extract<Expression, { kind: 'numgen' }>): number {
    if (e.mode === 'random') return this.#context.random(e.modulus) % e.modulus;
    const count = counters.get(e) ?? 0;
    counters.set(e, count + 1);
    return count % e.modulus;
  }

  #flowHash(): number {
    const { saddr, daddr, sport, dport } = this.packet;
    const ends = [`${saddr} ${sport}`, `${daddr} ${dport}`].sort().join(' ');
    const bytes = Buffer.alloc((ends.length + 3) & ~3);
    bytes.write(ends);
    return jhash(bytes, 0);
  }

  #fib(e: Extract<Expression, { kind: 'fib' }>): Result {
    if (e.result !== 'type') return 'break';
    const address = e.by.includes('saddr') ? this.packet.saddr : this.packet.daddr;
    const type = this.#context.addressType?.(address) ?? 'unicast';
    return this.#storeNumber(e.to, addressTypes[type]);
  }

  #dynset(e: Extract<Expression, { kind: 'dynset' }>): Result {
    const set = this.#context.set(e.set);
    if (set === undefined) throw new TypeError(`Cannot change set "${e.set}": it is not there`);
    const data =
      e.data === undefined || set.data === undefined || set.data === 'verdict'
        ? {}
        : { data: this.#values(e.data, set.data) };
    const bytes = BigInt(packetLength(this.packet));
    const element = {
      key: this.#values(e.key, set.key),
      ...data,
      // The kernel does not say what is the set's own.
      ...(e.timeout === undefined || e.timeout === set.timeout ? {} : { timeout: e.timeout }),
      ...(e.expressions.some((one) => one.kind === 'counter') ? { counter: { packets: 1n, bytes } } : {}),
    };
    const done = this.#context.dynset({ set: e.set, op: e.op, element });
    return done || e.op === 'delete' ? 'next' : 'break';
  }

  /** The values of these types that lie side by side from a register on. */
  #values(from: number, types: readonly Datatype[]): readonly FieldValue[] {
    let at = from * 4;
    return types.map((type) => {
      const value = fieldValue(type, this.#registers.subarray(at, at + 16));
      at += paddedLength(type);
      return value;
    });
  }
}

function isVerdict(data: NonNullable<Element['data']>): data is Verdict {
  return !Array.isArray(data);
}

function compares(order: number, op: Extract<Expression, { kind: 'cmp' }>['op']): boolean {
  switch (op) {
    case 'eq':
      return order === 0;
    case 'neq':
      return order !== 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    default:
      return op satisfies never;
  }
}
