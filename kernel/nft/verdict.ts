// What a rule or a map element decides about a packet. Not how it is written on the wire (expression-wire.ts) or evaluated.

/** `jump` comes back when the chain ends, `goto` does not. `continue` goes on with the next rule. */
export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }
  /** Queue to user space or whatever else has a code that we never write; read only. */
  | { readonly kind: 'other'; readonly code: number };

/** Verdicts as nft writes them: `verdict.jump('services')`. */
export const verdict = {
  accept: { kind: 'accept' },
  drop: { kind: 'drop' },
  return: { kind: 'return' },
  continue: { kind: 'continue' },
  jump: (chain: string): Verdict => ({ kind: 'jump', chain }),
  goto: (chain: string): Verdict => ({ kind: 'goto', chain }),
} as const satisfies Readonly<Record<string, Verdict | ((chain: string) => Verdict)>>;

export function verdictText(value: Verdict): string {
  switch (value.kind) {
    case 'jump':
    case 'goto':
      return `${value.kind} ${value.chain}`;
    case 'other':
      return `# unknown verdict ${value.code}`;
    default:
      return value.kind;
  }
}
