// The list that a runtime gives to GC: what is to stay. Its absence is not an empty list.
import { z } from 'zod';
import type { AddressOwner } from '../agent/ipam/reservation.ts';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { withCanonicalKeys } from './canonical-keys.ts';

/** The second is what libcni 1.2.3 and later sets beside the first (containernetworking/cni issue 1101). */
const keys = ['cni.dev/valid-attachments', 'cni.dev/attachments'];

const shape = z.array(
  z.preprocess(
    (value) => withCanonicalKeys(value, ['containerID', 'ifname']),
    z.looseObject({ containerID: z.string(), ifname: z.string() }),
  ),
);

/**
 * Undefined when the list is missing (a tool that passes no arguments): then nothing may be removed. Null is an empty list: Go
 * writes it for one. Throws CniError (decoding) for anything else.
 */
export function readValidAttachments(config: unknown): readonly AddressOwner[] | undefined {
  if (typeof config !== 'object' || config === null) return undefined;
  const found = Object.entries(config).filter(([key]) => keys.includes(key.toLowerCase()));
  const lists = found.map(([key, value]) => {
    const parsed = shape.safeParse(value ?? []);
    if (parsed.success) return parsed.data;
    throw new CniError(cniCodes.decoding, `Cannot read "${key}": want a list of {containerID, ifname}`);
  });
  if (lists.length === 0) return undefined;
  return lists.flat().map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
}
