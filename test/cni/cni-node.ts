// A node for tests of the plugin: a namespace with the bridge and the files that an agent would leave, with a server that
// answers the plugin as the agent does, or without. Not an agent.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addCniRoute } from '../../agent/cni-route.ts';
import { nodeSubnet } from '../../agent/wiring/node-network.ts';
import { pluginDirectory } from '../../cli/lab/plugin-directory.ts';
import { LibCni } from '../../cli/libcni/libcni.ts';
import { createCniHandler } from '../../cni/cni-handler.ts';
import { conflistText } from '../../cni/conflist.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { Prefix } from '../../net/prefix.ts';
import { createHttpServer } from '../../runtime/http.ts';
import { testNetns } from '../sandbox.ts';

const gateways = [Prefix.parse('10.244.1.1/24'), Prefix.parse('fd00:244:1::1/64')] as const;
const mtu = 1450;

export interface CniNodeOptions {
  /** True: a server with the agent's handler listens; false: the plugin is on its own. */
  readonly agent: boolean;
  readonly families?: 1 | 2;
}

export interface CniNode extends AsyncDisposable {
  /** Path of the node's namespace. */
  readonly hostNetns: string;
  /** Path of a new pod's namespace. */
  pod(): string;
  runtime(options?: {
    readonly cniVersion?: string;
    readonly config?: Readonly<Record<string, unknown>>;
    /** False: one that has lost its results. */
    readonly cache?: boolean;
  }): LibCni;
  /** Names of the links that pods have on the host. */
  veths(): readonly string[];
  /** Names of the address files. */
  addresses(): readonly string[];
  readonly directory: string;
}

const silent = { debug: () => undefined, error: () => undefined };

export async function makeCniNode({ agent, families = 1 }: CniNodeOptions): Promise<CniNode> {
  const own = gateways.slice(0, families);
  const host = testNetns();
  const pods: Disposable[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'netloom-cni-'));
  const run = join(directory, 'run');
  mkdirSync(run, { mode: 0o700 });
  const subnetFile = join(directory, 'subnet.env');
  writeFileSync(subnetFile, subnetEnv(families));
  const list = JSON.parse(
    conflistText({
      bridge: 'cni0',
      runDirectory: run,
      stateDirectory: join(directory, 'state'),
      subnetFile,
      ipamDirectory: join(directory, 'networks'),
    }),
  );
  makeBridge(host, own);
  const server = agent ? await serve({ host, directory, own }) : undefined;
  return {
    hostNetns: host.netns.path,
    directory,
    pod() {
      const pod = testNetns();
      pods.push(pod);
      return pod.netns.path;
    },
    runtime: ({ cniVersion = '1.1.0', config = {}, cache = true } = {}) =>
      new LibCni({
        list: { ...list, cniVersion, plugins: [{ ...list.plugins[0], ...config }] },
        pluginDirectories: [pluginDirectory()],
        ...(cache ? { cacheDirectory: join(directory, 'results') } : {}),
        hostNetns: host.netns.path,
      }),
    veths() {
      const driver = openRouteDriver({ netns: host.netns });
      const names = [...driver.read().links.values()].filter(({ detail }) => detail.kind === 'veth');
      driver.close();
      return names.map(({ name }) => name);
    },
    addresses: () => {
      try {
        return readdirSync(join(directory, 'networks', 'cbr0')).filter((name) =>
          /^([\d.]+|fd.*)$/.test(name),
        );
      } catch {
        return [];
      }
    },
    async [Symbol.asyncDispose]() {
      await server?.close();
      for (const pod of pods) pod[Symbol.dispose]();
      host[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function makeBridge(host: ReturnType<typeof testNetns>, own: readonly Prefix[]): void {
  const driver = openRouteDriver({ netns: host.netns });
  const failed = driver
    .apply([
      { kind: 'link-add', link: { name: 'cni0', detail: { kind: 'bridge' }, up: true, mtu } },
      ...own.map(
        (prefix) => ({ kind: 'address-add', address: { link: 'cni0', prefix, noDad: true } }) as const,
      ),
    ])
    .find(({ error }) => error !== undefined);
  driver.close();
  if (failed?.error !== undefined) throw failed.error;
  writeSysctl('net/ipv6/conf/cni0/accept_dad', '0', { netns: host.netns });
}

async function serve(options: {
  readonly host: ReturnType<typeof testNetns>;
  readonly directory: string;
  readonly own: readonly Prefix[];
}): Promise<{ close(): Promise<void> }> {
  const { host, directory, own } = options;
  const handler = createCniHandler({
    stateDirectory: join(directory, 'state'),
    node: () => ({ bridge: 'cni0', mtu, subnets: own.map(nodeSubnet) }),
    netns: host.netns,
  });
  const server = createHttpServer({ log: silent, routes: (app) => addCniRoute(app, handler) });
  await server.listenUnix(join(directory, 'run', 'netloom.sock'));
  return {
    async close() {
      await server.close();
      await handler.close();
    },
  };
}

function subnetEnv(families: 1 | 2): string {
  const lines = ['FLANNEL_NETWORK=10.244.0.0/16', `FLANNEL_SUBNET=${gateways[0]}`];
  if (families === 2) lines.push('FLANNEL_IPV6_NETWORK=fd00:244::/48', `FLANNEL_IPV6_SUBNET=${gateways[1]}`);
  return `${[...lines, `FLANNEL_MTU=${mtu}`, 'FLANNEL_IPMASQ=true'].join('\n')}\n`;
}
