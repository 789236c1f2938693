// What an expression that loads a register puts there, in nft's words. Undefined for all other expressions.
import type { Expression, Register } from './expressions.ts';
import { ctField, fibField, metaField, type Protocols, payloadField } from './field-text.ts';
import type { Field } from './field-value-text.ts';
import type { Held } from './held-text.ts';
import type { NftFamily } from './objects.ts';

export interface LoadContext {
  readonly protocols: Protocols;
  readonly family: NftFamily;
  /** The text of so many bytes of registers: what a hash is made of. */
  readonly span: (from: Register, length: number) => string;
}

export function loadedField(
  e: Expression,
  context: LoadContext,
): { readonly to: Register; readonly held: Held } | undefined {
  switch (e.kind) {
    case 'payload': {
      const { whole, needs, ...field } = payloadField(e, context.protocols);
      return { to: e.to, held: { kind: 'field', field, whole, needs } };
    }
    case 'meta':
      return holding(e.to, metaField(e.key));
    case 'ct':
      return holding(e.to, ctField(e, context.family === 'ip6' ? 'ip6' : 'ip'));
    case 'rt':
      return holding(e.to, { text: `rt ${e.key}`, type: 'host integer', length: 2 });
    case 'fib':
      return holding(e.to, fibField(e));
    case 'numgen':
      return holding(e.to, number(`numgen ${e.mode} mod ${e.modulus}`, e.offset));
    case 'jhash': {
      const seed = e.seed === undefined || e.seed === 0 ? '' : ` seed 0x${e.seed.toString(16)}`;
      const of = context.span(e.from, e.length);
      return holding(e.to, number(`jhash ${of} mod ${e.modulus}${seed}`, e.offset));
    }
    case 'symhash':
      return holding(e.to, number(`symhash mod ${e.modulus}`, e.offset));
    case 'tcp-option':
      return holding(e.to, { text: tcpOptionText(e), type: 'integer', length: e.length });
    default:
      return undefined;
  }
}

function holding(to: Register, field: Field): { readonly to: Register; readonly held: Held } {
  return { to, held: { kind: 'field', field, whole: field.length, needs: undefined } };
}

function number(text: string, offset: number): Field {
  return { text: offset === 0 ? text : `${text} offset ${offset}`, type: 'host integer', length: 4 };
}

export function tcpOptionText(e: { readonly option: number; readonly offset: number }): string {
  const TCPOPT_MAXSEG = 2;
  return e.option === TCPOPT_MAXSEG && e.offset === 2
    ? 'tcp option maxseg size'
    : `tcp option @${e.option},${e.offset * 8}`;
}
