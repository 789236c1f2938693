// The "Backend" part of a network configuration: which backend, with which options. Whether a node can run it is the agent's question.
import { z } from 'zod';
import { WireguardKey } from '../net/wireguard-key.ts';
import { checkShape, goObject, type JsonValue } from './go-json.ts';
import type { FieldProblem } from './store-error.ts';

export type VxlanConfig = {
  readonly kind: 'vxlan';
  /** 24 bits, RFC 7348; names the device too. */
  readonly vni: number;
  /** UDP port of the tunnels. */
  readonly port: number;
  /** The underlay's MTU to count from; undefined: the public interface's. */
  readonly mtu: number | undefined;
  /** Group based policy: read, so that the agent can say why it refuses it. */
  readonly gbp: boolean;
  readonly learning: boolean;
  /** Plain routes to the nodes on the same link. */
  readonly directRouting: boolean;
};

export type IpipConfig = {
  readonly kind: 'ipip';
  /** Plain routes to the nodes on the same link. */
  readonly directRouting: boolean;
};

/**
 * Which of a peer's addresses its WireGuard is sought at. "separate": a device a family, each at the address of its own; the others have one
 * device for both families.
 */
export type WireguardMode = 'separate' | 'auto' | 'ipv4' | 'ipv6';

export type WireguardConfig = {
  readonly kind: 'wireguard';
  /** UDP. */
  readonly listenPort: number;
  /** Of the IPv6 device when there is one of its own. */
  readonly listenPortV6: number;
  /** A secret that all nodes share, mixed into every handshake. */
  readonly presharedKey: WireguardKey | undefined;
  /** The underlay's MTU to count from; undefined: the public interface's. */
  readonly mtu: number | undefined;
  /** 0: none. */
  readonly keepaliveSeconds: number;
  readonly mode: WireguardMode;
};

export type UdpConfig = {
  readonly kind: 'udp';
  /** That each node listens on and sends from. */
  readonly port: number;
};

export type ExtensionConfig = {
  readonly kind: 'extension';
  /** The pods'; undefined: the public interface's. */
  readonly mtu: number | undefined;
  /** All of the "Backend" value, for the program. */
  readonly options: JsonValue;
  /** flannel's commands that it names: they are not run. */
  readonly commands: readonly string[];
};

export type BackendConfig =
  | ExtensionConfig
  | VxlanConfig
  | WireguardConfig
  | IpipConfig
  | UdpConfig
  | { readonly kind: 'host-gw' }
  /** Leases only: how packets get to the other nodes is somebody else's business. */
  | { readonly kind: 'alloc' }
  /** A type that this version does not know: the agent refuses it by name. */
  | { readonly kind: 'opaque'; readonly type: string; readonly options: JsonValue };

/** Linux's default port, not IANA's 4789: flannel leaves the attribute out and gets this. */
const kernelVxlanPort = 8472;

const mtuField = z
  .number()
  .int()
  .max(0xffff)
  // RFC 791: every host takes 576 bytes; less leaves nothing inside of the tunnel.
  .refine((mtu) => mtu === 0 || mtu >= 576, { error: 'want 0 (of the interface) or at least 576' })
  .nullish();

const vxlanShape = goObject({
  VNI: z.number().int().min(0).max(0xffffff).nullish(),
  Port: z.number().int().min(0).max(0xffff).nullish(),
  MTU: mtuField,
  GBP: z.boolean().nullish(),
  Learning: z.boolean().nullish(),
  DirectRouting: z.boolean().nullish(),
});

const ipipShape = goObject({ DirectRouting: z.boolean().nullish() });

const udpShape = goObject({ Port: z.number().int().min(0).max(0xffff).nullish() });

/** flannel's. */
const udpPort = 8285;

const command = z.string().optional();
const extensionShape = goObject({
  MTU: mtuField,
  PreStartupCommand: command,
  PostStartupCommand: command,
  SubnetAddCommand: command,
  SubnetRemoveCommand: command,
  ShutdownCommand: command,
});

const listenPort = z.number().int().min(1).max(0xffff).nullish();

const wireguardShape = goObject({
  ListenPort: listenPort,
  ListenPortV6: listenPort,
  // The text is a secret: no error may quote it.
  PSK: z
    .string()
    .refine((text) => text === '' || WireguardKey.tryParse(text) !== undefined, {
      error: 'want 32 bytes in base64, as "wg genpsk" prints them',
    })
    .nullish(),
  MTU: mtuField,
  PersistentKeepaliveInterval: z.number().int().min(0).max(0xffff).nullish(),
  Mode: z.enum(['separate', 'auto', 'ipv4', 'ipv6']).nullish(),
});

const typeShape = goObject({ Type: z.string().max(64).nullish() });

/** Without a "Backend" flannel's program takes udp although its documentation says vxlan: we do as documented. */
export const defaultBackend: VxlanConfig = {
  kind: 'vxlan',
  vni: 1,
  port: kernelVxlanPort,
  mtu: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
};

/** Reads the "Backend" value; undefined and null are its absence. Problems are gathered into `problems`. */
export function decodeBackendConfig(
  json: JsonValue | undefined,
  problems: FieldProblem[],
): BackendConfig | undefined {
  if (json === undefined || json === null) return defaultBackend;
  const { data: head, problems: headProblems } = checkShape(typeShape, json);
  problems.push(...headProblems.map(within));
  if (head === undefined) return undefined;
  const type = (head.Type ?? '').toLowerCase();
  switch (type) {
    case '':
      problems.push({ field: 'Backend.Type', message: 'is missing' });
      return undefined;
    case 'host-gw':
    case 'alloc':
      return { kind: type };
    case 'ipip':
      return decodeIpip(json, problems);
    case 'extension':
      return decodeExtension(json, problems);
    case 'vxlan':
      return decodeVxlan(json, problems);
    case 'wireguard':
      return decodeWireguard(json, problems);
    case 'udp':
      return decodeUdp(json, problems);
    default:
      return { kind: 'opaque', type, options: json };
  }
}

function decodeVxlan(json: JsonValue, problems: FieldProblem[]): VxlanConfig | undefined {
  const { data, problems: found } = checkShape(vxlanShape, json);
  problems.push(...found.map(within));
  if (data === undefined) return undefined;
  return {
    kind: 'vxlan',
    vni: data.VNI ?? defaultBackend.vni,
    // Zero is "not set" in Go for both.
    port: data.Port || kernelVxlanPort,
    mtu: data.MTU || undefined,
    gbp: data.GBP ?? false,
    learning: data.Learning ?? false,
    directRouting: data.DirectRouting ?? false,
  };
}

function decodeWireguard(json: JsonValue, problems: FieldProblem[]): WireguardConfig | undefined {
  const { data, problems: found } = checkShape(wireguardShape, json);
  problems.push(...found.map(within));
  if (data === undefined) return undefined;
  return {
    kind: 'wireguard',
    listenPort: data.ListenPort ?? 51820,
    listenPortV6: data.ListenPortV6 ?? 51821,
    presharedKey: WireguardKey.tryParse(data.PSK ?? ''),
    mtu: data.MTU || undefined,
    keepaliveSeconds: data.PersistentKeepaliveInterval ?? 0,
    mode: data.Mode ?? 'separate',
  };
}

/** Zero would be a port of the kernel's choice, which no peer knows. */
function decodeUdp(json: JsonValue, problems: FieldProblem[]): UdpConfig | undefined {
  const { data, problems: found } = checkShape(udpShape, json);
  problems.push(...found.map(within));
  return data === undefined ? undefined : { kind: 'udp', port: data.Port || udpPort };
}

const flannelsCommands = [
  'PreStartupCommand',
  'PostStartupCommand',
  'SubnetAddCommand',
  'SubnetRemoveCommand',
  'ShutdownCommand',
] as const;

function decodeExtension(json: JsonValue, problems: FieldProblem[]): ExtensionConfig | undefined {
  const { data, problems: found } = checkShape(extensionShape, json);
  problems.push(...found.map(within));
  if (data === undefined) return undefined;
  const commands = flannelsCommands.filter((name) => data[name] !== undefined && data[name] !== '');
  return { kind: 'extension', mtu: data.MTU || undefined, options: json, commands };
}

function decodeIpip(json: JsonValue, problems: FieldProblem[]): IpipConfig | undefined {
  const { data, problems: found } = checkShape(ipipShape, json);
  problems.push(...found.map(within));
  return data === undefined ? undefined : { kind: 'ipip', directRouting: data.DirectRouting ?? false };
}

function within({ field, message }: FieldProblem): FieldProblem {
  return { field: field === '' ? 'Backend' : `Backend.${field}`, message };
}
