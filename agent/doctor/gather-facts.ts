// Reads what the doctor's checks judge from a node's kernel and files. It changes nothing.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ProgramError } from '../../kernel/exec.ts';
import { saveIptables } from '../../kernel/iptables/programs.ts';
import { isLockHeld } from '../../kernel/lock-held.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { Link } from '../../kernel/route/objects.ts';
import { openTcDriver } from '../../kernel/tc/driver.ts';
import { namesIn } from '../../runtime/names-in.ts';
import { type LifeQuestion, ownNetworks, surveyLife } from '../ipam/life-survey.ts';
import { openSysctls } from '../node-sysctls.ts';
import { createPodList } from '../pod-list.ts';
import { attachmentFileName, hostLinkName } from '../wiring/attachment.ts';
import { type AttachmentRecords, recordedRules } from '../wiring/attachment-record.ts';
import { limiterName } from '../wiring/bandwidth-plan.ts';
import { CniError } from '../wiring/cni-error.ts';
import { readNodeNetwork } from '../wiring/node-network.ts';
import { ruleOwners } from '../wiring/rules/rule-owners.ts';
import { forwardingKey } from './node-checks.ts';
import type { FilterTable, Forwarding, LeftFile, NodeFacts } from './node-facts.ts';

export interface FactSources {
  readonly runDirectory: string;
  readonly ipamDirectory: string;
  readonly subnetFile: string;
  readonly bridge: string;
  readonly masquerade: Forwarding['masquerade'];
  readonly records: AttachmentRecords;
  /** Names of the networks that the node's configuration has. */
  readonly networks: readonly string[];
  /** The directory of DELs that wait. */
  readonly queueDirectory: string;
  /** The directory of network configurations, and the name of ours. */
  readonly conflists: { readonly directory: string; readonly own: string };
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal;
  /** What a test says instead of the kernel. */
  readonly signs?: LifeQuestion['signs'];
}

export async function gatherFacts(sources: FactSources): Promise<NodeFacts> {
  const { ipamDirectory, runDirectory, netns } = sources;
  const { records, spoilt } = sources.records.all();
  const networks = ownNetworks({ ipamDirectory, configured: sources.networks, records });
  let links: readonly Link[] = [];
  const survey = await surveyLife({
    ipamDirectory,
    networks,
    records,
    runDirectory,
    hostLinks() {
      links = readLinks(netns);
      return links.map(({ name }) => name);
    },
    ...(sources.signs === undefined ? {} : { signs: sources.signs }),
  });
  return {
    now: Date.now(),
    survey,
    spoilt,
    links,
    claimedLinks: await readClaims(sources),
    usedLinks: readUsed(links, netns),
    strayRules: await readStrayRules(sources),
    leftFiles: [
      ...filesIn(join(runDirectory, 'locks'), () => 'lock'),
      ...[sources.records.directory, ...networks.map((network) => join(ipamDirectory, network))].flatMap(
        (directory) => filesIn(directory, temporary),
      ),
    ],
    queue: filesIn(sources.queueDirectory, queued),
    conflists: { ...sources.conflists, names: conflistNames(sources.conflists.directory) },
    forwarding: await readForwarding(sources),
  };
}

/** Read after the links, each of which was recorded before it was made: what is made meanwhile is nobody's orphan. */
async function readClaims({ records, ipamDirectory }: FactSources): Promise<ReadonlySet<string>> {
  const recorded = records
    .all()
    .records.flatMap(({ attachment, hostLink, bandwidth }) => [
      hostLink ?? hostLinkName(attachment),
      ...(bandwidth ? [limiterName(attachment)] : []),
    ]);
  const pods = await createPodList(ipamDirectory)();
  return new Set([...recorded, ...pods.map((pod) => pod.interface)]);
}

/** Records are read after the rules, before which each was written. */
async function readStrayRules({ records, netns }: FactSources): Promise<readonly string[]> {
  const owners = await ruleOwners({ netns });
  const recorded = new Set(
    recordedRules(records.all().records).map(({ attachment }) => attachmentFileName(attachment)),
  );
  return owners.filter((name) => !recorded.has(name));
}

function readLinks(netns: Netns | undefined): readonly Link[] {
  const route = openRouteDriver({ netns });
  try {
    return [...route.read().links.values()];
  } finally {
    route.close();
  }
}

function readUsed(links: readonly Link[], netns: Netns | undefined): ReadonlySet<string> {
  const pairs = links.filter(({ detail }) => detail.kind === 'veth');
  const running = pairs.filter((link) => link.running === true).map(({ name }) => name);
  if (!links.some(({ detail }) => detail.kind === 'ifb')) return new Set(running);
  const tc = openTcDriver({ netns });
  try {
    const { redirects } = tc.read(pairs.map(({ name }) => name));
    return new Set([...running, ...[...redirects.values()].map(({ to }) => to)]);
  } finally {
    tc.close();
  }
}

/** Never finished: what records and addresses are written by. */
function temporary(name: string): 'temporary' | undefined {
  return name.endsWith('.tmp') ? 'temporary' : undefined;
}

function queued(name: string): LeftFile['kind'] | undefined {
  if (name.startsWith('.')) return undefined;
  return name.endsWith('.bad') ? 'bad' : 'queued';
}

function filesIn(
  directory: string,
  kindOf: (name: string) => LeftFile['kind'] | undefined,
): readonly LeftFile[] {
  return namesIn(directory).flatMap((name): readonly LeftFile[] => {
    const kind = kindOf(name);
    const path = join(directory, name);
    const modifiedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (kind === undefined || modifiedAt === undefined) return [];
    return [{ kind, path, modifiedAt, isHeld: kind === 'lock' && isLockHeld(path) }];
  });
}

/** The endings that libcni reads, in its order: by bytes. */
function conflistNames(directory: string): readonly string[] {
  if (directory === '') return [];
  return namesIn(directory)
    .filter((name) => /\.(conf|conflist|json)$/.test(name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function readForwarding(sources: FactSources): Promise<Forwarding> {
  const podSubnets = readSubnets(sources).map(({ subnet }) => subnet);
  const sysctls = openSysctls(sources.netns);
  const values = podSubnets.map(forwardingKey).flatMap((key) => {
    const value = sysctls.read(key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    podSubnets,
    masquerade: sources.masquerade,
    filters: sources.masquerade === 'nftables' && podSubnets.length > 0 ? await readFilters(sources) : [],
    sysctls: new Map(values),
  };
}

/** None while the node has no lease. */
function readSubnets({ subnetFile, bridge }: FactSources) {
  try {
    return readNodeNetwork({ subnetFile, bridge }).subnets;
  } catch (error) {
    if (error instanceof CniError) return [];
    throw error;
  }
}

/** None where iptables is not installed: then nothing drops by its policy, either. */
async function readFilters({ netns, signal }: FactSources): Promise<readonly FilterTable[]> {
  const found: FilterTable[] = [];
  for (const family of [4, 6] as const) {
    try {
      const { chains, rules } = await saveIptables('filter', {
        family,
        netns,
        ...(signal === undefined ? {} : { signal }),
      });
      found.push({ family, forwardPolicy: chains.get('FORWARD') ?? 'ACCEPT', rules });
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
    }
  }
  return found;
}
