// The real flanneld on a node, where it is on PATH. It stands in the driver's place (flannel-node.ts) in the same tests.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run, until } from '../agent/cluster.ts';
import type { FlannelNode, FlannelNodeOptions } from './flannel-node.ts';

export interface RealFlannelOptions extends FlannelNodeOptions {
  /** How it reaches the store, and what else the store wants. */
  readonly flags: readonly string[];
}

/** "v0.28.9"; undefined without the program. */
export function flanneldVersion(): string | undefined {
  try {
    // It says so on standard error.
    const said = execFileSync('sh', ['-c', 'flanneld --version 2>&1'], { encoding: 'utf8' });
    return said.trim();
  } catch {
    return undefined;
  }
}

/** In iptables mode it wants to see that bridged packets meet iptables, and ends where the kernel has no br_netfilter. */
export function whyNoIptablesMode(): string | undefined {
  if (existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')) return undefined;
  return 'flanneld needs br_netfilter for its iptables mode, and this kernel has none';
}

export class RealFlannel implements FlannelNode {
  readonly #options: RealFlannelOptions;
  #child: ChildProcess | undefined;

  constructor(options: RealFlannelOptions) {
    this.#options = options;
  }

  get #env(): string {
    const { subnetFile } = this.#options.node;
    return existsSync(subnetFile) ? readFileSync(subnetFile, 'utf8') : '';
  }

  get subnet(): string {
    return (/FLANNEL_SUBNET=(\S+)/.exec(this.#env)?.[1] ?? '').replace(/\.1\/24$/, '.0/24');
  }

  get mtu(): number {
    return Number(/FLANNEL_MTU=(\d+)/.exec(this.#env)?.[1]);
  }

  async start(): Promise<void> {
    const { node, flags } = this.#options;
    const path = join(node.directory, 'flanneld.log');
    const log = openSync(path, 'a');
    const written = (): number => statSync(node.subnetFile, { throwIfNoEntry: false })?.ino ?? 0;
    const before = written();
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${node.place.name}`,
        '--',
        'flanneld',
        '--iface=eth0',
        '--ip-masq',
        `--subnet-file=${node.subnetFile}`,
        '--healthz-ip=127.0.0.1',
        ...flags,
      ],
      { stdio: ['ignore', log, log], env: { PATH: process.env['PATH'], NODE_NAME: node.name } },
    );
    closeSync(log);
    this.#child = child;
    await until(
      // It replaces the file once it has its lease and its rules.
      () => child.exitCode !== null || (written() !== before && written() !== 0),
      () => `flanneld on ${node.name}:\n${readFileSync(path, 'utf8')}`,
      30_000,
    );
    if (child.exitCode !== null) throw new Error(`flanneld ended:\n${readFileSync(path, 'utf8')}`);
    // Its rules may still be on their way: it makes them beside.
    run(`ip netns exec ${node.place.name} ip link show`, { quiet: true });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
}
