// Whatever comes in by environment and standard input: the plugin refuses it in one JSON document, or reads it into values that
// are safe in paths, rules and netlink messages. Needs no kernel. NETLOOM_FUZZ_SEED chooses other cases, NETLOOM_FUZZ_CASES how
// many: each run of scripts/test has 250,000 others, and a million, NETLOOM_FUZZ_CASES=1000000, takes three minutes.
import { expect, test } from '@jest/globals';
import { CniError, cniCodes } from '../../agent/wiring/cni-error.ts';
import { parseSubnetEnv } from '../../agent/wiring/subnet-env.ts';
import { delegatePath, delegateText, flannelDelegate, readDelegateText } from '../../cni/flannel-delegate.ts';
import { failedOutput } from '../../cni/plugin.ts';
import type { IpamOptions, NetworkConfig } from '../../cni/pod-network.ts';
import { type CniRequest, type PluginInput, parseRequest } from '../../cni/request.ts';
import {
  type CniResult,
  chainedInterface,
  formatResult,
  loopbackResult,
  mergeResults,
  ofInterface,
  readPrevResult,
} from '../../cni/result.ts';
import { isSupportedVersion } from '../../cni/versions.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { transports } from '../../net/transport.ts';
import { chanceOf, fuzzCase } from './fuzz-cases.ts';

const seed = Number(process.env['NETLOOM_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const cases = Number(process.env['NETLOOM_FUZZ_CASES'] ?? 50_000);

/** Jest's own matchers would cost most of the time. */
function must(condition: boolean, what: string, value: unknown): void {
  if (!condition) throw new Error(`${what}: ${JSON.stringify(value).slice(0, 500)}`);
}

/** Most cases end in an error, and nobody reads where it was thrown: the case says it all. */
Error.stackTraceLimit = 0;

const identifier = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
const linkName = /^[a-zA-Z0-9_@.+-]{1,15}$/;
const podName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const control = /[\u0000-\u001f\u007f]/;

function mustBePath(path: string): void {
  must(path.startsWith('/') && !control.test(path) && !path.split('/').includes('..'), 'path', path);
}

const between = (value: unknown, least: number, most: number) =>
  must(Number.isInteger(value) && Number(value) >= least && Number(value) <= most, 'number', value);

function mustBeAddress(address: unknown): void {
  must(address instanceof IpAddress && !address.isIp4Mapped && !address.isUnspecified, 'address', address);
}

function checkIpam(ipam: IpamOptions): void {
  if (ipam.kind === 'none') return;
  mustBePath(ipam.directory);
  if (ipam.resolvConf !== undefined) mustBePath(ipam.resolvConf);
  for (const { destination, gateway, scope, ...numbers } of ipam.routes) {
    must(destination instanceof Prefix && destination.isNetwork, 'destination', destination);
    if (gateway !== undefined)
      must(gateway instanceof IpAddress && gateway.family === destination.family, 'gateway', gateway);
    must(scope === undefined || [0, 253, 254].includes(scope), 'scope', scope);
    for (const value of Object.values(numbers)) if (value !== undefined) between(value, 0, 0xffffffff);
  }
  if (ipam.kind === 'node') return;
  must(ipam.sets.length > 0, 'sets', ipam.sets);
  for (const set of ipam.sets) {
    must(set.length > 0 && new Set(set.map(({ subnet }) => subnet.family)).size === 1, 'set', set);
    for (const { subnet, ...addresses } of set) {
      must(
        subnet instanceof Prefix && subnet.isNetwork && subnet.bits - subnet.length >= 2,
        'subnet',
        subnet,
      );
      for (const address of Object.values(addresses))
        if (address !== undefined) must(subnet.contains(address), 'address of the subnet', address);
    }
  }
}

function checkBridge(bridge: NetworkConfig['bridge']): void {
  const { name, mtu, vlan, vlanTrunk, ...flags } = bridge;
  must(linkName.test(name) && name !== '.' && name !== '..', 'bridge', name);
  if (mtu !== undefined) between(mtu, 68, 65535);
  if (vlan !== undefined) between(vlan, 1, 4094);
  let before = 0;
  for (const { first, last } of vlanTrunk) {
    between(first, before + 1, 4094);
    between(last, first, 4094);
    before = last;
  }
  for (const flag of Object.values(flags)) must(typeof flag === 'boolean', 'flag', flags);
  must(!(bridge.hairpin && bridge.promiscuous), 'hairpin and promiscuous', bridge);
}

function checkConfig(config: NetworkConfig): void {
  must(identifier.test(config.name), 'name', config.name);
  must(isSupportedVersion(config.cniVersion), 'version', config.cniVersion);
  for (const path of [config.runDirectory, config.stateDirectory, config.subnetFile, config.flannelDirectory])
    mustBePath(path);
  checkBridge(config.bridge);
  checkIpam(config.ipam);
  for (const { protocol, hostPort, containerPort, hostIp } of config.ports.mappings) {
    must(transports.includes(protocol), 'protocol', protocol);
    between(hostPort, 1, 65535);
    between(containerPort, 1, 65535);
    if (hostIp !== undefined) mustBeAddress(hostIp);
  }
  must(['nftables', 'iptables'].includes(config.ports.backend), 'backend', config.ports);
  must(['needed', 'all', 'none'].includes(config.ports.masquerade), 'masquerade', config.ports);
  for (const limit of [config.bandwidth?.ingress, config.bandwidth?.egress]) {
    if (limit === undefined) continue;
    between(limit.rate, 1, Number.MAX_SAFE_INTEGER);
    between(limit.burst, 1, Number.MAX_SAFE_INTEGER);
  }
  const { mac, pod, dns } = config;
  if (mac !== undefined) must(mac instanceof Mac && !mac.isMulticast && !mac.isZero, 'MAC', mac);
  config.requested.forEach(mustBeAddress);
  if (pod !== undefined) must(podName.test(pod.namespace) && podName.test(pod.name), 'pod', pod);
  const { nameservers = [], domain = '', search = [], options = [] } = dns;
  for (const text of [...nameservers, domain, ...search, ...options, ...config.aliases])
    must(typeof text === 'string' && !control.test(text), 'text', text);
}

const subnetEnv = parseSubnetEnv(
  'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=fd00::/56\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
);

function checkFlannel(config: NetworkConfig, containerId: string): void {
  const path = delegatePath(config, containerId);
  const parts = config.flannelDirectory.split('/').filter((part) => part !== '' && part !== '.');
  must(path === `/${[...parts, containerId].join('/')}`, 'file', path);
  const delegate = flannelDelegate(config, subnetEnv);
  checkConfig(delegate);
  const back = readDelegateText(delegateText(config, subnetEnv), config);
  if (back === undefined) throw new Error('the file cannot be read back');
  checkConfig(back);
  const directoryOf = ({ ipam }: NetworkConfig) => (ipam.kind === 'none' ? '' : ipam.directory);
  must(back.name === config.name && directoryOf(back) === directoryOf(delegate), 'file read back', back.name);
}

const ours: CniResult = loopbackResult('/run/netns/x');

/** What ADD would print, were the wiring to succeed. */
function checkAnswer({ cniVersion, prevResult }: NetworkConfig, ifname: string): void {
  const previous = readPrevResult(prevResult);
  if (previous !== undefined) {
    ofInterface(previous, ifname);
    chainedInterface(previous, ifname);
  }
  const answer = JSON.parse(formatResult(mergeResults(previous, ours), cniVersion));
  must(answer.cniVersion === cniVersion, 'version of the answer', answer);
  must(Array.isArray(answer.ips) || typeof answer.ip4 === 'object', 'addresses of the answer', answer);
}

function checkRequest(request: CniRequest): void {
  if (request.kind === 'about' || request.kind === 'version') return;
  checkConfig(request.config);
  if (request.kind === 'status') return;
  if (request.kind === 'gc') {
    for (const { containerId, ifname } of request.valid ?? [])
      must(typeof containerId === 'string' && typeof ifname === 'string', 'valid attachment', request.valid);
    return;
  }
  const { containerId, ifname, netns } = request.target;
  must(identifier.test(containerId), 'container', containerId);
  must(linkName.test(ifname) && ifname !== '.' && ifname !== '..', 'interface', ifname);
  must(
    (netns.startsWith('/') && !netns.includes('\0')) || (netns === '' && request.kind === 'del'),
    'netns',
    netns,
  );
  if (request.config.role === 'flannel') checkFlannel(request.config, containerId);
  if (request.kind === 'add') checkAnswer(request.config, ifname);
}

const codes: readonly number[] = Object.values(cniCodes).filter((code) => code !== cniCodes.internal);

/** True when it was read; false when it was refused, as it has to be. */
function accepted(input: PluginInput): boolean {
  try {
    checkRequest(parseRequest(input));
    return true;
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    const { exitCode, stdout } = failedOutput(error, input.stdin);
    const { cniVersion, code, msg } = JSON.parse(stdout);
    must(exitCode === 1 && isSupportedVersion(cniVersion) && codes.includes(code), 'answer', stdout);
    must(typeof msg === 'string' && msg !== '' && msg.length < 1000, 'message', msg);
    return false;
  }
}

test(`${cases} calls, seed ${seed}`, () => {
  let count = 0;
  for (let i = 0; i < cases; i++) {
    const input = fuzzCase(chanceOf(seed + Math.imul(i, 0x9e3779b1)));
    try {
      if (accepted(input)) count++;
    } catch (error) {
      throw new Error(
        `case ${i} of seed ${seed}: ${String(error).slice(0, 1000)}\n${JSON.stringify(input)}`,
        {
          cause: error,
        },
      );
    }
  }
  // Neither all refused at the door nor all let through.
  expect(count).toBeGreaterThan(cases / 10);
  expect(count).toBeLessThan(cases * 0.9);
}, 600_000);
