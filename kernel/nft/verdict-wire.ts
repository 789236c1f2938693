// Verdicts and register values as NFTA_DATA_*: in immediates, comparisons and set elements.
import { DecodeError } from '../netlink/bytes.ts';
import type { ValueOf } from '../netlink/codec.ts';
import type { dataAttributes, verdictAttributes } from './attributes.ts';
import type { Verdict } from './verdict.ts';

export type DataValue = ValueOf<typeof dataAttributes>;
type VerdictValue = ValueOf<typeof verdictAttributes>;

/** NF_ACCEPT, NF_DROP of linux/netfilter.h, the others NFT_* of nf_tables.h. */
const codes = { accept: 1, drop: 0, continue: -1, jump: -3, goto: -4, return: -5 } as const;

export function verdictData(verdict: Verdict): VerdictValue {
  switch (verdict.kind) {
    case 'jump':
    case 'goto':
      return { NFTA_VERDICT_CODE: codes[verdict.kind], NFTA_VERDICT_CHAIN: verdict.chain };
    case 'other':
      return { NFTA_VERDICT_CODE: verdict.code };
    default:
      return { NFTA_VERDICT_CODE: codes[verdict.kind] };
  }
}

export function readVerdict(data: VerdictValue): Verdict {
  const code = required(data.NFTA_VERDICT_CODE, 'verdict');
  switch (code) {
    case codes.accept:
      return { kind: 'accept' };
    case codes.drop:
      return { kind: 'drop' };
    case codes.continue:
      return { kind: 'continue' };
    case codes.return:
      return { kind: 'return' };
    case codes.jump:
      return { kind: 'jump', chain: required(data.NFTA_VERDICT_CHAIN, 'chain of a jump') };
    case codes.goto:
      return { kind: 'goto', chain: required(data.NFTA_VERDICT_CHAIN, 'chain of a goto') };
    default:
      return { kind: 'other', code };
  }
}

export function valueData(value: Uint8Array): DataValue {
  return { NFTA_DATA_VALUE: value };
}

export function readValue(data: DataValue | undefined): Uint8Array {
  return required(data?.NFTA_DATA_VALUE, 'value');
}

/** The attribute, or DecodeError: the kernel always sends it. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new DecodeError(`Cannot read nf_tables message: ${name} is missing`);
  return value;
}
