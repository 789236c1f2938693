// Reads what the doctor's checks judge from a node's kernel and files. It changes nothing.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isLockHeld } from '../../kernel/lock-held.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { Link, RouteState } from '../../kernel/route/objects.ts';
import { openTcDriver } from '../../kernel/tc/driver.ts';
import { namesIn } from '../../runtime/names-in.ts';
import { type LifeQuestion, ownNetworks, surveyLife } from '../ipam/life-survey.ts';
import { createPodList } from '../pod-list.ts';
import { attachmentFileName, hostLinkName } from '../wiring/attachment.ts';
import { type AttachmentRecords, recordedRules } from '../wiring/attachment-record.ts';
import { limiterName } from '../wiring/bandwidth-plan.ts';
import { ruleOwners } from '../wiring/rules/rule-owners.ts';
import { type ForwardingSources, readForwarding } from './gather-forwarding.ts';
import { readSurroundings, type SurroundingSources } from './gather-surroundings.ts';
import type { LeftFile, NodeFacts } from './node-facts.ts';

export interface FactSources extends ForwardingSources, SurroundingSources {
  readonly runDirectory: string;
  readonly ipamDirectory: string;
  readonly records: AttachmentRecords;
  /** Names of the networks that the node's configuration has. */
  readonly networks: readonly string[];
  /** The directory of DELs that wait. */
  readonly queueDirectory: string;
  /** The directory of network configurations, and the name of ours. */
  readonly conflists: { readonly directory: string; readonly own: string };
  /** What a test says instead of the kernel. */
  readonly signs?: LifeQuestion['signs'];
}

export async function gatherFacts(sources: FactSources): Promise<NodeFacts> {
  const { ipamDirectory, runDirectory, netns } = sources;
  const { records, spoilt } = sources.records.all();
  const networks = ownNetworks({ ipamDirectory, configured: sources.networks, records });
  let route: RouteState | undefined;
  const survey = await surveyLife({
    ipamDirectory,
    networks,
    records,
    runDirectory,
    hostLinks() {
      route = readRoutes(netns);
      return [...route.links.keys()];
    },
    ...(sources.signs === undefined ? {} : { signs: sources.signs }),
  });
  const state = route ?? readRoutes(netns);
  const links = [...state.links.values()];
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
    surroundings: await readSurroundings(sources, state),
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

function readRoutes(netns: Netns | undefined): RouteState {
  const route = openRouteDriver({ netns });
  try {
    return route.read();
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
