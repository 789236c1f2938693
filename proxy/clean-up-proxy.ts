// Takes away all that a proxy of this node made or took over: the rules of every mode in both families, and what kube-proxy left.
// Other programs' rules, services and limits of connection tracking stay.
import type { Netns } from '../kernel/netns.ts';
import { Poller } from '../kernel/poller.ts';
import type { Family } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { cleanUpIpvs } from './ipvs/clean-up-ipvs.ts';
import { defaultIpvsChoices } from './ipvs/ipvs-choices.ts';
import { removeLeftovers } from './leftovers/remove-leftovers.ts';
import { createModeOpener } from './open-mode.ts';
import { type ProxyModeName, proxyModes } from './proxy-mode.ts';

export interface CleanUpProxyOptions {
  readonly netns?: Netns | undefined;
  /** Virtual servers of IPVS in these are others'. */
  readonly excludePrefixes?: readonly Prefix[] | undefined;
  readonly signal: AbortSignal;
}

export interface ProxyCleanup {
  /** What was removed, in words. */
  readonly removed: readonly string[];
  /** What could not be, or not be looked at, with the reason. */
  readonly left: readonly string[];
}

const families: readonly Family[] = [4, 6];

/** Goes on past what fails. The proxy must not run: it would put its rules back. */
export async function cleanUpProxy({
  netns,
  excludePrefixes = [],
  signal,
}: CleanUpProxyOptions): Promise<ProxyCleanup> {
  const removed: string[] = [];
  const left: string[] = [];
  for (const mode of proxyModes) {
    for (const family of families) {
      signal.throwIfAborted();
      try {
        removed.push(...(await cleanUpMode(mode, family, { netns, excludePrefixes })));
      } catch (error) {
        left.push(errorMessage(error));
      }
    }
  }
  // Nothing of nftables is there any more to be kept.
  const others = await removeLeftovers({ keep: 'nftables', netns, families, signal });
  return { removed: [...removed, ...others.removed], left: [...new Set([...left, ...others.left])] };
}

async function cleanUpMode(
  name: ProxyModeName,
  family: Family,
  {
    netns,
    excludePrefixes,
  }: { readonly netns: Netns | undefined; readonly excludePrefixes: readonly Prefix[] },
): Promise<readonly string[]> {
  if (name === 'ipvs') {
    const { removed, left } = await cleanUpIpvs({
      family,
      netns,
      excludePrefixes,
      when: 'now',
      rules: true,
    });
    if (left.length > 0) throw new Error(left.join('; '));
    return removed;
  }
  const poller = new Poller();
  const options = { mode: name, families: [family], serviceCounters: false, ipvs: defaultIpvsChoices };
  const opener = createModeOpener({ options, netns, poller });
  try {
    const { mode } = await opener.open(family);
    try {
      return await mode.cleanUp();
    } finally {
      mode.close();
    }
  } finally {
    opener.close();
    await poller.close();
  }
}
