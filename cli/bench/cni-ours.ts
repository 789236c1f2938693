// Our side of `netloom bench cni`: an agent's process in the node's namespace, and the plugin as a runtime starts it, by the
// configuration that the agent has installed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, startDaemon, stopProcesses } from '../../kernel/process.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { Prefix } from '../../net/prefix.ts';
import { programFile } from '../../runtime/package-files.ts';
import { awaitAgent } from '../lab/agent-status.ts';
import { pluginDirectory } from '../lab/plugin-directory.ts';
import { readConfigList } from '../libcni/config-list.ts';
import { LibCni } from '../libcni/libcni.ts';
import { openAgentDirectory } from './bench-agent.ts';
import { openBenchNetns } from './bench-netns.ts';
import {
  type CniSide,
  containerId,
  firstCrowdPort,
  longestCall,
  openPodNamespaces,
  type PodNamespaces,
  writeAddressFiles,
} from './cni-side.ts';
import { makeUnderlay, underlay } from './vxlan-peers.ts';

/** How many ADDs make a crowd at once. */
const crowdAtOnce = 4;

export async function openOurSide(options: {
  readonly pods: number;
  readonly signal: AbortSignal;
}): Promise<CniSide> {
  await using made = new AsyncDisposableStack();
  const home = made.use(openBenchNetns());
  const directory = made.use(openAgentDirectory()).path;
  const pods = made.use(openPodNamespaces(`${home.name}-pod`, options.pods));
  const { subnet } = made.use(await startNode(home, { directory, signal: options.signal }));
  const ipam = join(directory, 'ipam');
  const list = readConfigList(join(directory, 'cni'));
  const runtime = new LibCni({
    list: {
      ...list,
      plugins: list.plugins.map((plugin) => ({ ...plugin, capabilities: { portMappings: true } })),
    },
    pluginDirectories: [pluginDirectory()],
    cacheDirectory: join(directory, 'results'),
    hostNetns: home.netns.path,
    timeout: longestCall,
  });
  let crowd: PodNamespaces | undefined;
  made.defer(() => crowd?.[Symbol.dispose]());
  const all = made.move();
  return {
    name: 'Netloom',
    runtime,
    hasStatus: true,
    pods: pods.paths,
    async crowd(count) {
      crowd = openPodNamespaces(`${home.name}-crowd`, count);
      const rest = crowd.paths.entries();
      const worker = async (): Promise<void> => {
        for (const [i, netns] of rest) {
          options.signal.throwIfAborted();
          await runtime.add({
            containerId: containerId(`crowd ${i}`),
            netns,
            capabilityArgs: {
              portMappings: [{ hostPort: firstCrowdPort + i, containerPort: 80, protocol: 'tcp' }],
            },
          });
        }
      };
      await Promise.all(Array.from({ length: crowdAtOnce }, worker));
    },
    async takeAddresses(count) {
      writeAddressFiles(join(ipam, list.name), { first: subnet.address.plus(2), count });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A node with its agent, ready to wire pods. */
async function startNode(
  { netns }: Pick<ReturnType<typeof openBenchNetns>, 'netns'>,
  { directory, signal }: { readonly directory: string; readonly signal: AbortSignal },
): Promise<AsyncDisposable & { readonly subnet: Prefix }> {
  const driver = openRouteDriver({ netns });
  makeUnderlay(driver);
  driver.close();
  for (const name of ['store', 'run', 'state', 'cni', 'ipam'])
    mkdirSync(join(directory, name), { mode: 0o700 });
  // A subnet with room for the addresses of the large cases.
  const config = { Network: '10.0.0.0/8', SubnetLen: 16, Backend: { Type: 'host-gw' } };
  writeFileSync(join(directory, 'store', 'config'), JSON.stringify(config));
  const flags = {
    'node-name': 'bench-node',
    'store-directory': 'store',
    'run-directory': 'run',
    'state-directory': 'state',
    'subnet-file': 'subnet.env',
    'cni-conf-directory': 'cni',
    'ipam-directory': 'ipam',
  };
  const identity = await startDaemon(
    [
      process.execPath,
      programFile('cli/main'),
      'agent',
      `--iface=${underlay}`,
      ...Object.entries(flags).map(([flag, name]) =>
        flag === 'node-name' ? `--${flag}=${name}` : `--${flag}=${join(directory, name)}`,
      ),
    ],
    {
      logFile: join(directory, 'agent.log'),
      netns,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  );
  const stop = () => stopProcesses([identity], { grace: 5000 });
  try {
    const status = await awaitAgent({
      socketPath: join(directory, 'run', 'netloom.sock'),
      peers: 0,
      timeout: 30_000,
      alive: () => isRunning(identity),
      signal,
    });
    return { subnet: Prefix.parse(status.lease?.subnet ?? ''), [Symbol.asyncDispose]: stop };
  } catch (cause) {
    await stop();
    throw new Error('Cannot measure the plugin: its agent did not become ready', { cause });
  }
}
