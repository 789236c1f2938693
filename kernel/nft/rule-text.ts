// A rule as `nft list` prints it: the kernel's expressions read back, register by register, into matches and statements. What
// only ensures a protocol for a later field is left out, as nft does. Past 300 lines: its parts all work on the same registers.

import { type Datatype, keyLength, paddedLength } from './datatype.ts';
import { durationText } from './duration-text.ts';
import type { Expression, NatFlag, Register } from './expressions.ts';
import { ctField, metaField, type Protocols } from './field-text.ts';
import { type Field, isBitmask, valueText } from './field-value-text.ts';
import { type Held, maskedMatch, maskedText, type Needs, operationText } from './held-text.ts';
import { loadedField, tcpOptionText } from './load-text.ts';
import type { NftFamily, Rule } from './objects.ts';
import type { AnonymousSet } from './set.ts';
import { anonymousText, countsText } from './set-text.ts';
import { limitText, logText, rejectText } from './statement-text.ts';
import { addressWithPort, quoted } from './value-text.ts';
import { verdictText } from './verdict.ts';

interface Piece {
  readonly text: string;
  /** It only says which protocol the packet has. */
  readonly ensures?: { readonly layer: Needs; readonly protocol: number };
}

const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

/** The rule without its chain; comment included. */
export function ruleText(rule: Pick<Rule, 'expressions' | 'comment'>, family: NftFamily): string {
  const reader = new RuleReader(family);
  const { expressions } = rule;
  for (let i = 0; i < expressions.length; ) i += reader.take(expressions, i);
  const text = reader.text();
  return rule.comment === undefined ? text : `${text} comment ${quoted(rule.comment)}`;
}

class RuleReader {
  readonly #family: NftFamily;
  readonly #held = new Map<Register, Held>();
  #pieces: Piece[] = [];
  #protocols: Protocols;

  constructor(family: NftFamily) {
    this.#family = family;
    const network = family === 'ip' ? NFPROTO_IPV4 : family === 'ip6' ? NFPROTO_IPV6 : undefined;
    this.#protocols = { network, transport: undefined };
  }

  text(): string {
    return this.#pieces.map((piece) => piece.text).join(' ');
  }

  #say(text: string): void {
    this.#pieces.push({ text });
  }

  /** Reads the expression at `index`, and those that belong to it. Returns how many. */
  take(expressions: readonly Expression[], index: number): number {
    const e = expressions[index];
    if (e === undefined) return 1;
    const loaded = loadedField(e, {
      protocols: this.#protocols,
      family: this.#family,
      span: (from, length) => this.#span(from, length),
    });
    if (loaded !== undefined) {
      this.#held.set(loaded.to, loaded.held);
      return 1;
    }
    switch (e.kind) {
      case 'immediate':
        this.#held.set(e.to, { kind: 'value', bytes: e.value });
        return 1;
      case 'bitwise':
        this.#bitwise(e);
        return 1;
      case 'byteorder': {
        const held = this.#held.get(e.from);
        if (held?.kind === 'field') this.#held.set(e.to, turned(held));
        if (held?.kind === 'masked') this.#held.set(e.to, { ...held, turned: true });
        return 1;
      }
      case 'cmp':
        return this.#compare(e, expressions[index + 1]);
      case 'range':
        this.#range(e);
        return 1;
      case 'lookup':
        this.#lookup(e);
        return 1;
      default:
        this.#say(this.#statementText(e));
        return 1;
    }
  }

  #bitwise(e: Extract<Expression, { kind: 'bitwise' }>): void {
    const held = this.#held.get(e.from);
    if (held?.kind === 'field') this.#held.set(e.to, { kind: 'masked', of: held, mask: e.mask, xor: e.xor });
    else this.#say('# bitwise operation on an unknown value');
  }

  /** The field in a register; what it needs is left out from what was said. */
  #field(from: Register): HeldField | undefined {
    const held = this.#held.get(from);
    const field = held?.kind === 'masked' ? held.of : held;
    if (field?.kind !== 'field') return undefined;
    if (field.needs !== undefined) this.#forget(field.needs);
    return field;
  }

  #forget(layer: Needs): void {
    this.#pieces = this.#pieces.filter((piece) => piece.ensures?.layer !== layer);
  }

  #compare(e: Extract<Expression, { kind: 'cmp' }>, next: Expression | undefined): number {
    const held = this.#held.get(e.from);
    const field = this.#field(e.from);
    if (held === undefined || field === undefined) {
      this.#say('# comparison of an unknown value');
      return 1;
    }
    if (held.kind === 'masked') {
      if (next?.kind === 'cmp' && e.op === 'gte' && next.op === 'lte' && next.from === e.from) {
        const values = held.turned === true ? turned(field).field : field.field;
        this.#say(`${maskedText(held)} ${this.#between(values, e.value, next.value)}`);
        return 2;
      }
      this.#say(maskedMatch(held, e));
      return 1;
    }
    if (next?.kind === 'cmp' && e.op === 'gte' && next.op === 'lte' && next.from === e.from) {
      this.#say(`${field.field.text} ${this.#between(field.field, e.value, next.value)}`);
      return 2;
    }
    this.#pieces.push(this.#plainMatch(field, e));
    return 1;
  }

  #between(field: Field, first: Uint8Array, last: Uint8Array): string {
    return `${valueText(field, first)}-${valueText(field, last)}`;
  }

  #plainMatch(held: HeldField, e: Extract<Expression, { kind: 'cmp' }>): Piece {
    const { field, whole } = held;
    const sign = { eq: '', neq: '!= ', lt: '< ', lte: '<= ', gt: '> ', gte: '>= ' }[e.op];
    let value = valueText(field, e.value);
    if (whole > field.length) value += `/${field.length * 8}`;
    if (isBitmask(field.type) && e.op === 'eq') return { text: `${field.text} == ${value}` };
    const text = `${field.text} ${sign}${value}`;
    const ensures = e.op === 'eq' ? this.#ensured(field.text, e.value[0] ?? 0) : undefined;
    return ensures === undefined ? { text } : { text, ensures };
  }

  #ensured(field: string, protocol: number): Piece['ensures'] {
    if (field === 'meta nfproto') {
      this.#protocols = { ...this.#protocols, network: protocol };
      return { layer: 'network', protocol };
    }
    if (field === 'ether type') return undefined;
    if (field !== 'meta l4proto' && field !== 'ip protocol' && field !== 'ip6 nexthdr') return undefined;
    this.#protocols = { ...this.#protocols, transport: protocol };
    return { layer: 'transport', protocol };
  }

  #range(e: Extract<Expression, { kind: 'range' }>): void {
    const field = this.#field(e.from);
    if (field === undefined) {
      this.#say('# range of an unknown value');
      return;
    }
    const sign = e.op === 'neq' ? '!= ' : '';
    this.#say(`${field.field.text} ${sign}${this.#between(field.field, e.first, e.last)}`);
  }

  /** The fields side by side from a register on, over so many bytes. */
  #span(from: Register, length: number): string {
    const texts: string[] = [];
    let at = from;
    while (at < from + length / 4) {
      const held = this.#held.get(at);
      const field = this.#field(at);
      if (held === undefined || field === undefined) {
        texts.push('# unknown value');
        break;
      }
      texts.push(held.kind === 'masked' ? maskedText(held) : field.field.text);
      at += words(field.field);
      if (field.field.length > length) break;
    }
    return texts.join(' . ');
  }

  #lookup(e: Extract<Expression, { kind: 'lookup' }>): void {
    const lone = this.#held.get(e.from)?.kind === 'masked' && this.#nextHeld(e.from) === undefined;
    const key = typeof e.set === 'string' ? this.#keyText(e.from) : this.#anonymousKeyText(e.from, e.set);
    const set = typeof e.set === 'string' ? `@${e.set}` : anonymousText(e.set);
    // nft puts a sign behind an operation.
    if (e.to === undefined) this.#say(`${key} ${e.inverted ? '!= ' : lone ? '== ' : ''}${set}`);
    else if (e.to === 'verdict') this.#say(`${key} vmap ${set}`);
    else {
      const types = typeof e.set === 'string' || e.set.data === 'verdict' ? undefined : e.set.data;
      const [type] = types ?? [];
      const field: Field = {
        text: `${key} map ${set}`,
        type: mapType(type),
        length: types === undefined ? 4 : types.reduce((sum, one) => sum + paddedLength(one), 0),
      };
      this.#held.set(e.to, { kind: 'field', field, whole: field.length, needs: undefined });
    }
  }

  /** The register behind the field in this one, when it holds something. */
  #nextHeld(from: Register): Held | undefined {
    const held = this.#held.get(from);
    const field = held?.kind === 'masked' ? held.of : held;
    return field?.kind === 'field' ? this.#held.get(from + words(field.field)) : undefined;
  }

  #anonymousKeyText(from: Register, set: AnonymousSet): string {
    const length = keyLength(set.key);
    const text = this.#span(from, length);
    for (let at = from; at < from + length / 4; at++) this.#held.delete(at);
    return text;
  }

  /** Of a named set the rule does not know the key: all that has been loaded side by side since belongs to it. */
  #keyText(from: Register): string {
    let end = from;
    for (;;) {
      const held = this.#held.get(end);
      const field = held?.kind === 'masked' ? held.of : held;
      if (field?.kind !== 'field') break;
      end += words(field.field);
    }
    const text = this.#span(from, (end - from) * 4);
    for (let at = from; at < end; at++) this.#held.delete(at);
    return text;
  }

  #statementText(e: Expression): string {
    switch (e.kind) {
      case 'verdict':
        return verdictText(e.verdict);
      case 'counter':
        return e.packets === undefined ? 'counter' : countsText({ packets: e.packets, bytes: e.bytes ?? 0n });
      case 'objref':
        return `${e.type} name "${e.name}"`;
      case 'meta-set':
        return `meta ${e.key} set ${this.#value(e.from, metaField(e.key))}`;
      case 'ct-set':
        return `ct ${e.key} set ${this.#value(e.from, ctField({ kind: 'ct', key: e.key, to: 0 }))}`;
      case 'tcp-option-set':
        return `${tcpOptionText(e)} set ${this.#value(e.from, { text: '', type: 'integer', length: e.length })}`;
      case 'nat':
        return this.#natText(e);
      case 'masquerade':
        return `masquerade${this.#ports(e)}${flagsText(e.flags)}`;
      case 'redirect':
        return `redirect${this.#ports(e)}${flagsText(e.flags)}`;
      case 'reject':
        if (e.type === 'tcp reset') this.#forget('transport');
        if (e.type === 'icmp') this.#forget('network');
        return rejectText(e, { family: this.#family, network: this.#protocols.network });
      case 'log':
        return logText(e);
      case 'limit':
        return limitText(e);
      case 'notrack':
        return 'notrack';
      case 'dynset':
        return this.#dynsetText(e);
      case 'unknown':
        return `# unknown expression "${e.name}"`;
      default:
        return `# unknown expression "${e.kind}"`;
    }
  }

  #value(from: Register, as: Field): string {
    const held = this.#held.get(from);
    if (held === undefined) return '# unknown value';
    if (held.kind === 'value') return valueText(as, held.bytes);
    if (held.kind === 'masked') return operationText(held);
    return this.#field(from)?.field.text ?? '';
  }

  #natText(e: Extract<Expression, { kind: 'nat' }>): string {
    const address: Field = {
      text: '',
      type: e.family === 4 ? 'ipv4_addr' : 'ipv6_addr',
      length: e.family === 4 ? 4 : 16,
    };
    const held = e.addressMin === undefined ? undefined : this.#held.get(e.addressMin);
    // Address and port out of one map need the family said; so do tables of both families.
    const mapped =
      held?.kind === 'field' && e.portMin !== undefined && this.#held.get(e.portMin)?.kind !== 'value';
    const family = mapped || this.#family === 'inet' ? ` ${e.family === 4 ? 'ip' : 'ip6'}` : '';
    let to = '';
    if (e.addressMin !== undefined) {
      to = this.#value(e.addressMin, address);
      if (e.addressMax !== undefined) to += `-${this.#value(e.addressMax, address)}`;
    }
    if (e.portMin !== undefined && !mapped) to = addressWithPort(to, this.#portText(e));
    return `${e.type}${family} to ${to}${flagsText(e.flags)}`;
  }

  #portText(ports: {
    readonly portMin?: Register | undefined;
    readonly portMax?: Register | undefined;
  }): string {
    const port: Field = { text: '', type: 'inet_service', length: 2 };
    const first = ports.portMin === undefined ? '' : this.#value(ports.portMin, port);
    return ports.portMax === undefined ? first : `${first}-${this.#value(ports.portMax, port)}`;
  }

  #ports(ports: {
    readonly portMin?: Register | undefined;
    readonly portMax?: Register | undefined;
  }): string {
    return ports.portMin === undefined ? '' : ` to :${this.#portText(ports)}`;
  }

  #dynsetText(e: Extract<Expression, { kind: 'dynset' }>): string {
    const inner = new RuleReader(this.#family);
    // Counts belong to the elements: what the kernel reports here is their beginning.
    const statements = e.expressions.map(
      (one): Expression => (one.kind === 'counter' ? { kind: 'counter' } : one),
    );
    for (let i = 0; i < statements.length; ) i += inner.take(statements, i);
    const timeout = e.timeout === undefined ? '' : ` timeout ${durationText(e.timeout)}`;
    const counted = statements.length === 0 ? '' : ` ${inner.text()}`;
    const data = e.data === undefined ? undefined : this.#value(e.data, { text: '', type: 'hex', length: 4 });
    if (e.data !== undefined) this.#held.delete(e.data);
    const element = `${this.#keyText(e.key)}${timeout}${counted}${data === undefined ? '' : ` : ${data}`}`;
    return `${e.op} @${e.set} { ${element} }`;
  }
}

/** Registers that a field takes. */
function words(field: Field): number {
  return Math.max(1, Math.ceil(field.length / 4));
}

type HeldField = Extract<Held, { kind: 'field' }>;

function turned(held: HeldField): HeldField {
  return { ...held, field: { ...held.field, turned: true } };
}

/** How values out of a map are printed when they are compared: as the first field of its data. */
function mapType(type: Datatype | undefined): Field['type'] {
  return typeof type === 'string' && type !== 'integer' ? type : 'host integer';
}

/** nft's order, which is not that of the bits. */
const flagOrder: readonly NatFlag[] = ['random', 'fully-random', 'persistent', 'netmap'];

function flagsText(flags: readonly NatFlag[]): string {
  return flags.length === 0 ? '' : ` ${flagOrder.filter((flag) => flags.includes(flag)).join(',')}`;
}
