// Addresses that no endpoint may have: a service in front of them would be a way into the node itself (CVE-2021-25737).
import type { IpAddress } from '../net/address.ts';
import type { EndpointOfSlice, EndpointSlice } from '../store/endpoint-slice.ts';
import type { StoreProblem } from '../store/lease-store.ts';

/** How many refused addresses a problem names. */
const namedAddresses = 3;

/** What kind of address it is, or undefined for one that a pod or a machine can have. */
export function whyUnsafe(address: IpAddress): string | undefined {
  // One look at the first byte lets nearly all pass: this is asked of every endpoint, on each change of its service.
  const first = address.bytes[0] ?? 0;
  if (address.family === 4 ? first < 224 && first !== 0 && first !== 127 && first !== 169 : plain6(first)) {
    return undefined;
  }
  if (address.isUnspecified) return 'unspecified';
  if (address.isLoopback) return 'loopback';
  if (address.isLinkLocal) return 'link-local';
  if (address.isMulticast) return 'multicast';
  if (address.isBroadcast) return 'broadcast';
  return address.isIp4Mapped ? 'IPv4-mapped' : undefined;
}

function plain6(first: number): boolean {
  return first !== 0 && first < 0xfe;
}

export function hasUnsafe({ endpoints }: EndpointSlice): boolean {
  return endpoints.some(isUnsafe);
}

/** The slice without its unsafe endpoints, which become one problem, however many they are. */
export function refuseUnsafe(slice: EndpointSlice): {
  readonly slice: EndpointSlice;
  readonly problem: StoreProblem;
} {
  const refused = slice.endpoints.filter(isUnsafe);
  const named = refused
    .slice(0, namedAddresses)
    .map(({ address }) => `${address} is ${whyUnsafe(address)}`)
    .join(', ');
  const more = refused.length > namedAddresses ? `, and ${refused.length - namedAddresses} more` : '';
  return {
    slice: { ...slice, endpoints: slice.endpoints.filter((endpoint) => !isUnsafe(endpoint)) },
    problem: {
      object: describeSlice(slice),
      message: `endpoints: ${refused.length} of ${slice.endpoints.length} are left out: ${named}${more}`,
    },
  };
}

function isUnsafe({ address }: EndpointOfSlice): boolean {
  return whyUnsafe(address) !== undefined;
}

/** A mirrored slice was an Endpoints object, which has its service's name. */
function describeSlice({ namespace, name, service, mirrored }: EndpointSlice): string {
  return mirrored ? `Endpoints "${namespace}/${service}"` : `EndpointSlice "${namespace}/${name}"`;
}
