// The value of a lease as flannel keeps it in etcd, to the byte, with one key of ours at its end: "Node". Go's readers pass
// over it. Reading is strict: whoever can write to the store chooses these bytes (flannel's CVE-2026-32241 came this way).
import { z } from 'zod';
import type { IpAddress } from '../net/address.ts';
import { isIdentifier } from '../net/names.ts';
import { addressField, deviceMacField, whyNotNodeAddress, wireguardKeyField } from './address-fields.ts';
import { checkShape, goObject, type JsonValue, jsonField, parseJsonObject, printGoJson } from './go-json.ts';
import type { BackendData, Lease } from './lease.ts';
import type { LeaseSubnets } from './lease-key.ts';
import { type FieldProblem, quote, StoreError } from './store-error.ts';

/** Largest VXLAN network identifier (RFC 7348: 24 bits). */
const largestVni = 2 ** 24 - 1;

/** Backends whose leases carry no data. */
const withoutData: ReadonlySet<string> = new Set(['', 'udp', 'host-gw', 'ipip', 'alloc']);

const leaseShape = goObject({
  PublicIP: addressField(4).nullish(),
  PublicIPv6: addressField(6).nullish(),
  BackendType: z.string().max(64).nullish(),
  BackendData: jsonField.nullish(),
  BackendV6Data: jsonField.nullish(),
  Node: z.string().nullish(),
});

const vxlanShape = goObject({
  VNI: z.number().int().min(0).max(largestVni),
  VtepMAC: deviceMacField,
});

const wireguardShape = goObject({
  PublicKey: wireguardKeyField,
  // Go's zero is "not set".
  Port: z.number().int().min(0).max(0xffff).nullish(),
});

type Problems = FieldProblem[];

/** The value that flannel's json.Marshal would write, and "Node" when the lease has a node. */
export function encodeLease(lease: Lease): string {
  const fields: Record<string, JsonValue> = {
    // Go's zero value: flannel has no "no address" in IPv4.
    PublicIP: lease.publicIp?.toString() ?? '0.0.0.0',
    PublicIPv6: lease.publicIp6?.toString() ?? null,
  };
  if (lease.backendType !== '') fields['BackendType'] = lease.backendType;
  if (lease.backendData !== undefined) fields['BackendData'] = encodeBackendData(lease.backendData);
  if (lease.backendDataV6 !== undefined) fields['BackendV6Data'] = encodeBackendData(lease.backendDataV6);
  if (lease.node !== undefined) fields['Node'] = lease.node;
  return printGoJson(fields);
}

// VNI first, VtepMAC last: flannel finds the MAC of its own node by cutting the text, not by parsing it.
export function encodeBackendData(data: BackendData): JsonValue {
  switch (data.kind) {
    case 'vxlan':
      return { VNI: data.vni, VtepMAC: data.vtepMac.toString() };
    case 'wireguard':
      return {
        PublicKey: data.publicKey.toString(),
        ...(data.port === undefined ? {} : { Port: data.port }),
      };
    case 'opaque':
      return data.json;
    default:
      return data satisfies never;
  }
}

export type DecodeLeaseOptions = {
  /** What errors name: the file or the key. */
  readonly object: string;
  readonly expiresAt?: number | undefined;
};

/** Reads the value stored for these subnets. Throws StoreError `invalid` with every problem found, by field. */
export function decodeLease(
  subnets: LeaseSubnets,
  value: string | Uint8Array,
  options: DecodeLeaseOptions,
): Lease {
  const { object, expiresAt } = options;
  const fail = (problems: readonly FieldProblem[]) =>
    new StoreError(`Cannot read lease "${object}"`, { code: 'invalid', object, problems });
  const { data, problems: shapeProblems } = checkShape(leaseShape, parseJsonObject(value, object));
  if (data === undefined) throw fail(shapeProblems);

  const problems: Problems = [];
  const { subnet, subnet6 } = subnets;
  const backendType = (data.BackendType ?? '').toLowerCase();
  // Go cannot leave IPv4 out: an all-zero address is how it says "none".
  const stated =
    subnet === undefined && data.PublicIP?.isUnspecified ? undefined : (data.PublicIP ?? undefined);
  const publicIp = checkNodeAddress({ field: 'PublicIP', needed: subnet !== undefined }, stated, problems);
  const publicIp6 = checkNodeAddress(
    { field: 'PublicIPv6', needed: subnet6 !== undefined },
    data.PublicIPv6 ?? undefined,
    problems,
  );
  const backendData = decodeBackendData(
    { field: 'BackendData', backendType, needed: subnet !== undefined },
    data.BackendData ?? undefined,
    problems,
  );
  const backendDataV6 = decodeBackendData(
    { field: 'BackendV6Data', backendType, needed: subnet6 !== undefined },
    data.BackendV6Data ?? undefined,
    problems,
  );
  const node = data.Node ?? undefined;
  if (node !== undefined && !isIdentifier(node)) {
    problems.push({ field: 'Node', message: `${quote(node)} is not a node name` });
  }
  if (problems.length > 0) throw fail(problems);
  return { subnet, subnet6, node, publicIp, publicIp6, backendType, backendData, backendDataV6, expiresAt };
}

function checkNodeAddress(
  { field, needed }: { readonly field: string; readonly needed: boolean },
  address: IpAddress | undefined,
  problems: Problems,
): IpAddress | undefined {
  if (address === undefined) {
    if (needed) problems.push({ field, message: 'is missing' });
    return undefined;
  }
  const reason = whyNotNodeAddress(address);
  if (reason !== undefined) problems.push({ field, message: `"${address}" ${reason}` });
  return address;
}

type BackendField = { readonly field: string; readonly backendType: string; readonly needed: boolean };

function decodeBackendData(
  { field, backendType, needed }: BackendField,
  json: JsonValue | undefined,
  problems: Problems,
): BackendData | undefined {
  if (withoutData.has(backendType)) return undefined;
  if (backendType !== 'vxlan' && backendType !== 'wireguard') {
    return json === undefined ? undefined : { kind: 'opaque', json };
  }
  if (json === undefined) {
    if (needed) problems.push({ field, message: 'is missing' });
    return undefined;
  }
  const within = (problem: FieldProblem): FieldProblem => ({
    ...problem,
    field: problem.field === '' ? field : `${field}.${problem.field}`,
  });
  if (backendType === 'wireguard') {
    const { data, problems: found } = checkShape(wireguardShape, json);
    problems.push(...found.map(within));
    return data && { kind: 'wireguard', publicKey: data.PublicKey, port: data.Port || undefined };
  }
  const { data, problems: found } = checkShape(vxlanShape, json);
  problems.push(...found.map(within));
  return data && { kind: 'vxlan', vni: data.VNI, vtepMac: data.VtepMAC };
}
