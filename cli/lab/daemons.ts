// Starts a lab's long-running processes, in its namespaces: the nodes' agents and the responder. Waiting until they are of
// use is agent-status.ts's and responder-client.ts's.
import { mkdirSync, readFileSync } from 'node:fs';
import { Netns } from '../../kernel/netns.ts';
import { type ProcessIdentity, startDaemon } from '../../kernel/process.ts';
import { packageRoot, programFile } from '../../runtime/package-files.ts';
import { labDirectory, netnsPath, serviceDirectory } from './lab-plan.ts';
import type { LabNode, LabState } from './lab-state.ts';

/**
 * What daemons find in their environment: nothing of the caller's, so that a NETLOOM_… variable of somebody's shell does
 * not change a lab. The cache is that of scripts/netloom.
 */
const environment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  NODE_COMPILE_CACHE: `${packageRoot}/node_modules/.cache/netloom`,
};

/** A smaller young generation: 13 MB less for each of the lab's processes, which have little to collect. */
const smallNode = [process.execPath, '--max-semi-space-size=1'] as const;

export interface NodePaths {
  readonly run: string;
  readonly socket: string;
  readonly proxySocket: string;
  readonly state: string;
  readonly cniConf: string;
  readonly ipam: string;
  readonly subnetFile: string;
  readonly log: string;
}

/** Directories rather than a mount namespace keep the nodes apart: whoever looks on finds all of them from outside. */
export function nodePaths(node: Pick<LabNode, 'directory'>): NodePaths {
  const { directory } = node;
  return {
    run: `${directory}/run`,
    socket: `${directory}/run/netloom.sock`,
    proxySocket: `${directory}/run/proxy.sock`,
    state: `${directory}/state`,
    cniConf: `${directory}/cni`,
    ipam: `${directory}/ipam`,
    subnetFile: `${directory}/subnet.env`,
    log: `${directory}/agent.log`,
  };
}

/** What the node's agent is told: settings by the names of their flags. */
function nodeSettings(state: LabState, node: LabNode): Readonly<Record<string, string>> {
  const paths = nodePaths(node);
  return {
    'node-name': node.name,
    'service-directory': serviceDirectory(state.name),
    'cluster-cidr': state.networks.map(({ pods }) => pods).join(','),
    'service-cidr': state.networks.map(({ services }) => services).join(','),
    'proxy-mode': state.proxyMode,
    // A pod that is removed answers for a quarter of a second more: by then rules must be changed, in iptables mode too.
    'min-sync-period': '10ms',
    // Of the whole machine, not of a namespace: a lab leaves them alone.
    'conntrack-max-per-core': '0',
    'conntrack-min': '0',
    'oom-score-adj': '0',
    'store-directory': `${labDirectory(state.name)}/store`,
    'run-directory': paths.run,
    'state-directory': paths.state,
    'subnet-file': paths.subnetFile,
    'cni-conf-directory': paths.cniConf,
    'ipam-directory': paths.ipam,
    iface: 'eth0',
  };
}

/** The node's settings and the lab's own for all nodes, as flags of `netloom node`. */
export function agentFlags(state: LabState, node: LabNode): readonly string[] {
  const own = Object.entries(nodeSettings(state, node)).map(([name, value]) => `--${name}=${value}`);
  return [...own, ...state.agentFlags];
}

/** The node's settings as environment: with it `netloom status` and the like mean this node. */
export function nodeEnvironment(state: LabState, node: LabNode): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(nodeSettings(state, node)).map(([name, value]) => [
      `NETLOOM_${name.toUpperCase().replaceAll('-', '_')}`,
      value,
    ]),
  );
}

export async function startAgent(state: LabState, node: LabNode): Promise<ProcessIdentity> {
  const paths = nodePaths(node);
  for (const directory of [paths.run, paths.state, paths.cniConf, paths.ipam]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  using netns = Netns.open(netnsPath(node.netns));
  return await startDaemon([...smallNode, programFile('cli/main'), 'node', ...agentFlags(state, node)], {
    logFile: paths.log,
    netns,
  });
}

export function responderSocket(lab: string): string {
  return `${labDirectory(lab)}/responder.sock`;
}

export function responderLog(lab: string): string {
  return `${labDirectory(lab)}/responder.log`;
}

/** Its own namespace is the fabric: a process that lives in none of a lab's could not be found by the lab's name. */
export async function startResponderProcess(state: LabState): Promise<ProcessIdentity> {
  using netns = Netns.open(netnsPath(state.fabric.netns));
  return await startDaemon(
    [...smallNode, programFile('cli/lab/main'), responderSocket(state.name), state.name],
    {
      logFile: responderLog(state.name),
      netns,
      env: environment,
    },
  );
}

/** The last lines of a log file, or why there are none. */
export function logTail(path: string, lines = 10): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines);
  } catch {
    return [`(no log in ${path})`];
  }
}
