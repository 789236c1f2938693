// What is wrong with a set or an entry before the kernel is asked: errors that name the object and the field. What the kernel then
// refuses is refusal.ts.
import type { Prefix } from '../../net/prefix.ts';
import { entryText, type Ipset, type IpsetEntry, type IpsetStep, type IpsetType } from './objects.ts';

/** IPSET_MAXNAMELEN - 1. */
const longestName = 31;

type Field = keyof IpsetEntry;

/** What an entry of the type has. */
export const entryFields: Readonly<Record<IpsetType, readonly Field[]>> = {
  'hash:ip': ['address'],
  'hash:ip,port': ['address', 'protocol', 'port'],
  'hash:ip,port,ip': ['address', 'protocol', 'port', 'second'],
  'hash:ip,port,net': ['address', 'protocol', 'port', 'second'],
  'bitmap:port': ['port'],
};

const allFields: readonly Field[] = ['address', 'protocol', 'port', 'second'];

/** Undefined when there is nothing to say against it. */
export function stepFault(step: IpsetStep): Error | undefined {
  switch (step.kind) {
    case 'set-create':
      return setFault(step.set);
    case 'set-destroy':
      return nameFault('destroy', step.name);
    case 'set-swap':
      return nameFault('swap', step.name) ?? nameFault('swap', step.other);
    case 'entry-add':
      return nameFault('change', step.set.name) ?? entryFault(step.set, step.entry);
    case 'entry-delete':
      return nameFault('change', step.set.name) ?? entryFault(step.set, step.entry);
    default:
      return step satisfies never;
  }
}

/** The kernel takes any bytes; iptables cannot name one with a blank in it. */
function nameFault(verb: string, name: string): Error | undefined {
  const size = Buffer.byteLength(name);
  if (size >= 1 && size <= longestName && !/[\s\p{Cc}]/u.test(name)) return undefined;
  return new RangeError(
    `Cannot ${verb} set ${JSON.stringify(name)}: a name has 1 to ${longestName} bytes and no blanks`,
  );
}

function setFault({ name, type, maxElements }: Ipset): Error | undefined {
  const fault = nameFault('create', name);
  if (fault !== undefined || maxElements === undefined || type === 'bitmap:port') return fault;
  if (Number.isInteger(maxElements) && maxElements >= 1 && maxElements <= 0xffffffff) return undefined;
  return new RangeError(`Cannot create set "${name}": maxElements is ${maxElements}`);
}

function entryFault(set: Ipset, entry: IpsetEntry): Error | undefined {
  const fields = entryFields[set.type];
  for (const field of allFields) {
    const isWanted = fields.includes(field);
    if (isWanted === (entry[field] !== undefined)) continue;
    return refused(
      set,
      entry,
      isWanted ? `its ${field} is missing` : `it has a ${field}, which ${set.type} has not`,
    );
  }
  const { address, port, second } = entry;
  if (address !== undefined && address.family !== set.family)
    return refused(set, entry, `its address is of IPv${address.family}, the set's are of IPv${set.family}`);
  if (address?.isUnspecified === true) return refused(set, entry, 'its address is unspecified');
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 0xffff))
    return refused(set, entry, `its port is ${port}`);
  const why = second === undefined ? undefined : secondFault(set, second);
  return why === undefined ? undefined : refused(set, entry, why);
}

function secondFault({ type, family }: Ipset, second: Prefix): string | undefined {
  if (second.family !== family)
    return `its second address is of IPv${second.family}, the set's are of IPv${family}`;
  if (second.length === 0) return 'its network is everything: halves of it can be stored';
  if (type === 'hash:ip,port,ip' && second.length !== second.bits) return 'its second address is a network';
  return undefined;
}

function refused({ name }: Ipset, entry: IpsetEntry, why: string): Error {
  return new RangeError(`Cannot store "${entryText(entry)}" in set "${name}": ${why}`);
}
