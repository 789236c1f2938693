// A node for tests of chained plugins: an empty namespace in which lists are run that make their own bridge, pods with a server in
// them, and what is left behind. It has no agent.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginConfig } from '../../cli/libcni/config-list.ts';
import { LibCni } from '../../cli/libcni/libcni.ts';
import { execute } from '../../kernel/exec.ts';
import { Netns } from '../../kernel/netns.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { ownDirectory, referenceDirectory } from './reference-plugins.ts';

export const network = 'chain';

export interface ChainNode extends AsyncDisposable {
  readonly directory: string;
  readonly hostNetns: string;
  /** Path of a new pod's namespace. */
  pod(): string;
  /** The pod's namespace goes, and its links with it. */
  losePod(path: string): Promise<void>;
  runtime(
    list: { readonly cniVersion: string; readonly plugins: readonly PluginConfig[] },
    options?: { readonly cache?: boolean },
  ): LibCni;
  /** Answers every connection to port 80 of the pod with "hello". */
  serve(pod: string): Promise<void>;
  /** What a connection from the node to this address gives; rejects when there is none. */
  connect(address: string, port: number): Promise<string>;
  /** What a program prints in the node's namespace, or in a pod's. */
  run(command: string, netns?: string): Promise<string>;
  /** Links of pods, address files, and lines of the rulesets with a text that `sign` matches. */
  remains(sign: RegExp): Promise<{
    readonly links: readonly string[];
    readonly addresses: readonly string[];
    readonly rules: readonly string[];
  }>;
}

export function makeChainNode(): ChainNode {
  const host = testNetns();
  const directory = mkdtempSync(join(tmpdir(), 'netloom-chain-'));
  const pods = new Map<string, TestNetns>();
  const servers: ChildProcess[] = [];
  const hostNetns = host.netns.path;
  const run = async (command: string, path = hostNetns): Promise<string> => {
    using netns = Netns.open(path);
    const [program = '', ...args] = command.split(' ');
    return (await execute([program, ...args], { netns })).stdout;
  };
  const links = async (): Promise<readonly string[]> =>
    (await Promise.all([run('ip -o link show type veth'), run('ip -o link show type ifb')]))
      .flatMap((text) => text.split('\n'))
      .filter((line) => line !== '');
  return {
    directory,
    hostNetns,
    run,
    pod() {
      const pod = testNetns();
      pods.set(pod.netns.path, pod);
      return pod.netns.path;
    },
    async losePod(path) {
      const before = await links();
      pods.get(path)?.[Symbol.dispose]();
      pods.delete(path);
      // The kernel does it later.
      while ((await links()).length === before.length) await sleep(20);
    },
    runtime: (list, { cache = true } = {}) =>
      new LibCni({
        list: { name: network, ...list },
        pluginDirectories: [ownDirectory, referenceDirectory ?? ''],
        ...(cache ? { cacheDirectory: join(directory, 'results') } : {}),
        hostNetns,
      }),
    async serve(pod) {
      const server = spawn('nsenter', [`--net=${pod}`, '--', process.execPath, '-e', serverText], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      servers.push(server);
      await once(server.stdout, 'data');
    },
    async connect(address, port) {
      const command = [process.execPath, '-e', clientText, address, String(port)] as const;
      using netns = Netns.open(hostNetns);
      return (await execute(command, { netns })).stdout;
    },
    async remains(sign) {
      const rules = `${await run('iptables-save')}\n${await run('nft list ruleset')}`.split('\n');
      return {
        links: await links(),
        addresses: addressesIn(directory),
        rules: rules.filter((line) => sign.test(line)),
      };
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.kill('SIGKILL');
        if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      }
      for (const pod of pods.values()) pod[Symbol.dispose]();
      host[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const serverText = `require('net').createServer((socket) => socket.end('hello')).listen(80, '0.0.0.0', () => console.log('ready'))`;
const clientText = `
const [address, port] = process.argv.slice(1);
const socket = require('net').connect({ host: address, port: Number(port), timeout: 3000 });
socket.on('data', (data) => process.stdout.write(data));
socket.on('timeout', () => socket.destroy(new Error('timeout')));
`;

function addressesIn(directory: string): readonly string[] {
  const addresses = join(directory, 'networks', network);
  return existsSync(addresses)
    ? readdirSync(addresses).filter((name) => /^\d+\.\d+\.\d+\.\d+$/.test(name))
    : [];
}
