// What each command does: a request becomes calls of the wiring, what it made becomes a result. Each returns what goes to
// standard output; empty means success without words.
import type { AddressOwner } from '../agent/ipam/reservation.ts';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { NodeNetwork } from '../agent/wiring/node-network.ts';
import type { AttachmentPlace, Wiring } from '../agent/wiring/wiring.ts';
import { Mac } from '../net/mac.ts';
import type { NetworkConfig } from './network-config.ts';
import type { CniRequest } from './request.ts';
import { formatResult, mergeResults, ofInterface, readPrevResult, resultOf } from './result.ts';
import { versionAnswer } from './versions.ts';

export interface VerbContext {
  readonly wiring: Wiring;
  /** The node's network for this configuration. Throws CniError (try again later) while there is none. */
  readonly node: (config: NetworkConfig) => NodeNetwork;
}

type TargetRequest = Extract<CniRequest, { kind: 'add' | 'del' | 'check' }>;

/** Rejects with CniError or KernelError. */
export async function runVerb(request: CniRequest, context: VerbContext): Promise<string> {
  switch (request.kind) {
    case 'about':
      return '';
    case 'version':
      return versionAnswer();
    case 'status':
      return status(request.config, context);
    case 'gc':
      if (request.valid !== undefined) await collect(request.config, { ...context, valid: request.valid });
      return '';
    case 'add':
      return await add(request, context);
    case 'del':
      await context.wiring.del({ ...placeOf(request), netns: request.target.netns });
      return '';
    case 'check':
      return await check(request, context);
    default:
      return request satisfies never;
  }
}

function placeOf({ config, target }: TargetRequest): AttachmentPlace {
  return {
    attachment: { network: config.name, containerId: target.containerId, ifname: target.ifname },
    ipamDirectory: config.ipamDirectory,
    runDirectory: config.runDirectory,
  };
}

/** Containers that are there do not suffer from a node without a lease: 50, not 51. */
function status(config: NetworkConfig, { node }: VerbContext): string {
  try {
    node(config);
    return '';
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause;
    throw new CniError(cniCodes.notAvailable, cause.message, { details: cause.details, cause });
  }
}

async function collect(
  { name, ipamDirectory, runDirectory }: NetworkConfig,
  { wiring, valid }: VerbContext & { readonly valid: readonly AddressOwner[] },
): Promise<void> {
  await wiring.collect({ network: name, ipamDirectory, runDirectory, valid });
}

async function add(request: TargetRequest, { wiring, node }: VerbContext): Promise<string> {
  const { config, target } = request;
  const previous = readPrevResult(config.prevResult);
  const { netns } = target;
  const wired = await wiring.add({
    ...placeOf(request),
    netns,
    node: node(config),
    mtu: config.mtu,
    hairpin: config.hairpinMode,
  });
  const result = mergeResults(previous, resultOf(wired, { netns, dns: config.dns }));
  return formatResult(result, config.cniVersion);
}

async function check(request: TargetRequest, { wiring, node }: VerbContext): Promise<string> {
  const { config, target } = request;
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
    ...placeOf(request),
    netns: target.netns,
    bridge: node(config).bridge,
    expected: { ...said, mac: said.mac === undefined ? undefined : Mac.tryParse(said.mac) },
  });
  return '';
}
