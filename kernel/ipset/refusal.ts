// What the kernel says when it refuses something about a set, in words: ipset has error numbers of its own beside errno.h's.
import { isNotSupported, KernelError } from '../kernel-error.ts';
import type { IpsetStep, IpsetType } from './objects.ts';
import { ipsetStepObject } from './text.ts';

interface Meaning {
  readonly code: string;
  readonly text: string;
}

/** enum ipset_errno of linux/netfilter/ipset/ip_set.h. */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  [4097, { code: 'IPSET_ERR_PROTOCOL', text: 'the kernel does not understand the request' }],
  [4098, { code: 'IPSET_ERR_FIND_TYPE', text: 'the kernel has no sets of this type' }],
  [4099, { code: 'IPSET_ERR_MAX_SETS', text: 'there are as many sets as the kernel takes' }],
  [4100, { code: 'IPSET_ERR_BUSY', text: 'it is in use by a rule or by another set' }],
  [4101, { code: 'IPSET_ERR_EXIST_SETNAME2', text: 'the second set is not there' }],
  [4102, { code: 'IPSET_ERR_TYPE_MISMATCH', text: 'their types differ' }],
  [4103, { code: 'IPSET_ERR_EXIST', text: 'it is there already, or not there to be deleted' }],
  [4104, { code: 'IPSET_ERR_INVALID_CIDR', text: 'the length of a prefix is wrong' }],
  [4105, { code: 'IPSET_ERR_INVALID_NETMASK', text: 'the netmask is wrong' }],
  [4106, { code: 'IPSET_ERR_INVALID_FAMILY', text: 'the type does not know this family' }],
  [4107, { code: 'IPSET_ERR_TIMEOUT', text: 'the set keeps no timeouts' }],
  [4108, { code: 'IPSET_ERR_REFERENCED', text: 'a rule or another set refers to it' }],
  [4109, { code: 'IPSET_ERR_IPADDR_IPV4', text: 'an IPv4 address is needed' }],
  [4110, { code: 'IPSET_ERR_IPADDR_IPV6', text: 'an IPv6 address is needed' }],
  [4111, { code: 'IPSET_ERR_COUNTER', text: 'the set keeps no counters' }],
  [4112, { code: 'IPSET_ERR_COMMENT', text: 'the set keeps no comments' }],
  [4113, { code: 'IPSET_ERR_INVALID_MARKMASK', text: 'the mask of a mark is wrong' }],
  [4114, { code: 'IPSET_ERR_SKBINFO', text: 'the set keeps no marks of packets' }],
]);

/** From IPSET_ERR_TYPE_SPECIFIC (4352) on: ip_set_bitmap.h and ip_set_hash.h use the same numbers. */
const bitmapMeanings: ReadonlyMap<number, Meaning> = new Map([
  [4352, { code: 'IPSET_ERR_BITMAP_RANGE', text: "the port is out of the set's range" }],
  [4353, { code: 'IPSET_ERR_BITMAP_RANGE_SIZE', text: 'the range is too large' }],
]);
const hashMeanings: ReadonlyMap<number, Meaning> = new Map([
  [4352, { code: 'IPSET_ERR_HASH_FULL', text: 'the set is full' }],
  [4353, { code: 'IPSET_ERR_HASH_ELEM', text: 'a null address cannot be stored' }],
  [4354, { code: 'IPSET_ERR_INVALID_PROTO', text: 'the protocol is wrong' }],
  [4355, { code: 'IPSET_ERR_MISSING_PROTO', text: 'the protocol is missing' }],
  [4356, { code: 'IPSET_ERR_HASH_RANGE_UNSUPPORTED', text: 'the type takes no ranges' }],
  [4357, { code: 'IPSET_ERR_HASH_RANGE', text: 'the range is too large' }],
]);

export const ipsetErrors = {
  findType: 4098,
  busy: 4100,
  existName2: 4101,
  typeMismatch: 4102,
  /** Of the hash types. */
  full: 4352,
} as const;

const ENOENT = 2;
const EEXIST = 17;

const verbs: Readonly<Record<IpsetStep['kind'], string>> = {
  'set-create': 'create set',
  'set-destroy': 'destroy set',
  'set-swap': 'swap sets',
  'entry-add': 'add to set',
  'entry-delete': 'delete from set',
};

/** The error of a step that the kernel answered with this number. */
export function stepRefusal(
  step: IpsetStep,
  { errno, kernelMessage, cause }: Pick<KernelError, 'errno' | 'kernelMessage' | 'cause'>,
): KernelError {
  return new KernelError({
    operation: verbs[step.kind],
    object: ipsetStepObject(step),
    errno,
    own: meaningOf(errno, 'set' in step ? step.set.type : undefined),
    kernelMessage: kernelMessage ?? moreOf(step, errno),
    cause,
  });
}

/** The same for what is not a step. Errors that are none of ipset's own stay as they are. */
export function explained(error: unknown, type?: IpsetType): unknown {
  if (!(error instanceof KernelError)) return error;
  const own = meaningOf(error.errno, type);
  if (own === undefined) return error;
  const { operation, object, errno, kernelMessage } = error;
  return new KernelError({
    operation,
    object,
    errno,
    own,
    kernelMessage: kernelMessage ?? moduleOf(errno, type),
  });
}

/** The kernel has no ipset at all: nfnetlink calls what it asks of it invalid. */
export function isWithoutIpset(error: unknown): boolean {
  return isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL');
}

function meaningOf(errno: number, type: IpsetType | undefined): Meaning | undefined {
  return meanings.get(errno) ?? (type === 'bitmap:port' ? bitmapMeanings : hashMeanings).get(errno);
}

/** What the step itself tells about the reason. */
function moreOf(step: IpsetStep, errno: number): string | undefined {
  if (step.kind === 'set-create' && errno === EEXIST)
    return 'it is of another type or family, or has other options';
  if (step.kind === 'set-create') return moduleOf(errno, step.set.type);
  if (errno === ENOENT) return 'there is no such set';
  const most =
    step.kind === 'entry-add' && step.set.type !== 'bitmap:port' ? step.set.maxElements : undefined;
  return errno === ipsetErrors.full && most !== undefined ? `it holds at most ${most} entries` : undefined;
}

function moduleOf(errno: number, type: IpsetType | undefined): string | undefined {
  if (errno !== ipsetErrors.findType || type === undefined) return undefined;
  return `its module is ip_set_${type.replace(':', '_').replaceAll(',', '')}`;
}
