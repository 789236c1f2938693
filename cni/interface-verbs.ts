// ADD, DEL and CHECK of a pod's interface: alone, in a chain, and in the place of flannel's plugin.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { Mac } from '../net/mac.ts';
import { delegated, dropDelegate, keepDelegate, keptDelegate } from './flannel-state.ts';
import type { Dns, NetworkConfig } from './pod-network.ts';
import { readResolvConf } from './resolv-conf.ts';
import {
  type CniResult,
  chainedInterface,
  formatResult,
  mergeResults,
  ofInterface,
  readPrevResult,
  resultOf,
} from './result.ts';
import type { TargetRequest, VerbContext } from './verb-context.ts';
import { addRequest, bridgeOf, firewallWish, ipamDirectoryOf, placeOf, podName } from './wire-requests.ts';

export async function addInterface(request: TargetRequest, context: VerbContext): Promise<string> {
  const { config, target } = request;
  const previous = readPrevResult(config.prevResult);
  const isMade = previous !== undefined && chainedInterface(previous, target.ifname) !== undefined;
  const result = isMade
    ? await chain(request, { ...context, previous })
    : await wire(request, { ...context, previous });
  return formatResult(result, config.cniVersion);
}

/** An earlier plugin of the chain made the interface: it gets its ports and limits, and its result goes through. */
async function chain(
  { config, target }: TargetRequest,
  { wiring, previous }: VerbContext & { readonly previous: CniResult },
): Promise<CniResult> {
  await wiring.chain({
    ...placeOf(config, target),
    netns: target.netns,
    pod: podName(config),
    addresses: chainedInterface(previous, target.ifname)?.addresses.map(({ address }) => address) ?? [],
    hostLinks: previous.interfaces.flatMap(({ name, sandbox = '' }) => (sandbox === '' ? [name] : [])),
    firewall: firewallWish(config, { isChained: true }),
    bandwidth: config.bandwidth,
  });
  return previous;
}

async function wire(
  { config: asked, target }: TargetRequest,
  context: VerbContext & { readonly previous: CniResult | undefined },
): Promise<CniResult> {
  const { config, text } = delegated(asked);
  const request = addRequest(config, { target, node: context.node });
  const undo =
    text === undefined ? undefined : keepDelegate(asked, { containerId: target.containerId, text });
  try {
    const wired = await context.wiring.add(request);
    const own = resultOf(wired, { netns: target.netns, dns: dnsOf(config) });
    return mergeResults(context.previous, own);
  } catch (error) {
    undo?.();
    throw error;
  }
}

/** A file of name servers is looked at when a pod is made; what the configuration says itself wins. */
function dnsOf({ ipam, dns }: NetworkConfig): Dns {
  const path = ipam.kind === 'none' ? undefined : ipam.resolvConf;
  return path === undefined ? dns : { ...readResolvConf(path), ...dns };
}

export async function removeInterface(
  { config, target }: TargetRequest,
  { wiring }: VerbContext,
): Promise<void> {
  // Name and directories may have changed since: the file has those that are in force for this pod.
  const kept = keptDelegate(config, target.containerId) ?? config;
  await wiring.del({
    ...placeOf(kept, target),
    netns: target.netns,
    ipamDirectory: ipamDirectoryOf(kept),
  });
  dropDelegate(config, target.containerId);
}

export async function checkInterface(
  { config, target }: TargetRequest,
  { wiring, node }: VerbContext,
): Promise<void> {
  const previous = readPrevResult(config.prevResult);
  if (previous === undefined)
    throw new CniError(cniCodes.invalidConfig, 'Cannot check without prevResult: the configuration lacks it');
  const said = ofInterface(previous, target.ifname);
  if (said === undefined) {
    throw new CniError(
      cniCodes.checkFailed,
      `Cannot check interface "${target.ifname}": prevResult does not have it`,
    );
  }
  await wiring.check({
    ...placeOf(config, target),
    netns: target.netns,
    bridge: () => bridgeOf(config, node),
    ipamDirectory: ipamDirectoryOf(config),
    expected: { ...said, mac: said.mac === undefined ? undefined : Mac.tryParse(said.mac) },
    bandwidth: config.bandwidth,
  });
}
