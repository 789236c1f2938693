// CNI_ARGS: "KEY=VALUE;KEY=VALUE", what a runtime says of the pod without a capability for it.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { IpAddress } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';
import { quote } from './config-error.ts';
import { parseHostAddress, parseUnicastMac, wishes } from './config-shape.ts';
import type { NetworkConfig } from './pod-network.ts';

export interface CniArgs {
  readonly ips: readonly IpAddress[];
  readonly mac: Mac | undefined;
  readonly pod: NetworkConfig['pod'];
}

const knownKeys = [
  'IgnoreUnknown',
  'IP',
  'MAC',
  'GATEWAY',
  'K8S_POD_NAMESPACE',
  'K8S_POD_NAME',
  'K8S_POD_INFRA_CONTAINER_ID',
  'K8S_POD_UID',
];

/** Throws CniError (invalid environment) that names the key and quotes its value. */
export function readCniArgs(text: string): CniArgs {
  const pairs = pairsOf(text);
  if (!isTrue(pairs.get('IgnoreUnknown') ?? 'false')) {
    const unknown = [...pairs.keys()].find((key) => !knownKeys.includes(key));
    if (unknown !== undefined) throw invalid(`${quote(unknown)} is unknown, and IgnoreUnknown is not set`);
  }
  const mac = pairs.get('MAC') ?? '';
  return {
    ips: list(pairs.get('IP')).map((ip) =>
      parsed('IP', ip, { parse: parseHostAddress, wish: wishes.hostAddress }),
    ),
    mac: mac === '' ? undefined : parsed('MAC', mac, { parse: parseUnicastMac, wish: wishes.mac }),
    pod: podOf(pairs),
  };
}

function pairsOf(text: string): ReadonlyMap<string, string> {
  if (text === '') return new Map();
  return new Map(
    text.split(';').map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at === -1) throw invalid(`invalid pair ${quote(pair)}: want KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function isTrue(text: string): boolean {
  const lower = text.toLowerCase();
  if (lower === '1' || lower === 'true') return true;
  if (lower === '0' || lower === 'false') return false;
  throw invalid(`"IgnoreUnknown" is ${quote(text)}: want 1, true, 0 or false`);
}

function list(text = ''): readonly string[] {
  return text === '' ? [] : text.split(',');
}

function parsed<T>(
  key: string,
  text: string,
  { parse, wish }: { readonly parse: (text: string) => T | undefined; readonly wish: string },
): T {
  const value = parse(text);
  if (value === undefined) throw invalid(`"${key}" is ${quote(text)}: want ${wish}`);
  return value;
}

/** RFC 1123: a label, and labels with dots, as Kubernetes names namespaces and pods. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Of other orchestrators these may be anything: then they name no pod. */
function podOf(pairs: ReadonlyMap<string, string>): CniArgs['pod'] {
  const namespace = pairs.get('K8S_POD_NAMESPACE') ?? '';
  const name = pairs.get('K8S_POD_NAME') ?? '';
  return label.test(namespace) && name.length <= 253 && subdomain.test(name)
    ? { namespace, name }
    : undefined;
}

function invalid(what: string): CniError {
  return new CniError(cniCodes.invalidEnvironment, `Cannot use CNI_ARGS: ${what}`);
}
