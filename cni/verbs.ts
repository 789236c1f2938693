// What each command does: a request becomes calls of the wiring, what it made becomes a result. Each returns what goes to
// standard output; empty means success without words.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { delegated } from './flannel-state.ts';
import { addInterface, checkInterface, removeInterface } from './interface-verbs.ts';
import type { NetworkConfig } from './pod-network.ts';
import type { CniRequest } from './request.ts';
import { formatResult, loopbackResult, readPrevResult } from './result.ts';
import type { TargetRequest, VerbContext } from './verb-context.ts';
import { versionAnswer } from './versions.ts';
import { addressSets, ipamDirectoryOf } from './wire-requests.ts';

/** Rejects with CniError or KernelError. */
export async function runVerb(request: CniRequest, context: VerbContext): Promise<string> {
  switch (request.kind) {
    case 'about':
      return '';
    case 'version':
      return versionAnswer();
    case 'status':
      await status(request.config, context);
      return '';
    case 'gc':
      await collect(request, context);
      return '';
    case 'add':
    case 'del':
    case 'check':
      return request.config.role === 'loopback'
        ? loopback(request, context)
        : await onInterface(request, context);
    default:
      return request satisfies never;
  }
}

async function onInterface(request: TargetRequest, context: VerbContext): Promise<string> {
  switch (request.kind) {
    case 'add':
      return await addInterface(request, context);
    case 'del':
      await removeInterface(request, context);
      return '';
    case 'check':
      await checkInterface(request, context);
      return '';
    default:
      return request.kind satisfies never;
  }
}

/** What an earlier plugin answered goes through: containerd calls this beside the pod's own network, not in its chain. */
function loopback({ kind, config, target: { netns } }: TargetRequest, { wiring }: VerbContext): string {
  switch (kind) {
    case 'add': {
      const previous = readPrevResult(config.prevResult);
      wiring.loopback.add(netns);
      return formatResult(previous ?? loopbackResult(netns), config.cniVersion);
    }
    case 'del':
      wiring.loopback.del(netns);
      return '';
    case 'check':
      wiring.loopback.check(netns);
      return '';
    default:
      return kind satisfies never;
  }
}

/**
 * Not available (50) while no pod can be added. Limited (51) when pods are there whose node has lost its lease: others have no
 * way to them.
 */
async function status(config: NetworkConfig, context: VerbContext): Promise<void> {
  if (config.role === 'loopback') return;
  const { wiring } = context;
  const place = { network: config.name, runDirectory: config.runDirectory };
  try {
    const own = delegated(config).config;
    const sets = addressSets(own, context.node);
    if (own.ipam.kind === 'none') return;
    const ipamDirectory = own.ipam.directory;
    if (await wiring.hasFree({ network: config.name, ipamDirectory }, sets)) return;
  } catch (cause) {
    if (!(cause instanceof CniError) || cause.code !== cniCodes.tryAgainLater) throw cause;
    const code = wiring.isUsed(place) ? cniCodes.limited : cniCodes.notAvailable;
    throw new CniError(code, cause.message, { details: cause.details, cause });
  }
  throw new CniError(cniCodes.notAvailable, `Network "${config.name}" has no address left`);
}

/** A list that is missing is no empty one: a tool that passes none must not cost anybody his pods. */
async function collect(
  { config, valid }: Extract<CniRequest, { kind: 'gc' }>,
  { wiring }: VerbContext,
): Promise<void> {
  if (valid === undefined || config.role === 'loopback') return;
  const { name: network, runDirectory } = config;
  await wiring.collect({ network, runDirectory, ipamDirectory: ipamDirectoryOf(config), valid });
}
