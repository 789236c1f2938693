// Checks of the store of leases: what is wrong in it, clocks that differ, caches that show old state. Pure.
import type { Finding } from './finding.ts';
import type { NodeFacts } from './node-facts.ts';

/** Milliseconds: clocks that are looked after are closer than this. */
const tolerableSkew = 60_000;

export function storeProblems({ surroundings: { store } }: NodeFacts): readonly Finding[] {
  const { name, failure } = store;
  if (failure !== undefined)
    return [
      {
        check: 'lease-store',
        severity: 'error',
        object: name,
        finding: 'the store of leases cannot be read: the node keeps what it has, and hears of no change',
        evidence: failure,
        remedy: 'see that it runs, that this node reaches it, and that it may read there',
      },
    ];
  return store.problems.map(({ object, message }) => ({
    check: 'lease-store',
    severity: 'warning',
    object,
    finding: 'something in the store of leases is left out, or kept as it last was',
    evidence: message,
    remedy: `mend it in "${store.name}", or remove it`,
  }));
}

/** A lease is renewed by its node's clock and ends by everybody's. */
export function clockSkew({ now, surroundings: { store } }: NodeFacts): readonly Finding[] {
  return store.leases
    .filter(({ renewedAt }) => renewedAt - now > tolerableSkew)
    .map(({ name, renewedAt }) => ({
      check: 'clock-skew',
      severity: 'warning',
      object: `lease of ${name}`,
      finding: 'the clocks of two nodes differ: leases end too early or too late',
      evidence: `it was renewed ${Math.round((renewedAt - now) / 1000)} s from now, by this node’s clock`,
      remedy: 'let all nodes keep their clocks (NTP)',
    }));
}

/** Options by file system that let a machine see what was there some time ago, without end. */
const stale: ReadonlyMap<string, readonly string[]> = new Map([
  ['9p', ['cache=loose', 'cache=fscache', 'cache=mmap', 'cache=readahead']],
  ['virtiofs', ['cache=always']],
  ['nfs', ['nocto']],
  ['nfs4', ['nocto']],
  ['cifs', ['cache=loose']],
  ['smb3', ['cache=loose']],
]);

export function staleMount({ surroundings: { store } }: NodeFacts): readonly Finding[] {
  const { mount, name } = store;
  const option = stale.get(mount?.type ?? '')?.find((one) => mount?.options.includes(one));
  if (mount === undefined || option === undefined) return [];
  return [
    {
      check: 'stale-mount',
      severity: 'error',
      object: name,
      finding: 'this node does not see what other nodes write: two may take one subnet',
      evidence: `it is on ${mount.type}, mounted with ${option}`,
      remedy: `mount it without ${option}${mount.type === '9p' ? ' (cache=none)' : ''}: see docs/directory-store.md`,
    },
  ];
}
