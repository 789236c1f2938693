// Our side of the path's benchmark: the agent of each machine as a process of its own, with a store in a directory, makes the way
// between the pods.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSubnetEnv } from '../../../agent/wiring/subnet-env.ts';
import { isRunning, startDaemon, stopProcesses } from '../../../kernel/process.ts';
import { programFile } from '../../../runtime/package-files.ts';
import { awaitAgent } from '../../lab/agent-status.ts';
import type { PathBackend } from './path-backends.ts';
import { type PathHost, type PathHosts, wire, wirePod } from './path-hosts.ts';
import { environment, type Place } from './path-process.ts';
import type { PathEnds } from './path-side.ts';

/** Milliseconds until an agent is ready that can be: more than any takes here. */
const readyTime = 15_000;

/** Rejects with the agent's own words when this machine cannot have such a backend. */
export async function makeOurPath(
  { first, second }: PathHosts,
  options: Omit<Place, 'home'> & { readonly backend: PathBackend; readonly made: AsyncDisposableStack },
): Promise<PathEnds> {
  const store = join(options.directory, 'store');
  mkdirSync(store, { mode: 0o700 });
  writeFileSync(
    join(store, 'config'),
    JSON.stringify({ Network: '10.64.0.0/16', Backend: options.backend.config }),
  );
  const agents = [];
  for (const host of [first, second]) {
    agents.push({ host, ...(await startAgent(host, { ...options, store })) });
  }
  const addresses = [];
  for (const { host, ready, subnetFile } of agents) {
    await ready();
    const { ip4, mtu } = parseSubnetEnv(readFileSync(subnetFile, 'utf8'));
    if (ip4 === undefined) throw new Error(`Cannot measure: "${subnetFile}" has no IPv4 subnet`);
    addresses.push(await wirePod(host, { subnet: ip4.gateway.network(), mtu }));
  }
  const [from, to] = addresses;
  if (from === undefined || to === undefined) throw new Error('Cannot measure without two pods');
  return { from, to };
}

async function startAgent(
  { number, machine }: PathHost,
  {
    directory,
    store,
    signal,
    made,
  }: Omit<Place, 'home'> & { readonly store: string; readonly made: AsyncDisposableStack },
) {
  const own = join(directory, `machine-${number}`);
  for (const name of ['run', 'state', 'ipam']) mkdirSync(join(own, name), { recursive: true, mode: 0o700 });
  const subnetFile = join(own, 'subnet.env');
  const flags = {
    'node-name': `bench-${number}`,
    'store-directory': store,
    'run-directory': join(own, 'run'),
    'state-directory': join(own, 'state'),
    'ipam-directory': join(own, 'ipam'),
    'subnet-file': subnetFile,
    'cni-conf-directory': '',
    iface: wire,
  };
  const identity = await startDaemon(
    [
      process.execPath,
      programFile('cli/main'),
      'agent',
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ],
    { logFile: join(own, 'agent.log'), netns: machine.netns, env: environment },
  );
  made.defer(() => stopProcesses([identity], { grace: 5000 }));
  return {
    subnetFile,
    ready: () =>
      awaitAgent({
        socketPath: join(own, 'run', 'netloom.sock'),
        peers: 1,
        timeout: readyTime,
        alive: () => isRunning(identity),
        signal,
      }),
  };
}
