// What flannel's plugin (flannel-io/cni-plugin, flannel_linux.go) makes of its configuration and subnet.env: a configuration for
// the plugin "bridge", which it keeps in a file for DEL. We work by the first and write and read the second, so that a node can
// move from flannel and back with its pods running. Touches no file.
import { join } from 'node:path';
import { CniError } from '../agent/wiring/cni-error.ts';
import type { SubnetEnv } from '../agent/wiring/subnet-env.ts';
import { readBridge } from './bridge-options.ts';
import { readIpam } from './ipam-options.ts';
import { decodeConfig, nameOf } from './network-config.ts';
import type { FlannelConfig, NetworkConfig } from './pod-network.ts';
import { newestVersion } from './versions.ts';

const nothing: FlannelConfig = {
  delegate: {},
  ipam: {},
  runtimeConfig: undefined,
  runtimeSets: [],
  cniVersion: undefined,
};

/**
 * The network that the pod gets: a bridge of ours to make, ranges of the node's subnets, routes to the cluster's networks.
 * Throws CniError that names the key and quotes its value.
 */
export function flannelDelegate(config: NetworkConfig, env: SubnetEnv): NetworkConfig {
  const { runtimeSets } = config.flannel ?? nothing;
  const delegate = delegateConfig(config, env);
  return {
    ...config,
    bridge: readBridge(delegate, { ofNode: false, path: 'delegate' }),
    ipam: readIpam(delegate['ipam'], { cniVersion: config.cniVersion, runtimeSets }),
  };
}

/** The file's name: flannel does not tell a container's interfaces apart. */
export function delegatePath({ flannelDirectory }: NetworkConfig, containerId: string): string {
  return join(flannelDirectory, containerId);
}

/** The file's content. Its type is "bridge", whatever ours is called: it is flannel's plugin that starts it. */
export function delegateText(config: NetworkConfig, env: SubnetEnv): string {
  return JSON.stringify(delegateConfig(config, env));
}

/**
 * The network of a file that flannel's plugin or ours left, for DEL: the name and the addresses' place are the file's, all else
 * is `current`'s. Undefined for a file that cannot be read or whose addresses another plugin gave out, as after a crash; flannel
 * takes that for success.
 */
export function readDelegateText(text: string, current: NetworkConfig): NetworkConfig | undefined {
  try {
    const decoded = decodeConfig(text);
    const ipam = readIpam(decoded['ipam'] ?? {}, { cniVersion: newestVersion, runtimeSets: [] });
    return { ...current, name: nameOf(decoded), ipam };
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/** Keys that the configuration gives win, as in flannel's plugin; name, version, ranges and the routes to the networks are set. */
function delegateConfig(config: NetworkConfig, env: SubnetEnv): Readonly<Record<string, unknown>> {
  const { delegate, ipam, runtimeConfig, cniVersion } = config.flannel ?? nothing;
  const families = [env.ip4, env.ip6].filter((family) => family !== undefined);
  const networks = families.flatMap((family) => family.networks);
  const routes = Array.isArray(ipam['routes']) ? ipam['routes'] : [];
  return {
    ipMasq: !env.masquerade,
    isGateway: true,
    mtu: env.mtu,
    ...delegate,
    ...(cniVersion === undefined ? {} : { cniVersion }),
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    name: config.name,
    type: 'bridge',
    ipam: {
      type: 'host-local',
      ...ipam,
      ranges: families.map(({ gateway }) => [{ subnet: gateway.network().toString() }]),
      routes: [...routes, ...networks.map((network) => ({ dst: network.toString() }))],
    },
  };
}
