// What the doctor found wrong with a node, and how it can be mended: values, to be printed, counted and handed on. What looks
// for it is checks.ts, what mends it repair.ts.
import type { IpAddress } from '../../net/address.ts';
import type { Attachment } from '../wiring/attachment.ts';

/** `error`: pods suffer, or will. `warning`: something is left over, or will not work as set. `hint`: worth a look. */
export const severities = ['error', 'warning', 'hint'] as const;
export type Severity = (typeof severities)[number];

/** One change that puts an end to a finding. */
export type Mend =
  | {
      readonly kind: 'attachment-delete';
      readonly attachment: Attachment;
      readonly ipamDirectory: string | undefined;
    }
  /** Of a file that names no owner. */
  | {
      readonly kind: 'address-release';
      readonly network: string;
      readonly address: IpAddress;
      readonly ipamDirectory: string;
    }
  | { readonly kind: 'link-delete'; readonly name: string; readonly type: 'veth' | 'ifb' }
  | { readonly kind: 'file-delete'; readonly path: string }
  /** The file of a lock that nobody holds. */
  | { readonly kind: 'lock-delete'; readonly path: string }
  | { readonly kind: 'sysctl-set'; readonly key: string; readonly value: string }
  /** Makes the pods' rules what the records say. */
  | { readonly kind: 'rules-ensure' };

export interface Finding {
  /** Name of the check. */
  readonly check: string;
  readonly severity: Severity;
  /** What it is about: an address, a link, a path. */
  readonly object: string;
  readonly finding: string;
  /** By what it is known. */
  readonly evidence: string;
  /** What to do, as an operator would. */
  readonly remedy: string;
  /** What --fix does; undefined: nothing. */
  readonly mend?: Mend | undefined;
}

/** As `--json` has it. */
export function findingJson({ mend, ...finding }: Finding): Record<string, unknown> {
  return { ...finding, fixable: mend !== undefined };
}
