// iptables of one world, nft's or legacy's: by the plain programs where they are of that world, else by those that name it, which
// distributions without a choice do not have.
import { ProgramError } from '../../kernel/exec.ts';
import { type IptablesAccess, openIptables } from '../../kernel/iptables/driver.ts';
import { iptablesVersion } from '../../kernel/iptables/program-version.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { Family } from '../../net/address.ts';

export async function accessOfKind(
  kind: 'nft' | 'legacy',
  { family, netns }: { readonly family: Family; readonly netns?: Netns | undefined },
): Promise<IptablesAccess> {
  const variant = (await isPlain(kind, family)) ? 'default' : kind;
  return openIptables({ family, netns, variant });
}

async function isPlain(kind: 'nft' | 'legacy', family: Family): Promise<boolean> {
  try {
    return (await iptablesVersion({ family })).kind === kind;
  } catch (error) {
    if (error instanceof ProgramError) return false;
    throw error;
  }
}
