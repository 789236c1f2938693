// The limits of connection tracking that a proxy sets at its start, and the sysctls that say what it may leave out. It writes only
// what differs; what cannot be written is told, not fatal: a container may not, and another program may have done it.
import { isNotFound } from '../kernel/kernel-error.ts';
import type { Netns } from '../kernel/netns.ts';
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { ConntrackChoices } from './proxy-options.ts';

const folder = 'net/netfilter';
const liberalKey = `${folder}/nf_conntrack_tcp_be_liberal`;

export interface SysctlAccess {
  /** Undefined when there is no such sysctl. */
  read(key: string): string | undefined;
  write(key: string, value: string): void;
}

export function openSysctlAccess(netns: Netns | undefined): SysctlAccess {
  return {
    read(key) {
      try {
        return readSysctl(key, { netns });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    write: (key, value) => writeSysctl(key, value, { netns }),
  };
}

/** What each should be, in the order of writing. `processors`: of the machine. */
export function wantedSysctls(
  choices: ConntrackChoices,
  { processors, buckets }: { readonly processors: number; readonly buckets: number },
): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  const max = choices.maxPerCore > 0 ? Math.max(choices.maxPerCore * processors, choices.min) : 0;
  if (max > 0) {
    wanted.set(`${folder}/nf_conntrack_max`, String(max));
    // A table of that many flows with fewer buckets has long chains.
    const least = Math.floor(max / 4);
    if (buckets < least) wanted.set(`${folder}/nf_conntrack_buckets`, String(least));
  }
  const seconds = (name: string, milliseconds: number | undefined): void => {
    if (milliseconds !== undefined && milliseconds > 0)
      wanted.set(`${folder}/${name}`, String(Math.floor(milliseconds / 1000)));
  };
  seconds('nf_conntrack_tcp_timeout_established', choices.tcpEstablishedTimeout);
  seconds('nf_conntrack_tcp_timeout_close_wait', choices.tcpCloseWaitTimeout);
  if (choices.tcpBeLiberal) wanted.set(liberalKey, '1');
  seconds('nf_conntrack_udp_timeout', choices.udpTimeout);
  seconds('nf_conntrack_udp_timeout_stream', choices.udpStreamTimeout);
  return wanted;
}

/** Returns what was written, and warnings. */
export function setConntrackSysctls(
  choices: ConntrackChoices,
  { access, processors }: { readonly access: SysctlAccess; readonly processors: number },
): { readonly written: readonly string[]; readonly warnings: readonly string[] } {
  const written: string[] = [];
  const warnings: string[] = [];
  const buckets = Number(access.read(`${folder}/nf_conntrack_buckets`) ?? Number.POSITIVE_INFINITY);
  for (const [key, value] of wantedSysctls(choices, { processors, buckets })) {
    try {
      if (access.read(key) === value) continue;
      access.write(key, value);
      written.push(`${key} = ${value}`);
    } catch (error) {
      warnings.push(errorMessage(error));
    }
  }
  return { written, warnings };
}

/** Whether the kernel was told to let packets outside of the TCP window pass: then INVALID ones must not be dropped. */
export function isTcpLiberal(access: Pick<SysctlAccess, 'read'>): boolean {
  return (access.read(liberalKey) ?? '0') !== '0';
}
