// The schedulers of ip_vs: how the kernel chooses a real server for a new connection (net/netfilter/ipvs/ip_vs_*.c). Which of them an
// operator may choose, and whether a kernel has one.
import { IpAddress } from '../../net/address.ts';
import { KernelError } from '../kernel-error.ts';
import type { IpvsAccess, VirtualServer } from './objects.ts';

export interface Scheduler {
  readonly name: string;
  /** What it does, for people. */
  readonly about: string;
  /** Why it is not to be chosen; undefined: it may be. */
  readonly unfit: string | undefined;
}

function scheduler(name: string, about: string, unfit?: string): readonly [string, Scheduler] {
  return [name, { name, about, unfit }];
}

/** By name, the usual ones first. */
export const schedulers: ReadonlyMap<string, Scheduler> = new Map([
  scheduler('rr', 'in turn'),
  scheduler('wrr', 'in turn, by weight'),
  scheduler('lc', 'fewest connections'),
  scheduler('wlc', 'fewest connections, by weight'),
  scheduler('sed', 'shortest expected delay'),
  scheduler('nq', 'one without connections, else shortest expected delay'),
  scheduler('sh', 'by a hash of the client'),
  scheduler(
    'mh',
    "by a hash of the client that keeps most clients in place when real servers change (Maglev's)",
  ),
  scheduler('dh', 'by a hash of the virtual address'),
  scheduler('lblc', 'the same one for a virtual address until it is overloaded'),
  scheduler('lblcr', 'the same few for a virtual address until they are overloaded'),
  scheduler('fo', 'the first one that is there'),
  scheduler('twos', 'the less loaded of two at random'),
  scheduler(
    'ovf',
    'the first one until its connections reach its weight, then the next',
    'all real servers have the weight 1, so that it would refuse whatever comes beyond one or two connections each',
  ),
]);

/** Those that an operator may choose. */
export const schedulerChoices: readonly string[] = [...schedulers.values()]
  .filter(({ unfit }) => unfit === undefined)
  .map(({ name }) => name);

/** Why an operator may not choose the scheduler of this name; undefined: the name is right, and the kernel may have it. */
export function schedulerFault(name: string): string | undefined {
  const known = schedulers.get(name);
  if (known === undefined)
    return `there is no scheduler "${name}": it is one of ${schedulerChoices.join(', ')}`;
  return known.unfit === undefined
    ? undefined
    : `the scheduler "${name}" does not serve here: ${known.unfit}`;
}

/** The kernel module that has the scheduler; its file may be missing, or the kernel built without it. */
export function schedulerModule(name: string): string {
  return `ip_vs_${name}`;
}

/** An address for documentation (RFC 5737), which serves nobody; kube-proxy asks with the same. */
const probe = { protocol: 'tcp', address: IpAddress.parse('198.51.100.0'), port: 20_000 } as const;

/**
 * Whether the kernel has the scheduler, or can load it: a virtual server with it is added and deleted again. Throws KernelError when that
 * fails for another reason.
 */
export function hasScheduler(access: IpvsAccess, name: string): boolean {
  const server: VirtualServer = {
    ...probe,
    scheduler: name,
    persistentSeconds: undefined,
    hashesPort: false,
  };
  // One that a probe has left which was cut short goes first.
  const results = access.apply([
    { kind: 'server-delete', server: probe },
    { kind: 'server-add', server },
    { kind: 'server-delete', server: probe },
  ]);
  const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
  for (const error of errors) if (!isMissingScheduler(error)) throw error;
  return errors.length === 0;
}

/** Of an addition or a change of a virtual server: the kernel does not have its scheduler. (No virtual server would be ESRCH.) */
export function isMissingScheduler(error: unknown): boolean {
  return error instanceof KernelError && error.code === 'ENOENT';
}
