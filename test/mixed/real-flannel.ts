// The real flanneld on a node, where it is on PATH. It stands in the driver's place (flannel-node.ts) in the same tests.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../agent/cluster.ts';
import type { FlannelNode, FlannelNodeOptions, FlannelRulesForm } from './flannel-node.ts';

export interface RealFlannelOptions extends Pick<FlannelNodeOptions, 'node' | 'rules'> {
  /** How it reaches the store, and what else the store wants. */
  readonly flags: readonly string[];
}

/** "v0.28.9"; undefined without the program. */
function flanneldVersion(): string | undefined {
  const { status, stdout, stderr } = spawnSync('flanneld', ['--version'], { encoding: 'utf8' });
  // It says so on standard error.
  return status === 0 ? `${stdout}${stderr}`.trim() : undefined;
}

/** Why something else must stand in for it; undefined where it runs. */
export function whyNoFlanneld(rules: FlannelRulesForm): string | undefined {
  if (flanneldVersion() === undefined) return 'it is not on PATH';
  // In iptables mode it wants to see that bridged packets meet iptables, and ends otherwise.
  const hasFilter = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables');
  return rules === 'nftables' || hasFilter ? undefined : 'this kernel has no br_netfilter';
}

/** Of what runs, for the names of tests. */
export function flannelName(rules: FlannelRulesForm): string {
  const why = whyNoFlanneld(rules);
  return why === undefined ? `flanneld ${flanneldVersion()}` : `what stands in for flanneld, because ${why}`;
}

/** What it finds as `iptables` is what it uses: a PATH where that is iptables-legacy. */
function legacyPath(directory: string): string {
  const bin = join(directory, 'legacy-bin');
  if (existsSync(bin)) return bin;
  mkdirSync(bin);
  for (const program of ['iptables', 'ip6tables'])
    for (const verb of ['', '-save', '-restore']) {
      const found = execFileSync('which', [`${program}-legacy${verb}`], { encoding: 'utf8' });
      symlinkSync(found.trim(), join(bin, `${program}${verb}`));
    }
  return bin;
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
    const { node, flags, rules } = this.#options;
    const before = `${rules === 'iptables-legacy' ? `${legacyPath(node.directory)}:` : ''}`;
    const path = join(node.directory, 'flanneld.log');
    const log = openSync(path, 'a');
    const written = (): number => statSync(node.subnetFile, { throwIfNoEntry: false })?.ino ?? 0;
    const old = written();
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
      { stdio: ['ignore', log, log], env: { PATH: `${before}${process.env['PATH']}`, NODE_NAME: node.name } },
    );
    closeSync(log);
    this.#child = child;
    await until(
      // It replaces the file once it has its lease and its rules.
      () => child.exitCode !== null || (written() !== old && written() !== 0),
      () => `flanneld on ${node.name}:\n${readFileSync(path, 'utf8')}`,
      30_000,
    );
    if (child.exitCode !== null) throw new Error(`flanneld ended:\n${readFileSync(path, 'utf8')}`);
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
