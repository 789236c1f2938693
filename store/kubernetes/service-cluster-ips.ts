// The cluster IPs of a Service, at most one a family, as kube-proxy finds them (GetClusterIPByFamily). Whether there are rules for
// them is decided in proxy/.
import type { IpAddress } from '../../net/address.ts';
import type { Service } from '../service.ts';
import { quote } from '../store-error.ts';
import type { ObjectFields, TextEntry } from './object-fields.ts';
import { servedAddress } from './served-address.ts';

const headless = 'None';

/** Undefined when one of them is wrong, which is noted: such a service cannot be used. Empty for headless ones. */
export function clusterIpsOf(
  spec: ObjectFields,
  { type }: Pick<Service, 'type'>,
): readonly IpAddress[] | undefined {
  if (type === 'ExternalName') return [];
  const before = spec.notes.length;
  const entries = entriesOf(spec);
  const addresses: IpAddress[] = [];
  if (!entries.some(({ text }) => text === headless)) {
    const families = spec.texts('ipFamilies');
    entries.forEach(({ text, note }, i) => {
      const address = servedAddress(text);
      if (typeof address === 'string') {
        note(address);
        return;
      }
      // Without families an API server would derive them from the addresses.
      const family = families[i]?.text;
      if (families.length > 0 && family !== `IPv${address.family}`) {
        note(`${quote(text)} is not of the family in spec.ipFamilies[${i}]`);
      } else if (addresses.some((other) => other.family === address.family)) {
        note(`${quote(text)} is a second IPv${address.family} address`);
      } else {
        addresses.push(address);
      }
    });
    if (entries.length === 0 && spec.notes.length === before) {
      spec.note('clusterIP', 'is missing; nothing here allocates one, so the service has no cluster IP');
      return [];
    }
  }
  return spec.followUp(before, 'the service is left out') ? undefined : addresses;
}

/** clusterIPs, whose first one clusterIP repeats; hand-written manifests often have only that. */
function entriesOf(spec: ObjectFields): readonly TextEntry[] {
  const first = spec.text('clusterIP') ?? '';
  const all = spec.texts('clusterIPs').filter(({ text }) => text !== '');
  if (all.length === 0)
    return first === '' ? [] : [{ text: first, note: (message) => spec.note('clusterIP', message) }];
  if (first !== '' && first !== all[0]?.text) {
    spec.note('clusterIP', `${quote(first)} is not the first of spec.clusterIPs, ${quote(all[0]?.text)}`);
  }
  return all;
}
