// What a check is called: in a lab of two families, with the one that it is about.
import type { Family } from '../../net/address.ts';
import { familyName } from '../../proxy/family-name.ts';

export function checkName(
  name: string,
  { family, networks }: { readonly family: Family; readonly networks: readonly unknown[] },
): string {
  return networks.length > 1 ? `${name} (${familyName(family)})` : name;
}
